"""Limits how many of a user's conversations count on one day, and chooses them.

A user id may stand for many people, such as a shared "guest" account or a gateway that sends its
own name as the user. So only a limited number of a user's conversations count on a day: those with
the smallest ranks. A rank depends only on the conversation's id. So the choice does not depend on
the order of arrival or on the run, and a stream and a backfill choose the same conversations.

This module does not use Beam.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from heapq import nsmallest
from itertools import chain, count, islice
from typing import Final

from schemas.records import ConversationSummary
from transforms.counting.profile import Profile, profile_of

Rank = bytes
"""8 bytes by which the conversations of a user are ordered; see `rank_of`."""

RankedSummary = tuple[Rank, ConversationSummary]

MAX_LIMIT: Final = 10_000
"""The largest allowed limit.

A stream keeps up to twice as many conversation ids for a user and day.
"""

_RANK_BYTES: Final = 8
_LEAST_SPARE: Final = 256


def rank_of(conversation: bytes) -> Rank:
    """Returns the rank of a conversation id's hash.

    Ranks are computed only here. The hash has no secret key yet. If a secret were passed as `key`
    here, senders could not choose ids in such a way that their conversations count.
    """
    return blake2b(conversation, digest_size=_RANK_BYTES, person=b"user-day-limit").digest()


def remembered_ids(limit: int) -> int:
    """Returns how many conversation ids a stream remembers for one user and day.

    The ids beyond the limit are spares. They count if other conversations leave the user's day.
    """
    return limit + max(limit, _LEAST_SPARE)


def within_limit(
    ranked: Iterable[RankedSummary], limit: int
) -> tuple[list[ConversationSummary], int]:
    """Returns a user's summaries of one day that count, and how many others do not count.

    If one id begins several conversations on a day, they have the same rank. Then the conversations
    with the smallest profiles count, which are those that begin in the earliest hours.
    """
    remaining = iter(ranked)
    first = list(islice(remaining, limit + 1))
    if len(first) <= limit:
        return [summary for _, summary in first], 0
    # The conversations of a shared user may not fit into memory, so they are read only once.
    total = count()
    numbered = zip(chain(first, remaining), total, strict=False)
    counted = nsmallest(limit, (each for each, _ in numbered), key=_place)
    return [summary for _, summary in counted], next(total) - limit


def _place(ranked: RankedSummary) -> tuple[Rank, Profile]:
    rank, summary = ranked
    return rank, profile_of(summary)

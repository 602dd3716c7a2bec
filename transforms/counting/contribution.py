"""How many of a user's conversations count on one day, and which ones.

A user id may stand for many people: a shared "guest" account, or a gateway that names itself. So
only a limited number of a user's conversations count on a day, those of the smallest ranks. A rank
depends only on the conversation's id. So neither the order of arrival nor the run changes the
choice, and a stream and a backfill choose the same conversations.

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
"""8 bytes that put the conversations of a user in order; see `rank_of`."""

RankedSummary = tuple[Rank, ConversationSummary]

MAX_LIMIT: Final = 10_000
"""The largest limit. A stream remembers twice as many conversations of a user in one state."""

_RANK_BYTES: Final = 8
_LEAST_SPARE: Final = 256


def rank_of(conversation: bytes) -> Rank:
    """Returns the rank of a conversation id's hash.

    This is the only place that makes ranks. There is no secret yet. If one is passed as `key` here,
    no sender can choose ids that count.
    """
    return blake2b(conversation, digest_size=_RANK_BYTES, person=b"user-day-limit").digest()


def remembered_ids(limit: int) -> int:
    """Returns how many conversation ids a stream remembers for one user and day.

    Those beyond the limit are spare. They count when others leave the user's day.
    """
    return limit + max(limit, _LEAST_SPARE)


def within_limit(
    ranked: Iterable[RankedSummary], limit: int
) -> tuple[list[ConversationSummary], int]:
    """Returns the summaries of one user and day that count, and the number of those that do not.

    The conversations that one id begins on one day have the same rank. Among them the smallest
    profiles count, which begin in the earliest hours.
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

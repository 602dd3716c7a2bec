"""Limits how many of a user's conversations count on one day, and chooses them.

A user id may stand for many people, such as a shared "guest" account or a gateway that sends its
own name as the user. So only a limited number of a user's conversations count on a day: those with
the smallest ranks. A rank depends only on the conversation's id, not on the order of arrival or on
the run. So a stream and a backfill choose the same conversations.

This module does not use Beam.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Final

from schemas.records import ConversationSummary
from transforms.conversation.pseudonyms import SHOWN_BYTES
from transforms.counting.cells import day_of
from transforms.counting.profile import Profile, profile_of

Rank = bytes
"""8 bytes by which the conversations of a user are ordered; see `rank_of`."""

RankedSummary = tuple[Rank, ConversationSummary]

MAX_LIMIT: Final = 10_000
"""The largest allowed limit.

A stream keeps up to twice as many conversation ids for a user and day.
"""

_LEAST_SPARE: Final = 256


def rank_of(conversation: bytes) -> Rank:
    """Returns the rank of a conversation: the end of its hash; see `Pseudonyms.conversation`.

    Nobody can compute ranks without the operator's secret. So senders can't choose ids that make
    their conversations count.
    """
    return conversation[SHOWN_BYTES:]


def record_key(rank: Rank) -> int:
    """Returns a conversation's record key, from 0 to 2**32 - 1.

    The key is the last four bytes of the rank. The first bytes choose which of a user's
    conversations count. The record keys of a cell's conversations add up to the cell's key, which
    decides its noise.
    """
    return int.from_bytes(rank[-4:], "big")


def remembered_ids(limit: int) -> int:
    """Returns how many conversation ids a stream remembers for one user and day.

    The ids beyond the limit are spares. They count if other conversations leave the user's day.
    """
    return limit + max(limit, _LEAST_SPARE)


def within_limit(
    ranked: Iterable[RankedSummary], limit: int
) -> tuple[list[RankedSummary], Counter[int]]:
    """Returns a user's conversations that count, and the number of the others by day.

    If one id begins several conversations on a day, they have the same rank. Then the conversations
    with the smallest profiles count. They begin first.
    """
    # The conversations of a shared user may not fit into memory, so surplus ones are dropped early.
    days: defaultdict[int, list[RankedSummary]] = defaultdict(list)
    over_limit: Counter[int] = Counter()
    for each in ranked:
        day_us = day_of(each[1].started_at_us)
        kept = days[day_us]
        kept.append(each)
        if len(kept) >= limit + _LEAST_SPARE:
            _drop_surplus(kept, limit)
            over_limit[day_us] += _LEAST_SPARE
    for day_us, kept in days.items():
        if len(kept) > limit:
            over_limit[day_us] += len(kept) - limit
            _drop_surplus(kept, limit)
    return [each for kept in days.values() for each in kept], over_limit


def _drop_surplus(kept: list[RankedSummary], limit: int) -> None:
    kept.sort(key=_place)
    del kept[limit:]


def _place(ranked: RankedSummary) -> tuple[Rank, Profile]:
    rank, summary = ranked
    return rank, profile_of(summary)

"""A user's day: the state that a stream keeps for one user and day to count the user only once.

A cell counts each user once, and only a limited number of each user's conversations. Both depend on
all conversations of the user. So a stream remembers the conversations that count or may still
count. The memory has a fixed limit. The cost of a change hardly depends on the number of
conversations.

This module does not use Beam.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

import msgspec

from schemas.records import SignedSummary
from transforms.conversation.layout import STATED_IDS, check_layout
from transforms.counting.cells import ONE_USER, Cell
from transforms.counting.contribution import Rank, record_key, remembered_ids
from transforms.counting.profile import Profile, cells_without, profile_of
from transforms.counting.totals import DayTotals

_VERSION: Final = 5


class Remembered(NamedTuple):
    """A conversation that a user's day remembers.

    Attributes:
      rank: the rank of its id.
      profile: decides what the conversation adds to the cells.
      times: how often it was added minus how often it was taken back; never 0. After all changes
        have arrived, it is the number of conversations with this rank and profile, usually 1.
    """

    rank: Rank
    profile: Profile
    times: int


class Counted(NamedTuple):
    """A conversation, and how often it counted before a change and counts after it."""

    rank: Rank
    profile: Profile
    before: int
    after: int


class UserDayUpdate(NamedTuple):
    """A user's day after a change, and the effects of the change.

    Attributes:
      user_day: the user's day after the change.
      added: the sums to add to the day's totals.
      counted: the conversations that count more or less often than before.
      over_limit: the change in the number of conversations over the limit.
      shortfall: the change in the number of conversations over the limit that would count if they
        were remembered.
    """

    user_day: UserDay
    added: DayTotals
    counted: list[Counted]
    over_limit: int
    shortfall: int


@dataclass(frozen=True, slots=True)
class UserDay:
    """The conversations of one user that started on one day and may still count.

    At most `limit` conversations count: those with the smallest ranks. The user's day remembers
    these and some spare ones, up to `remembered_ids(limit)` ids in all. When there are more ids, it
    forgets the id with the largest rank. From then on, it does not remember conversations of that
    rank or above. It only adds them to `beyond`. If an id begins several conversations on the day,
    each has its own entry.

    Attributes:
      known: the conversations remembered, in the order of rank and profile.
      limit: how many conversations count.
      edge: conversations of this rank and above are not remembered; None while all are remembered.
      beyond: how many conversations are not remembered.
    """

    known: tuple[Remembered, ...] = ()
    limit: int = 0
    edge: Rank | None = None
    beyond: int = 0

    def apply(self, rank: Rank, change: SignedSummary, limit: int) -> UserDayUpdate:
        """Applies one signed summary of this user and day.

        The first conversation that enters a cell adds the user to it. The last one that leaves the
        cell removes the user. The sum of all changes depends only on the conversations that are
        left. So the order of the changes does not matter, and a retraction may arrive before the
        summary that it takes back. If `limit` differs from the earlier limit, the new one applies.
        """
        after = self._changed(rank, profile_of(change.summary), change.sign, limit)
        was, now = self._divided(), after._divided()
        changed = _changed(was.counted, now.counted)
        return UserDayUpdate(
            after,
            _added(changed, now.counted),
            changed,
            now.over_limit - was.over_limit,
            now.shortfall - was.shortfall,
        )

    def _changed(self, rank: Rank, profile: Profile, sign: int, limit: int) -> UserDay:
        known, beyond = list(self.known), self.beyond
        if self.edge is not None and rank >= self.edge:
            beyond += sign
        else:
            at = bisect_left(known, (rank, profile))
            times = sign
            if at < len(known) and known[at][:2] == (rank, profile):
                times += known.pop(at).times
            if times:
                known.insert(at, Remembered(rank, profile, times))
        return UserDay(tuple(known), limit, self.edge, beyond)._bounded()

    def _bounded(self) -> UserDay:
        """Forgets the largest ranks if there are too many.

        The limit is on ranks, not on conversations. A revision may add the new summary before it
        takes the old one back, and this must not make the user's day forget another conversation.
        """
        most = remembered_ids(self.limit)
        if len(self.known) <= most:
            return self
        ranks = sorted({known.rank for known in self.known})
        if len(ranks) <= most:
            return self
        edge = ranks[most]
        forgotten = sum(known.times for known in self.known if known.rank >= edge)
        known = tuple(known for known in self.known if known.rank < edge)
        return UserDay(known, self.limit, edge, self.beyond + forgotten)

    def _divided(self) -> _Divided:
        room, counted, over = self.limit, dict[Remembered, int](), self.beyond
        for known in self.known:
            times = min(known.times, room)
            room -= times
            over += known.times - times
            if times:
                counted[known] = times
        return _Divided(counted, over, min(room, max(self.beyond, 0)))

    def encode(self) -> bytes:
        """Returns the canonical bytes."""
        return _encode((_VERSION, STATED_IDS, self.limit, self.edge, self.beyond, self.known))

    @classmethod
    def decode(cls, encoded: bytes) -> UserDay:
        """Reads what `encode` wrote.

        Raises:
          ValueError: if the bytes were written by a version with a different layout or different
            breakdowns.
        """
        version, ids, limit, edge, beyond, known = _decode(encoded)
        check_layout("user-day state", version, _VERSION, ids)
        return cls(tuple(known), limit, edge, beyond)


class _Divided(NamedTuple):
    """A user's day, divided into the conversations that count and those that do not.

    Attributes:
      counted: the conversations that count, and how many times each counts.
      over_limit: how many conversations do not count.
      shortfall: how many of the conversations over the limit would count if the user's day
        remembered them.
    """

    counted: dict[Remembered, int]
    over_limit: int
    shortfall: int


def _changed(was: Mapping[Remembered, int], now: Mapping[Remembered, int]) -> list[Counted]:
    """Returns the conversations that count more or less often than before."""
    return [
        Counted(known.rank, known.profile, was.get(known, 0), now.get(known, 0))
        for known in was.keys() | now.keys()
        if was.get(known) != now.get(known)
    ]


def _added(changed: Iterable[Counted], now: Mapping[Remembered, int]) -> DayTotals:
    """Returns the sums to add to the totals when the set of counted conversations changes."""
    added = DayTotals()
    was_in, is_in, touched = set[Cell](), set[Cell](), set[tuple[Rank, Profile]]()
    for rank, profile, before, after in changed:
        touched.add((rank, profile))
        for cell, sums in profile.cells(record_key(rank)):
            added.add(cell, sums, after - before)
            if before > 0:
                was_in.add(cell)
            if after > 0:
                is_in.add(cell)
    others = [k.profile for k, times in now.items() if times > 0 and k[:2] not in touched]
    for cell in cells_without(was_in ^ is_in, others):
        added.add(cell, ONE_USER, 1 if cell in is_in else -1)
    return added


_encode = msgspec.msgpack.Encoder().encode
_Encoded = tuple[int, tuple[int, ...], int, Rank | None, int, list[Remembered]]
_decode = msgspec.msgpack.Decoder(_Encoded).decode

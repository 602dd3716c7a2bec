"""What a stream remembers of one user and day, and what a change adds to the day's totals.

A cell counts each user once, and only a limited number of each user's conversations. Both depend on
all conversations of the user, so a stream remembers those that count or may still count. The memory
is bounded, and a change costs about the same for any number of conversations.

This module does not use Beam.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

import msgspec

from schemas.records import SignedSummary
from transforms.conversation.layout import STATED_IDS, check_layout
from transforms.counting.cells import ONE_USER, Cell
from transforms.counting.contribution import Rank, remembered_ids
from transforms.counting.profile import Profile, cells_without, profile_of
from transforms.counting.totals import DayTotals

_VERSION: Final = 3


class Remembered(NamedTuple):
    """A conversation that a user's day remembers.

    Attributes:
      rank: the rank of its id.
      profile: what it adds to the cells.
      times: how often it was added minus how often it was taken back; never 0. When every change
        has come, it is the number of conversations with this rank and profile, in most cases 1.
    """

    rank: Rank
    profile: Profile
    times: int


class UserDayUpdate(NamedTuple):
    """A user's day after a change, and what the change adds up to.

    Attributes:
      user_day: the user's day with the change.
      added: what to add to the day's totals.
      over_limit: how many more conversations of the user are over the limit than before.
      shortfall: how many more of these would count if the user's day remembered them.
    """

    user_day: UserDay
    added: DayTotals
    over_limit: int
    shortfall: int


@dataclass(frozen=True, slots=True)
class UserDay:
    """The conversations of one user that started on one day, as far as they may still count.

    At most `limit` conversations count, those of the smallest ranks. The user's day remembers these
    and some spare ones, `remembered_ids(limit)` ids in all. When there are more ids, it forgets the
    largest rank. From then on it only counts the conversations of that rank and of larger ones, and
    never remembers them again. An id that begins several conversations on the day has an entry for
    each.

    Attributes:
      known: the conversations remembered, in the order of rank and profile.
      limit: how many conversations count.
      edge: conversations of this rank and above are not remembered; None while all are.
      beyond: how many conversations are not remembered.
    """

    known: tuple[Remembered, ...] = ()
    limit: int = 0
    edge: Rank | None = None
    beyond: int = 0

    def apply(self, rank: Rank, change: SignedSummary, limit: int) -> UserDayUpdate:
        """Applies one signed summary of this user and day.

        The first conversation in a cell adds the user to it, and the last one takes the user away.
        The sum of what all changes add depends only on the conversations that are left. So the
        order of the changes does not matter, and a retraction may come before what it takes back.
        The limit may change too; then the new one counts.
        """
        after = self._changed(rank, profile_of(change.summary), change.sign, limit)
        was, now = self._divided(), after._divided()
        return UserDayUpdate(
            after,
            _added(was.counted, now.counted),
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

        Ranks are limited, not conversations. A revision may add the new summary before it takes the
        old one back, and must not make the user's day forget another conversation.
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
          ValueError: if a version with another layout or other breakdowns wrote it.
        """
        version, ids, limit, edge, beyond, known = _decode(encoded)
        check_layout("user-day state", version, _VERSION, ids)
        return cls(tuple(known), limit, edge, beyond)


class _Divided(NamedTuple):
    """A user's day, divided into the conversations that count and those that do not.

    Attributes:
      counted: the conversations that count, and how many times each counts.
      over_limit: how many conversations do not count.
      shortfall: how many of these would count if the user's day remembered them.
    """

    counted: dict[Remembered, int]
    over_limit: int
    shortfall: int


def _added(was: Mapping[Remembered, int], now: Mapping[Remembered, int]) -> DayTotals:
    """Returns what to add to the totals when other conversations of a user count than before."""
    added = DayTotals()
    changed = [known for known in was.keys() | now.keys() if was.get(known) != now.get(known)]
    if not changed:
        return added
    was_in, is_in = set[Cell](), set[Cell]()
    for known in changed:
        before, after = was.get(known, 0), now.get(known, 0)
        for cell, sums in known.profile.cells():
            added.add(cell, sums, after - before)
            if before > 0:
                was_in.add(cell)
            if after > 0:
                is_in.add(cell)
    others = [k.profile for k, times in now.items() if times > 0 and was.get(k) == times]
    for cell in cells_without(was_in ^ is_in, others):
        added.add(cell, ONE_USER, 1 if cell in is_in else -1)
    return added


_encode = msgspec.msgpack.Encoder().encode
_Encoded = tuple[int, tuple[int, ...], int, Rank | None, int, list[Remembered]]
_decode = msgspec.msgpack.Decoder(_Encoded).decode

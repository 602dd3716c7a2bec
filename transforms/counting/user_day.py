"""What a stream remembers of one user and day, and what a change adds to the day's totals.

A cell counts each user once, and of each user at most a limit of conversations. Both depend on all
conversations of the user, so a stream remembers those that may yet count. The memory is bounded,
and a change costs about the same however many conversations the user has. No Beam here.
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
      rank: of its id.
      profile: what it adds to the cells.
      times: how often it was added, less how often it was taken back; never 0. It is 1 once every
        change has come, or the number of conversations that are alike in all of this.
    """

    rank: Rank
    profile: Profile
    times: int


class UserDayUpdate(NamedTuple):
    """What a change makes of a user's day.

    Attributes:
      user_day: with the change.
      added: what to add to the day's totals.
      over_limit: how many more conversations of the user are over the limit.
      shortfall: how many more of those would count if the day remembered them.
    """

    user_day: UserDay
    added: DayTotals
    over_limit: int
    shortfall: int


@dataclass(frozen=True, slots=True)
class UserDay:
    """The conversations of one user that started on one day, as far as they may yet count.

    At most `limit` count, those of the smallest ranks. The day remembers these and some spare ones,
    `remembered_ids` ids in all. When it must forget one, it forgets the largest rank, and never
    remembers that rank or a larger one again: from then on it only numbers such conversations. An
    id that begins several conversations on the day has an entry for each.

    Attributes:
      known: the conversations remembered, in order.
      limit: how many count.
      edge: conversations of this rank and above are not remembered; None while all are.
      beyond: how many conversations are not remembered.
    """

    known: tuple[Remembered, ...] = ()
    limit: int = 0
    edge: Rank | None = None
    beyond: int = 0

    def apply(self, rank: Rank, change: SignedSummary, limit: int) -> UserDayUpdate:
        """Applies one signed summary of this user and day.

        The user is added to a cell with the first conversation in it, and taken away with the last.
        What the totals have gained in all depends on the day only, so the order of changes does not
        matter: a retraction may come before what it retracts. Nor does a changed limit.
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

        Ranks are limited, not conversations: a revision whose new summary comes before the old one
        is taken back does not make the day forget another conversation.
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
          ValueError: another version, or one with other breakdowns, wrote it.
        """
        version, ids, limit, edge, beyond, known = _decode(encoded)
        check_layout("user-day state", version, _VERSION, ids)
        return cls(tuple(known), limit, edge, beyond)


class _Divided(NamedTuple):
    """A user's day, divided into what counts and what does not.

    Attributes:
      counted: the conversations that count, and how many times each.
      over_limit: how many conversations do not count.
      shortfall: how many of those would count if the day remembered them.
    """

    counted: dict[Remembered, int]
    over_limit: int
    shortfall: int


def _added(was: Mapping[Remembered, int], now: Mapping[Remembered, int]) -> DayTotals:
    """Returns what the totals change by when other conversations of a user count than before."""
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

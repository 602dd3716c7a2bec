"""Totals of a day: the sums of all its cells, which can be added and taken back. No Beam here.

Any order of addition gives the same totals. Distinct users are sums too: `user_day.UserDay` knows
the conversations of a user that count on a day. It adds 1 to a cell when the first of them enters
it, and -1 when the last one leaves. So users are counted exactly, without a sketch.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import msgspec

from schemas.records import ConversationSummary
from transforms.counting.cells import BREAKDOWN_NAMES, NOTHING, Cell, Sums
from transforms.counting.profile import Place, profile_of
from transforms.facets.registry import SLICE_KEYS, SUMMING_CHANGE, index_of_key

_LAYOUT: int = 2
"""Version of the encoded form."""


class DayTotals(dict[Cell, Sums]):
    """Sums of the cells of one day. A cell that is not in it is nothing."""

    def add(self, cell: Cell, sums: Sums, sign: int = 1) -> None:
        """Adds sums to a cell; a cell that comes to nothing is removed."""
        n, users, change, squares = self.get(cell, NOTHING)
        total = Sums(
            n + sign * sums[0],
            users + sign * sums[1],
            change + sign * sums[2],
            squares + sign * sums[3],
        )
        if total == NOTHING:
            self.pop(cell, None)
        else:
            self[cell] = total

    def add_all(self, other: Mapping[Cell, Sums], sign: int = 1) -> DayTotals:
        """Adds other totals of the same day, and returns this object."""
        for cell, sums in other.items():
            self.add(cell, sums, sign)
        return self

    def encode(self) -> bytes:
        """Returns the canonical bytes: equal totals give equal bytes.

        Breakdowns stand there by their ids, slices by the id of their facet and their value. So a
        breakdown or facet that is added later does not change what stored bytes mean.
        """
        slices = sorted({cell.slice_index for cell in self})
        place = {index: number for number, index in enumerate(slices)}
        rows = [(*cell[:3], place[cell[3]], *sums) for cell, sums in sorted(self.items())]
        return _encode((_LAYOUT, [SLICE_KEYS[index] for index in slices], rows))

    @classmethod
    def decode(cls, encoded: bytes) -> DayTotals:
        """Reads what `encode` wrote.

        Raises:
          ValueError: the bytes name a layout, breakdown, facet or value unknown to this version.
        """
        layout, keys, rows = _decode(encoded)
        if layout != _LAYOUT:
            raise ValueError(f"day totals have version {layout}, not {_LAYOUT}")
        slices = [index_of_key(*key) for key in keys]
        totals = cls((Cell(*row[:3], slices[row[3]]), Sums(*row[4:])) for row in rows)
        if unknown := {cell.breakdown for cell in totals} - BREAKDOWN_NAMES.keys():
            raise ValueError(
                f"stored totals name breakdown {min(unknown)}, which this version does not have; "
                "start a new job and backfill"
            )
        return totals


@dataclass(slots=True)
class TotalsChange:
    """What is added to a day's totals.

    Attributes:
      totals: to add.
      revisions: how many published summaries of conversations it takes back.
    """

    totals: DayTotals = field(default_factory=DayTotals)
    revisions: int = 0

    def add(self, other: TotalsChange) -> TotalsChange:
        """Adds another change of the same day, and returns this object."""
        self.totals.add_all(other.totals)
        self.revisions += other.revisions
        return self

    def encode(self) -> bytes:
        """Returns the canonical bytes."""
        return self.revisions.to_bytes(4, "big") + self.totals.encode()

    @classmethod
    def decode(cls, encoded: bytes) -> TotalsChange:
        """Reads what `encode` wrote."""
        return cls(DayTotals.decode(encoded[4:]), int.from_bytes(encoded[:4], "big"))


class TotalsBuilder:
    """Adds up many users' conversations of one day, in place: as `cells_of` does, only faster.

    A conversation is in some eighty cells, so this is the innermost loop of a bounded run.
    """

    def __init__(self) -> None:
        self._places: defaultdict[Place, dict[int, list[int]]] = defaultdict(dict)

    def add_user(self, summaries: Iterable[ConversationSummary]) -> None:
        """Adds all conversations of one user that started on the day.

        The user counts once in every cell that any of the conversations is in. Conversations
        without a user add no user.
        """
        counted: set[int] = set()
        for summary in summaries:
            is_user = 1 if summary.user else 0
            change = summary.sentiment_change_sixths or 0
            for place, slices in profile_of(summary).slices():
                row = self._places[place]
                for index in slices:
                    sums = row.get(index)
                    if sums is None:
                        row[index] = sums = [0, 0, 0, 0]
                    sums[0] += 1
                    if is_user and id(sums) not in counted:
                        counted.add(id(sums))
                        sums[1] += 1
                    if change and index in SUMMING_CHANGE:
                        sums[2] += change
                        sums[3] += change * change

    def totals(self) -> DayTotals:
        """Returns the totals so far."""
        return DayTotals(
            (Cell(*place, index), Sums(*sums))
            for place, row in self._places.items()
            for index, sums in row.items()
        )


def totals_of(summaries: Iterable[ConversationSummary]) -> DayTotals:
    """Returns what one user's conversations of one day add up to."""
    builder = TotalsBuilder()
    builder.add_user(summaries)
    return builder.totals()


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(
    tuple[int, list[tuple[int, str]], list[tuple[int, int, str, int, int, int, int, int]]]
).decode


KeyedTotals = tuple[int, DayTotals]
"""Start of the day in microseconds, and its totals or a part of them."""


KeyedChange = tuple[int, TotalsChange]
"""Start of the day in microseconds, and what is added to its totals."""

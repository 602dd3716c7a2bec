"""Totals of a day: the sums of all its cells, which can be added and subtracted.

Any order of addition gives the same totals. The number of distinct users is a sum too, because
`user_day.UserDay` knows which conversations of a user count on a day. The user's day adds 1 to the
users of a cell when the first of these conversations enters the cell, and subtracts 1 when the last
one leaves it. So users are counted exactly, without a sketch.

This module does not use Beam.
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

_LAYOUT: int = 3
"""Version of the encoded form and of the units in it."""


class DayTotals(dict[Cell, Sums]):
    """Sums of the cells of one day. A cell that is not in the dict has the sums 0."""

    def add(self, cell: Cell, sums: Sums, sign: int = 1) -> None:
        """Adds sums to a cell, or subtracts them if `sign` is -1; removes a cell of zeros."""
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
        """Adds (or subtracts) other totals of the same day to this object, and returns it."""
        for cell, sums in other.items():
            self.add(cell, sums, sign)
        return self

    def encode(self) -> bytes:
        """Returns the canonical bytes: equal totals give equal bytes.

        The bytes identify a breakdown by its id, and a slice by its facet's id and its value. So
        stored bytes keep their meaning when a breakdown or a facet is added later.
        """
        slices = sorted({cell.slice_index for cell in self})
        place = {index: number for number, index in enumerate(slices)}
        rows = [(*cell[:3], place[cell[3]], *sums) for cell, sums in sorted(self.items())]
        return _encode((_LAYOUT, [SLICE_KEYS[index] for index in slices], rows))

    @classmethod
    def decode(cls, encoded: bytes) -> DayTotals:
        """Reads what `encode` wrote.

        Raises:
          ValueError: if this version does not know the layout, or one of the breakdowns, facets or
            values.
        """
        layout, keys, rows = _decode(encoded)
        if layout != _LAYOUT:
            raise ValueError(
                f"day totals have layout version {layout}, but this version of Undertone reads "
                f"only {_LAYOUT}; start a new job and backfill"
            )
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
    """A change that is to be added to a day's totals.

    Attributes:
      totals: the sums to add; they are negative for conversations that are taken back.
      revisions: how many summaries the change takes back.
    """

    totals: DayTotals = field(default_factory=DayTotals)
    revisions: int = 0

    def add(self, other: TotalsChange) -> TotalsChange:
        """Adds another change of the same day to this object, and returns it."""
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
    """Adds up the conversations of many users on one day.

    It computes the same sums as `cells_of`, but faster. This is the innermost loop of a bounded
    run, because a conversation is in about eighty cells.
    """

    def __init__(self) -> None:
        self._places: defaultdict[Place, dict[int, list[int]]] = defaultdict(dict)

    def add_user(self, summaries: Iterable[ConversationSummary]) -> None:
        """Adds all conversations of one user that started on the day.

        The user counts once in every cell that has at least one of the conversations. A
        conversation without a user does not add to the number of users.
        """
        counted: set[int] = set()
        for summary in summaries:
            is_user = 1 if summary.user else 0
            change = summary.sentiment_change_300ths or 0
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
    """Returns the totals of one user's conversations on one day."""
    builder = TotalsBuilder()
    builder.add_user(summaries)
    return builder.totals()


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(
    tuple[int, list[tuple[int, str]], list[tuple[int, int, str, int, int, int, int, int]]]
).decode


KeyedTotals = tuple[int, DayTotals]
"""Start of the day in microseconds since the epoch, and its totals or a part of them."""


KeyedChange = tuple[int, TotalsChange]
"""Start of the day in microseconds since the epoch, and a change of its totals."""

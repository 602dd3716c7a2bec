"""Totals: the sums that conversations add to the cells of their windows.

Any order of addition gives the same totals. The number of distinct users is a sum too, because
`user_day.UserDay` knows which conversations of a user count on a day. The user's day adds 1 to the
users of a cell when the first of these conversations enters the cell, and subtracts 1 when the last
one leaves it. So users are counted exactly, without a sketch.

This module does not use Beam.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

from transforms.conversation.layout import STATED_IDS, check_layout
from transforms.counting.candidates import Candidates, decoded, encoded
from transforms.counting.cells import DAY, HOUR_US, NOTHING, OVERALL, Cell, Sums
from transforms.counting.places import Cells, Place, add_cells
from transforms.counting.profile import Profile
from transforms.counting.windows import Window, day_window, hour_of
from transforms.facets.facet import ALL
from transforms.facets.registry import SLICE_KEYS, index_of_key

_LAYOUT: Final = 5
"""Version of the encoded form and of the units in it."""

PlaceKey = tuple[str, int, int, int, str]
"""A window (kind, start and end), the id of a breakdown, and one of its values."""


def place_key(window: Window, place: Place) -> PlaceKey:
    """Returns the key of a place."""
    return (*window, *place)


def whole_day(day_us: int) -> PlaceKey:
    """Returns the place of all conversations of the day that starts at an instant."""
    return place_key(day_window(day_us), Place(OVERALL, ALL))


def whole_hour(instant_us: int) -> PlaceKey:
    """Returns the place of all conversations of the hour that contains an instant."""
    return place_key(hour_of(instant_us), Place(OVERALL, ALL))


class DayTotals(dict[Cell, Sums]):
    """Sums of the cells of one day. A cell that is not in the dict has the sums 0."""

    def add(self, cell: Cell, sums: Sums, sign: int = 1) -> None:
        """Adds sums to a cell, or subtracts them if `sign` is -1; removes a cell of zeros."""
        n, users, key, change, squares = self.get(cell, NOTHING)
        total = Sums(
            n + sign * sums[0],
            users + sign * sums[1],
            key + sign * sums[2],
            change + sign * sums[3],
            squares + sign * sums[4],
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

    def by_place(self, day_us: int) -> dict[PlaceKey, Cells]:
        """Divides the totals of the day that starts at `day_us` by place."""
        places: dict[PlaceKey, Cells] = {}
        for cell, sums in self.items():
            window = (
                day_window(day_us) if cell.hour == DAY else hour_of(day_us + cell.hour * HOUR_US)
            )
            key = place_key(window, Place(cell.breakdown, cell.value))
            places.setdefault(key, {})[cell.slice_index] = sums
        return places


@dataclass(slots=True)
class PlaceChange:
    """A change that is to be added to the totals of a place.

    A change without cells also touches the place, so its totals are written again.

    Attributes:
      cells: the sums to add; they are negative for conversations that are taken back.
      revisions: how many summaries the change takes back. Only the place of all conversations of
        the day counts them, so each one counts once.
      candidates: the change to the candidates for judging. Only the place of all conversations of
        an hour has them.
    """

    cells: Cells = field(default_factory=dict)
    revisions: int = 0
    candidates: Candidates = field(default_factory=Candidates)

    def add(self, other: PlaceChange) -> PlaceChange:
        """Adds another change of the same place to this object, and returns it."""
        add_cells(self.cells, other.cells)
        self.revisions += other.revisions
        self.candidates.add_all(other.candidates)
        return self

    def copy(self) -> PlaceChange:
        """Returns a copy."""
        return PlaceChange(dict(self.cells), self.revisions, self.candidates.copy())

    def encode(self) -> bytes:
        """Returns the canonical bytes: equal changes give equal bytes.

        The bytes identify a slice by its facet's id and its value. So stored bytes keep their
        meaning when a facet is added later.
        """
        rows = sorted((*SLICE_KEYS[index], *sums) for index, sums in self.cells.items())
        return _encode((_LAYOUT, self.revisions, rows, STATED_IDS, *encoded(self.candidates)))

    @classmethod
    def decode(cls, stored: bytes) -> PlaceChange:
        """Reads what `encode` wrote.

        Raises:
          ValueError: if this version does not know the layout, or one of the facets or values.
        """
        layout, revisions, rows, ids, edge, candidates = _decode(stored)
        check_layout("the totals of a place", layout, _LAYOUT, ids)
        return cls(
            {index_of_key(*row[:2]): Sums(*row[2:]) for row in rows},
            revisions,
            decoded(edge, candidates),
        )


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(
    tuple[
        int,
        int,
        list[tuple[int, str, int, int, int, int, int]],
        tuple[int, ...],
        int | None,
        list[tuple[bytes, int, Profile, int]],
    ]
).decode


KeyedChange = tuple[PlaceKey, PlaceChange]

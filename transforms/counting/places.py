"""Places: the cells of one window, by breakdown value, and their form in the table `counts`.

A *place* is one window and one value of one breakdown. Its cells are the slices of its
conversations.

This module does not use Beam.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import msgspec

from transforms.counting.cells import NOTHING, Sums
from transforms.facets.registry import BY_NAME, INDEX, SLICES, Slice

KEY_SPACE: Final = 2**32
"""Record keys are added modulo this number."""

Cells = dict[int, Sums]
"""The sums of a place: slice index -> sums. The index points into `registry.SLICES`."""


class Place(NamedTuple):
    """A place within a window.

    Attributes:
      breakdown: id of the breakdown.
      value: value of the breakdown.
    """

    breakdown: int
    value: str


WindowCounts = dict[Place, Cells]
"""The exact counts of one window."""


def add_cells(cells: Cells, added: Mapping[int, Sums]) -> Cells:
    """Adds sums to the cells of a place, in place, and returns them. Cells of zeros disappear."""
    for index, sums in added.items():
        total = Sums(*(a + b for a, b in zip(cells.get(index, NOTHING), sums, strict=True)))
        if total == NOTHING:
            cells.pop(index, None)
        else:
            cells[index] = total
    return cells


def add_overlapping(parts: Iterable[Mapping[int, Sums]]) -> Cells:
    """Adds up cells whose users may be the same, e.g. those of several generations of a stream.

    The number of users is the largest of any part, which is a lower bound.
    """
    cells: Cells = {}
    for part in parts:
        for index, sums in part.items():
            known = cells.get(index, NOTHING)
            added = Sums(*(a + b for a, b in zip(known, sums, strict=True)))
            cells[index] = added._replace(
                users=max(known.users, sums.users), key=added.key % KEY_SPACE
            )
    return cells


def cells_text(cells: Mapping[int, Sums]) -> str:
    """Returns the cells as JSON, without cells of zeros; equal cells give equal text."""
    facets: dict[str, dict[str, tuple[int, ...]]] = {}
    for index in sorted(cells):
        sums = cells[index]
        if sums != NOTHING:
            facet, value = SLICES[index]
            facets.setdefault(facet, {})[value] = sums._replace(key=sums.key % KEY_SPACE)
    return _encode(facets).decode()


def cells_of_text(text: str) -> Cells:
    """Reads what `cells_text` wrote.

    Raises:
      ValueError: if this version does not have one of the facets or values.
    """
    return {
        _index(facet, value): Sums(*sums)
        for facet, values in _decode(text).items()
        for value, sums in values.items()
    }


def _index(facet: str, value: str) -> int:
    index = INDEX.get(Slice(facet, value))
    if index is None:
        kind = "value" if facet in BY_NAME else "facet"
        raise ValueError(
            f"the counts name {kind} {value if kind == 'value' else facet!r}, which this version "
            "does not have; publish with the version that counted"
        )
    return index


_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(dict[str, dict[str, tuple[int, int, int, int, int]]]).decode

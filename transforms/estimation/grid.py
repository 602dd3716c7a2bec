"""Arranges a window's published counts in arrays, with one row per place and one column per slice.

This module does not use Beam.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from transforms.counting.cells import BREAKDOWN_IDS, BREAKDOWN_NAMES, OVERALL
from transforms.counting.places import Place
from transforms.estimation.proportions import Floats
from transforms.estimation.rates import ALL_LANGUAGES, RATED, Rates
from transforms.estimation.shares import COUNTED_AS_BREAKDOWN, EVERYTHING
from transforms.facets.facet import ALL
from transforms.facets.registry import INDEX, SLICES, Slice, slices_of_facet
from transforms.publishing.publication import PublishedSums

LANGUAGE: Final = BREAKDOWN_IDS["language"]
_EVERYTHING: Final = INDEX[EVERYTHING]
_WHOLE_WINDOW: Final = Place(OVERALL, ALL)

_RATED: Final = {
    Slice(facet, value): index
    for index, (facet, value) in enumerate((f, v) for f, values in RATED.items() for v in values)
}
"""Column of each slice in the array of rates."""


@dataclass(frozen=True)
class Grid:
    """The published counts of a window.

    Attributes:
      places: the places, ordered.
      conversations, change, squares: the published sums, float64 (places, slices); NaN where a cell
        is not published.
    """

    places: tuple[Place, ...]
    conversations: Floats
    change: Floats
    squares: Floats

    @property
    def overall(self) -> int | None:
        """The row of the whole window; None if it is not published."""
        return self.places.index(_WHOLE_WINDOW) if _WHOLE_WINDOW in self.places else None

    def counts_of(self, slices: Sequence[Slice]) -> Floats:
        """Returns the numbers of conversations of some slices, float64 (places, given slices)."""
        return self.conversations[:, [INDEX[slice_] for slice_ in slices]]

    def names(self) -> list[tuple[str, str]]:
        """Returns the breakdown's name and the value of each place."""
        return [(BREAKDOWN_NAMES[place.breakdown], place.value) for place in self.places]


def grid_of(cells: Mapping[Place, Mapping[int, PublishedSums]]) -> Grid:
    """Arranges published cells in arrays.

    `overall` leaves out some facets. Their numbers come from the breakdown of the same name.
    """
    places = tuple(sorted(cells))
    sums = np.full((3, len(places), len(SLICES)), np.nan)
    for row, place in enumerate(places):
        for index, (conversations, change, squares) in cells[place].items():
            sums[0, row, index] = conversations
            if change is not None and squares is not None:
                sums[1:, row, index] = change, squares
    _fill_overall(places, sums[0])
    return Grid(places, *sums)


def _fill_overall(places: tuple[Place, ...], conversations: Floats) -> None:
    rows = {place: row for row, place in enumerate(places)}
    overall = rows.get(_WHOLE_WINDOW)
    if overall is None:
        return
    for facet in COUNTED_AS_BREAKDOWN:
        for value, index in zip(facet.values, slices_of_facet(facet.name), strict=True):
            row = rows.get(Place(BREAKDOWN_IDS[facet.name], value))
            if row is not None:
                conversations[overall, index] = conversations[row, _EVERYTHING]


def rates_for(grid: Grid, measured: Rates | None) -> Floats:
    """Returns the supported rates of each place, float64 (4, places, rated slices + 1).

    The first axis has the counts of `Rate`: true positives, positives, false positives, negatives.
    The breakdown `language` uses a language's own rates if there are any. Rates that are not
    supported are NaN. The last column stands for slices without rates and is NaN too.
    """
    table = np.full((4, len(grid.places), len(_RATED) + 1), np.nan)
    rates = () if measured is None else measured.supported
    rows: dict[str, list[int]] = {ALL_LANGUAGES: list(range(len(grid.places)))}
    for row, place in enumerate(grid.places):
        if place.breakdown == LANGUAGE:
            rows.setdefault(place.value, []).append(row)
    # Rates of single languages come last and replace those of all.
    for rate in sorted(rates, key=lambda rate: rate.language != ALL_LANGUAGES):
        column = _RATED[Slice(rate.facet, rate.facet_value)]
        counts = (rate.true_positives, rate.positives, rate.false_positives, rate.negatives)
        for row in rows.get(rate.language, ()):
            table[:, row, column] = counts
    return table


def rate_column(slice_: Slice | None) -> int:
    """Returns the column of a slice in `rates_for`."""
    return len(_RATED) if slice_ is None else _RATED.get(slice_, len(_RATED))

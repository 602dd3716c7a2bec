"""The equations between the cells of some windows, as an attacker writes them down.

The attacker knows all relations that follow from the definitions. He is also told which cells are
not empty. A real attacker does not know that. So the audit does not underestimate him.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipelines.operations.audit.evidence import Version
from transforms.counting.cells import BREAKDOWN_IDS, BREAKDOWN_NAMES, NOTHING, OVERALL, WHOLE_DAY
from transforms.counting.places import Place, WindowCounts
from transforms.counting.windows import DAY, HOUR, Window
from transforms.facets.facet import ALL
from transforms.publishing.relations import (
    Member,
    Sense,
    relations_across,
    relations_within,
    whole_of,
)

Floats = NDArray[np.float64]
Indexes = NDArray[np.int64]
Flags = NDArray[np.bool_]

SLICES_FAMILY: Final = "slices of a place"
VALUES_FAMILY: Final = "values of a breakdown"
TIME_FAMILY: Final = "parts of a window"
"""The families of relations."""

_EVERYONE: Final = WHOLE_DAY.slice_index


class Cell(NamedTuple):
    """One cell of one window."""

    window: Window
    place: Place
    slice_index: int


class Equation(NamedTuple):
    """A relation between cells, given by their positions in `System.cells`."""

    total: int
    parts: tuple[int, ...]
    sense: Sense
    family: str


class System(NamedTuple):
    """The cells of some windows and the relations between them.

    Attributes:
      cells: the cells that are published or not empty, n of them.
      published: the published numbers, float64 [n]; NaN for unpublished cells.
      truth: the true numbers of conversations, int64 [n].
      equations: the relations.
      variance, max_noise, least: of the policy: its noise, and the smallest published count.
    """

    cells: Sequence[Cell]
    published: Floats
    truth: Indexes
    equations: Sequence[Equation]
    variance: float
    max_noise: int
    least: int

    def unpublished(self) -> Flags:
        """Returns which cells are not published."""
        return np.isnan(self.published)

    def small(self) -> Flags:
        """Returns which cells are unpublished and below the smallest published count."""
        small: Flags = self.unpublished() & (self.truth > 0) & (self.truth < self.least)
        return small


def system_of(versions: Mapping[Window, Version], counts: Mapping[Window, WindowCounts]) -> System:
    """Writes down what an attacker knows about some windows.

    Args:
      versions: the publication of each window.
      counts: the true counts of each window.
    """
    numbers = {
        Cell(window, place, index): number
        for window, version in versions.items()
        for place, index, number in version.cells()
    }
    truth = _true_numbers(versions, counts)
    cells = sorted(numbers.keys() | {cell for cell, n in truth.items() if n > 0})
    at = {cell: position for position, cell in enumerate(cells)}
    policy = next(iter(versions.values())).policy
    return System(
        cells,
        np.array([numbers.get(cell, np.nan) for cell in cells], np.float64),
        np.array([truth.get(cell, 0) for cell in cells], np.int64),
        list(_equations(at, counts)),
        policy.variance,
        policy.max_noise,
        max(policy.min_users, policy.min_conversations),
    )


def _true_numbers(
    versions: Mapping[Window, Version], counts: Mapping[Window, WindowCounts]
) -> dict[Cell, int]:
    truth = {}
    for window, version in versions.items():
        for place, cells in counts.get(window, {}).items():
            for index, sums in cells.items():
                made_from = version.true_sums(place, index)
                truth[Cell(window, place, index)] = (made_from or sums).conversations
    return truth


def _equations(at: Mapping[Cell, int], counts: Mapping[Window, WindowCounts]) -> Iterator[Equation]:
    places: defaultdict[tuple[Window, Place], dict[int, int]] = defaultdict(dict)
    for (window, place, index), position in at.items():
        places[window, place][index] = position
    for (_, place), here in places.items():
        for relation in relations_within(BREAKDOWN_NAMES[place.breakdown], place.value):
            parts = tuple(here[i] for i in relation.parts if i in here)
            if relation.total in here and parts:
                yield Equation(here[relation.total], parts, relation.sense, SLICES_FAMILY)
    yield from _over_values(places, at)
    yield from _over_time({window for window, _ in places}, at, counts)


def _over_values(
    places: Mapping[tuple[Window, Place], Mapping[int, int]], at: Mapping[Cell, int]
) -> Iterator[Equation]:
    sums: defaultdict[Cell, defaultdict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for (window, place), here in places.items():
        wholes = whole_of(BREAKDOWN_NAMES[place.breakdown])
        for index, position in here.items():
            if index in wholes:
                sums[_cell(window, wholes[index])][place.breakdown].append(position)
    for total, by_breakdown in sums.items():
        if total in at:
            for parts in by_breakdown.values():
                yield Equation(at[total], tuple(parts), Sense.EQUAL, VALUES_FAMILY)
    for window in {window for window, _ in places}:
        for relation in relations_across():
            whole = _cell(window, relation.total)
            cells = (_cell(window, part) for part in relation.parts)
            parts = [at[cell] for cell in cells if cell in at]
            if whole in at and parts:
                yield Equation(at[whole], tuple(parts), Sense.EQUAL, VALUES_FAMILY)


def _cell(window: Window, member: Member) -> Cell:
    return Cell(window, Place(BREAKDOWN_IDS[member.breakdown], member.value), member.slice_index)


def _over_time(
    windows: set[Window], at: Mapping[Cell, int], counts: Mapping[Window, WindowCounts]
) -> Iterator[Equation]:
    for whole in windows:
        parts = parts_of(whole, windows)
        if not parts:
            continue
        covered = sum(_conversations(counts, part) for part in parts)
        sense = Sense.EQUAL if covered == _conversations(counts, whole) else Sense.AT_MOST
        known = set(parts)
        found: defaultdict[int, list[int]] = defaultdict(list)
        for cell, position in at.items():
            if cell.window in known:
                total = at.get(cell._replace(window=whole))
                if total is not None:
                    found[total].append(position)
        for total, positions in found.items():
            yield Equation(total, tuple(positions), sense, TIME_FAMILY)


def parts_of(whole: Window, windows: set[Window]) -> list[Window]:
    """Returns the hours of a day, or the days of a longer window, among some windows."""
    if whole.kind == HOUR:
        return []
    kind = HOUR if whole.kind == DAY else DAY
    return sorted(
        w
        for w in windows
        if w.kind == kind and whole.start_us <= w.start_us and w.end_us <= whole.end_us
    )


def _conversations(counts: Mapping[Window, WindowCounts], window: Window) -> int:
    everyone = counts.get(window, {}).get(Place(OVERALL, ALL), {})
    return everyone.get(_EVERYONE, NOTHING).conversations

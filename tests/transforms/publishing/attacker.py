"""Attacks the published cells of a day: computes withheld cells by subtracting and solving.

The attacker knows every published cell, which cells are empty, and the definitions. From these
alone, not from `relations_of`, he derives which cells add up to which.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final

from schemas.labels import AFFECTIVE_TYPES, PUSHBACK_REASONS, PUSHBACK_TYPES, TYPES
from tests.transforms.publishing.days import AFFECTIVE, EVERYONE
from transforms.counting.cells import DAY, LENGTH, OVERALL, Cell
from transforms.counting.totals import DayTotals
from transforms.facets.facet import ALL
from transforms.facets.lengths import LENGTHS
from transforms.facets.registry import INDEX, SLICES, Slice
from transforms.publishing.suppression import Thresholds

_WITH_CHANGE: Final = LENGTHS[LENGTHS.index("6-10") :]
_LONG: Final = LENGTHS[LENGTHS.index("51-100") :]
_PRIME: Final = 2**61 - 1


def equations(totals: DayTotals) -> Iterator[tuple[Cell, list[Cell]]]:
    """Yields (total, parts) of cells that are not empty; by definition, parts add up to total."""
    for total, parts in _definitions(totals):
        yield total, [part for part in parts if part in totals]


def _definitions(totals: DayTotals) -> Iterator[tuple[Cell, list[Cell]]]:
    hours: defaultdict[Cell, list[Cell]] = defaultdict(list)
    values: defaultdict[tuple[int, int, int], list[Cell]] = defaultdict(list)
    for cell in totals:
        if cell.hour != DAY:
            hours[cell._replace(hour=DAY)].append(cell)
        if cell.breakdown != OVERALL:
            values[cell.hour, cell.breakdown, cell.slice_index].append(cell)
    yield from hours.items()
    for (hour, _, index), parts in values.items():
        facet, name = SLICES[index]
        if facet == "length":
            yield Cell(hour, LENGTH, name, EVERYONE), parts
        else:
            yield Cell(hour, OVERALL, ALL, index), parts
    for hour, breakdown, value in {cell[:3] for cell in totals}:
        yield from _of_place(hour, breakdown, value)
    for hour in {cell.hour for cell in totals}:
        yield from _of_lengths(hour)


def _of_place(hour: int, breakdown: int, value: str) -> Iterator[tuple[Cell, list[Cell]]]:
    """Yields the equations between the slices of one place."""

    def cells(facet: str, names: Iterable[str]) -> list[Cell]:
        return [Cell(hour, breakdown, value, INDEX[Slice(facet, name)]) for name in names]

    (everyone,), (long,), (changed,) = (cells(f, [ALL]) for f in ("all", "long", "sentiment"))
    yield everyone, cells("use", [s.value for s in SLICES if s.facet == "use"])
    yield everyone, cells("drift", [s.value for s in SLICES if s.facet == "drift"])
    if breakdown == LENGTH:
        if value in _WITH_CHANGE:
            for plain, other in groups("sentiment"):
                yield Cell(hour, breakdown, value, plain), [Cell(hour, breakdown, value, other)]
        return
    yield long, cells("drift_long", [s.value for s in SLICES if s.facet == "drift_long"])
    if breakdown != OVERALL:
        yield everyone, cells("length", LENGTHS)
        yield long, cells("length", _LONG)
        yield changed, cells("length", _WITH_CHANGE)


def _of_lengths(hour: int) -> Iterator[tuple[Cell, list[Cell]]]:
    """Yields equations that tie long and sentiment slices of `overall` to those of `length`."""
    for facet, names in (("long", _LONG), ("sentiment", _WITH_CHANGE)):
        for plain, other in groups(facet):
            parts = [Cell(hour, LENGTH, name, plain) for name in names]
            yield Cell(hour, OVERALL, ALL, other), parts
    for slice_ in SLICES:
        if slice_.facet == "drift_long":
            plain = INDEX[Slice("drift", slice_.value)]
            parts = [Cell(hour, LENGTH, name, plain) for name in _LONG]
            yield Cell(hour, OVERALL, ALL, INDEX[slice_]), parts


def groups(facet: str) -> Iterator[tuple[int, int]]:
    """Yields (slice of a group, slice of its conversations that are long or have a change)."""
    yield EVERYONE, INDEX[Slice(facet, ALL)]
    yield AFFECTIVE, INDEX[Slice(facet, "affective")]
    for name in TYPES:
        yield INDEX[Slice("type", name)], INDEX[Slice(facet, name)]


def within() -> Iterator[tuple[int, int]]:
    """Yields (slice, slice that lies within it by definition)."""
    for facet in ("long", "sentiment"):
        yield from groups(facet)
        yield INDEX[Slice(facet, ALL)], INDEX[Slice(facet, "affective")]
        yield INDEX[Slice(facet, ALL)], INDEX[Slice(facet, "roleplay")]
        for name in AFFECTIVE_TYPES:
            yield INDEX[Slice(facet, "affective")], INDEX[Slice(facet, name)]
    for (_, long), (_, changed) in zip(groups("long"), groups("sentiment"), strict=True):
        yield changed, long
    for name in AFFECTIVE_TYPES:
        yield AFFECTIVE, INDEX[Slice("type", name)]
    yield EVERYONE, INDEX[Slice("type", "roleplay")]
    yield EVERYONE, INDEX[Slice("pushback", ALL)]
    for name in PUSHBACK_TYPES:
        yield INDEX[Slice("type", name)], INDEX[Slice("pushback", name)]
        yield INDEX[Slice("pushback", ALL)], INDEX[Slice("pushback", name)]
    for name in PUSHBACK_REASONS:
        yield INDEX[Slice("pushback", ALL)], INDEX[Slice("pushback_reason", name)]
    for slice_ in SLICES:
        if slice_.facet == "drift_long":
            yield INDEX[Slice("drift", slice_.value)], INDEX[slice_]


def unknowns_of(totals: DayTotals, published: DayTotals) -> list[dict[Cell, int]]:
    """Returns, for each equation, the coefficients of the cells that the attacker does not see."""
    rows = []
    for total, parts in equations(totals):
        signed = {total: 1} | dict.fromkeys(parts, -1)
        row = {c: sign for c, sign in signed.items() if c in totals and c not in published}
        if row:
            rows.append(row)
    return rows


def subtract(rows: list[dict[Cell, int]]) -> set[Cell]:
    """Returns the cells found by repeatedly subtracting known cells from a total."""
    known: set[Cell] = set()
    while True:
        left = [[cell for cell in row if cell not in known] for row in rows]
        found = {cells[0] for cells in left if len(cells) == 1}
        if not found:
            return known
        known |= found


def solve(rows: list[dict[Cell, int]]) -> set[Cell]:
    """Returns the cells that the equations together determine, by Gaussian elimination.

    The elimination computes in integers modulo a 61-bit prime. A determinant of so small a matrix
    almost never vanishes there by chance.
    """
    reduced: dict[Cell, dict[Cell, int]] = {}
    holders: defaultdict[Cell, set[Cell]] = defaultdict(set)
    for row in sorted(rows, key=len):
        left: dict[Cell, int] = dict(row)
        for cell in [cell for cell in row if cell in reduced]:
            _subtract(left, reduced[cell], left[cell])
        if not left:
            continue
        pivot = min(left, key=lambda cell: len(holders[cell]))
        scale = pow(left[pivot], -1, _PRIME)
        left = {cell: value * scale % _PRIME for cell, value in left.items()}
        for holder in list(holders.pop(pivot, ())):
            other = reduced[holder]
            _subtract(other, left, other[pivot])
            for cell in left:
                if cell in other:
                    holders[cell].add(holder)
                else:
                    holders[cell].discard(holder)
        reduced[pivot] = left
        for cell in left:
            holders[cell].add(pivot)
    return {pivot for pivot, row in reduced.items() if len(row) == 1}


def _subtract(row: dict[Cell, int], other: dict[Cell, int], times: int) -> None:
    for cell, value in other.items():
        if left := (row.get(cell, 0) - times * value) % _PRIME:
            row[cell] = left
        else:
            row.pop(cell, None)


def small_of(totals: DayTotals, cells: Iterable[Cell], thresholds: Thresholds) -> list[Cell]:
    """Returns the cells that the attacker must not know, because they are small."""
    return [c for c in cells if not thresholds.allow(totals[c].conversations, totals[c].users)]

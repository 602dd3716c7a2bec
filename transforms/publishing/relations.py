"""Relations between the cells of a day: a total and its parts, or a slice within a larger slice.

The relations within a facet are derived from its declaration. The relations between two facets are
listed in this module.

This module does not use Beam.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from schemas.labels import AFFECTIVE_TYPES, PUSHBACK_REASONS, PUSHBACK_TYPES, TYPES
from transforms.conversation.summary import LONG_OVER, MIN_MESSAGES_FOR_CHANGE
from transforms.counting.cells import DAY, LENGTH, OVERALL, Cell
from transforms.counting.totals import DayTotals
from transforms.facets.facet import ALL, ShareOf
from transforms.facets.lengths import LENGTH_BINS, LENGTHS
from transforms.facets.registry import FACETS, INDEX, SLICES, Slice, slices_of_facet


@dataclass(frozen=True, slots=True)
class Relation:
    """A total and its parts, or a cell and a smaller cell within it.

    Attributes:
      total: the larger cell.
      parts: the parts of the total; exactly one part if `is_partition` is false.
      is_partition: whether the parts add up to the total.
      is_over_values: whether the parts are the values of one breakdown.
    """

    total: Cell
    parts: tuple[Cell, ...]
    is_partition: bool
    is_over_values: bool = False


def _index(*slices: tuple[str, str]) -> tuple[int, ...]:
    return tuple(INDEX[Slice(*s)] for s in slices)


EVERYONE: Final = INDEX[Slice("all", ALL)]
LONG: Final = INDEX[Slice("long", ALL)]
WITH_CHANGE: Final = INDEX[Slice("sentiment", ALL)]
AFFECTIVE: Final = INDEX[Slice("use", "affective")]
_LONG_LENGTHS: Final = tuple(
    n for n, (low, _) in zip(LENGTHS, LENGTH_BINS, strict=True) if low > LONG_OVER
)
_CHANGE_LENGTHS: Final = tuple(
    n for n, (low, _) in zip(LENGTHS, LENGTH_BINS, strict=True)
    if low >= MIN_MESSAGES_FOR_CHANGE
)  # fmt: skip


_SLICE_PARTITIONS: Final = (
    *(
        (EVERYONE, slices_of_facet(f.name))
        for f in FACETS
        if f.is_partition and f.share_of is ShareOf.ALL
    ),
    (EVERYONE, slices_of_facet("drift")),
    (LONG, slices_of_facet("drift_long")),
    (LONG, _index(*(("length", n) for n in _LONG_LENGTHS))),
    (WITH_CHANGE, _index(*(("length", n) for n in _CHANGE_LENGTHS))),
)
"""Slices that are sums of other slices. Each is listed with the slices that add up to it."""


def _within(facet: str) -> tuple[tuple[int, int], ...]:
    """Returns pairs of slices: a group, and the part of that group that has the facet."""
    groups = {("all", ALL): ALL, ("use", "affective"): "affective"}
    groups |= {("type", t): t for t in TYPES}
    return tuple((INDEX[Slice(*g)], INDEX[Slice(facet, name)]) for g, name in groups.items())


_CHANGED: Final = _within("sentiment")
_LONG_ONES: Final = (
    *_within("long"),
    *((i, INDEX[Slice("drift_long", s.value)]) for i, s in enumerate(SLICES) if s.facet == "drift"),
)


def _slice_subsets() -> Iterator[tuple[int, int]]:
    """Yields pairs of slices: a larger slice, and a slice within it."""
    pushback, roleplay = ("pushback", ALL), ("type", "roleplay")
    pairs = [(("all", ALL), (facet, ALL)) for facet in ("long", "sentiment", "pushback")]
    pairs += [(("use", "affective"), ("type", t)) for t in AFFECTIVE_TYPES]
    pairs += [(("all", ALL), roleplay)]
    for facet in ("long", "sentiment"):
        affective = (facet, "affective")
        pairs += [((facet, ALL), affective), (("use", "affective"), affective)]
        pairs += [(affective, (facet, t)) for t in AFFECTIVE_TYPES]
        pairs += [((facet, ALL), (facet, "roleplay"))]
        pairs += [(("type", t), (facet, t)) for t in TYPES]
    pairs += [(pushback, ("pushback", t)) for t in PUSHBACK_TYPES]
    pairs += [(("type", t), ("pushback", t)) for t in PUSHBACK_TYPES]
    pairs += [(pushback, ("pushback_reason", r)) for r in PUSHBACK_REASONS]
    others = (f for f in FACETS if f.share_of is ShareOf.ALL and not f.is_partition)
    pairs += [(("all", ALL), (f.name, v)) for f in others if f.name != "type" for v in f.values]
    # Every long conversation has enough messages for a change of mood.
    pairs += [(("sentiment", g), ("long", g)) for g in (ALL, "affective", *TYPES)]
    pairs += [(("drift", s.value), ("drift_long", s.value)) for s in SLICES if s.facet == "drift"]
    for larger, smaller in pairs:
        yield INDEX[Slice(*larger)], INDEX[Slice(*smaller)]


_SUBSETS: Final = tuple(_slice_subsets())


def relations_of(totals: DayTotals) -> Iterator[Relation]:
    """Yields every relation between the cells of a day."""
    by_value: defaultdict[tuple[int, int, int], list[Cell]] = defaultdict(list)
    by_hour: defaultdict[Cell, list[Cell]] = defaultdict(list)
    places: defaultdict[tuple[int, int, str], set[int]] = defaultdict(set)
    for cell in sorted(totals):
        places[cell.hour, cell.breakdown, cell.value].add(cell.slice_index)
        if cell.breakdown != OVERALL:
            by_value[cell.hour, cell.breakdown, cell.slice_index].append(cell)
        if cell.hour != DAY:
            by_hour[cell._replace(hour=DAY)].append(cell)
    for (hour, _, slice_index), parts in by_value.items():
        total = Cell(hour, OVERALL, ALL, slice_index)
        if SLICES[slice_index].facet == "length":
            # `overall` leaves the lengths out, because the cells of breakdown `length` show them.
            total = Cell(hour, LENGTH, SLICES[slice_index].value, EVERYONE)
        if total in totals:
            yield Relation(total, tuple(parts), True, is_over_values=True)
    for total, parts in by_hour.items():
        if total in totals:
            yield Relation(total, tuple(parts), True)
    for place, slices in places.items():
        yield from _slice_relations(place, slices)
        if place[1] == OVERALL:
            yield from _overall_lengths(totals, place[0])


def _slice_relations(place: tuple[int, int, str], slices: set[int]) -> Iterator[Relation]:
    for total, candidates in _SLICE_PARTITIONS:
        parts = tuple(Cell(*place, i) for i in candidates if i in slices)
        if total in slices and parts:
            yield Relation(Cell(*place, total), parts, True)
    for larger, smaller in _SUBSETS:
        if larger in slices and smaller in slices:
            yield Relation(Cell(*place, larger), (Cell(*place, smaller),), False)
    if place[1] == LENGTH and WITH_CHANGE in slices:
        # All conversations of this length have a change of mood, so both slices are the same set.
        for group, changed in _CHANGED:
            if changed in slices:
                yield Relation(Cell(*place, group), (Cell(*place, changed),), True)


def _overall_lengths(totals: DayTotals, hour: int) -> Iterator[Relation]:
    """Yields the relations between `length` and the long and sentiment slices of `overall`."""
    for pairs, lengths in ((_LONG_ONES, _LONG_LENGTHS), (_CHANGED, _CHANGE_LENGTHS)):
        for group, total_index in pairs:
            total = Cell(hour, OVERALL, ALL, total_index)
            cells = (Cell(hour, LENGTH, name, group) for name in lengths)
            parts = tuple(c for c in cells if c in totals)
            if total in totals and parts:
                yield Relation(total, parts, True)

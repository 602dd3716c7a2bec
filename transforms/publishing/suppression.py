"""Which cells of a day may be published: thresholds and complementary suppression. No Beam here.

A cell is safe by itself with at least `min_users` distinct users and `min_conversations`
conversations. That is not enough: where a total and all its parts but one are published, the last
part can be had by subtraction. So the cells of a day are tied by *relations*, and cells are
suppressed until none of them gives anything small away:

- *partition*: a total is the sum of its parts (a day of its hours; overall of the values of each
  breakdown; all conversations of their uses, lengths, drifts). If the total is published, the parts
  that are not must be at least two and together reach both thresholds; if it is not, not all parts
  may be published.
- *subset*: a slice within a larger one (a type among the affective, the long ones of a type). If
  both are published, the rest must be empty or reach both thresholds.

Parts are suppressed smallest first, the headline slices last. This is the usual heuristic of
statistical disclosure control (secondary cell suppression; Hundepool et al., "Statistical
Disclosure Control", 2012, chapter 4): it stops subtraction within each relation and chains of such
subtractions. It does not stop an attacker who solves several relations together (two tables that
share a margin), and so what is left is solved as he would, and more is suppressed until no small
cell comes out. Between successive versions of a cell it promises nothing: that guard belongs into
`release`, where successive versions meet.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from schemas.labels import AFFECTIVE_TYPES, NO_TYPE, PUSHBACK_REASONS, PUSHBACK_TYPES, TYPES
from transforms.conversation.summary import LONG_OVER, MIN_MESSAGES_FOR_CHANGE
from transforms.counting.cells import DAY, LENGTH, OVERALL, Cell, Sums
from transforms.counting.totals import DayTotals
from transforms.facets.facet import ALL
from transforms.facets.lengths import LENGTH_BINS, LENGTHS
from transforms.facets.registry import INDEX, SLICES, Slice

_PRIME: Final = 2**61 - 1

NOT_PUBLISHED: Final = "not_published"
"""Value of a breakdown under which the suppressed values are published together."""


@dataclass(frozen=True)
class Thresholds:
    """What a cell must have to be published.

    Attributes:
      min_users: distinct users.
      min_conversations: conversations.
    """

    min_users: int = 15
    min_conversations: int = 15

    def __post_init__(self) -> None:
        for name in ("min_users", "min_conversations"):
            value = getattr(self, name)
            if value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}; the default is 15")

    def allow(self, conversations: int, users: int) -> bool:
        """Tells whether that many are enough."""
        return conversations >= self.min_conversations and users >= self.min_users

    @property
    def are_off(self) -> bool:
        """Whether everything may be published: somebody's own conversations."""
        return self.min_users == 1 and self.min_conversations == 1


@dataclass(frozen=True, slots=True)
class _Relation:
    total: Cell
    parts: tuple[Cell, ...]
    is_partition: bool
    is_over_values: bool = False
    """Whether the parts are the values of one breakdown."""


def _index(*slices: tuple[str, str]) -> tuple[int, ...]:
    return tuple(INDEX[Slice(*s)] for s in slices)


_ALL: Final = INDEX[Slice("all", ALL)]
_LONG: Final = INDEX[Slice("long", ALL)]
_WITH_CHANGE: Final = INDEX[Slice("sentiment", ALL)]
_AFFECTIVE: Final = INDEX[Slice("use", "affective")]
_HEADLINE: Final = frozenset((_ALL, _AFFECTIVE))
_UNTYPED: Final = frozenset(
    i for i, s in enumerate(SLICES)
    if s.facet in ("drift", "drift_long") and s.value == f"{NO_TYPE}>{NO_TYPE}"
)  # fmt: skip
"""What most conversations are, and nobody asks for."""
_LONG_LENGTHS: Final = tuple(
    n for n, (low, _) in zip(LENGTHS, LENGTH_BINS, strict=True) if low > LONG_OVER
)
_CHANGE_LENGTHS: Final = tuple(
    n for n, (low, _) in zip(LENGTHS, LENGTH_BINS, strict=True)
    if low >= MIN_MESSAGES_FOR_CHANGE
)  # fmt: skip


def _facet(name: str) -> tuple[int, ...]:
    return tuple(i for i, s in enumerate(SLICES) if s.facet == name)


_SLICE_PARTITIONS: Final = (
    (_ALL, _facet("use")),
    (_ALL, _facet("drift")),
    (_LONG, _facet("drift_long")),
    (_ALL, _facet("length")),
    (_LONG, _index(*(("length", n) for n in _LONG_LENGTHS))),
    (_WITH_CHANGE, _index(*(("length", n) for n in _CHANGE_LENGTHS))),
)
"""Totals among the slices and the parts that they are the sum of."""


def _within(facet: str) -> tuple[tuple[int, int], ...]:
    """Returns (slice of a group, slice of those in the group that are of the facet)."""
    groups = {("all", ALL): ALL, ("use", "affective"): "affective"}
    groups |= {("type", t): t for t in TYPES}
    return tuple((INDEX[Slice(*g)], INDEX[Slice(facet, name)]) for g, name in groups.items())


_CHANGED: Final = _within("sentiment")
_LONG_ONES: Final = (
    *_within("long"),
    *((i, INDEX[Slice("drift_long", s.value)]) for i, s in enumerate(SLICES) if s.facet == "drift"),
)


def _slice_subsets() -> Iterator[tuple[int, int]]:
    """Yields (larger slice, slice within it)."""
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
    # Every long conversation has a change.
    pairs += [(("sentiment", g), ("long", g)) for g in (ALL, "affective", *TYPES)]
    pairs += [(("drift", s.value), ("drift_long", s.value)) for s in SLICES if s.facet == "drift"]
    for larger, smaller in pairs:
        yield INDEX[Slice(*larger)], INDEX[Slice(*smaller)]


_SUBSETS: Final = tuple(_slice_subsets())


def published_cells(totals: DayTotals, thresholds: Thresholds) -> DayTotals:
    """Returns the cells of a day that may be published, and the `not_published` remainders.

    Guarantees: depends on the totals only. Every cell returned reaches both thresholds, a remainder
    with a lower bound of its users.
    """
    # Between a retraction and its replacement a cell may hold nobody, or fewer than nobody.
    totals = DayTotals((cell, tally) for cell, tally in totals.items() if tally.conversations > 0)
    if thresholds.are_off:
        return totals
    audit = _Audit.of(totals, thresholds)
    audit.settle()
    audit.withstand()
    released = DayTotals((c, t) for c, t in totals.items() if c not in audit.suppressed)
    for relation in audit.relations:
        if relation.is_over_values and relation.total not in audit.suppressed:
            held_back = [c for c in relation.parts if c in audit.suppressed]
            if held_back:
                first = held_back[0]
                remainder = Cell(first.hour, first.breakdown, NOT_PUBLISHED, first.slice_index)
                released[remainder] = audit.remainder(relation, held_back)
    return released


def solved_by(
    rows: Iterable[dict[Cell, int]], unknown: Container[Cell]
) -> dict[Cell, dict[Cell, int]]:
    """Returns the unknowns that linear equations determine, and what each is worked out from.

    Gaussian elimination to reduced row echelon form; sparse, in integers modulo a prime of 61 bits:
    numbers stay small, and no determinant of such matrices vanishes but by negligible chance.

    Args:
      rows: for each equation the coefficients of its cells, whose sum is nought; the dicts are used
        up.
      unknown: cells whose number is not known.

    Returns:
      For each unknown determined the known cells that it is a combination of.
    """
    equations = sorted(rows, key=len)
    occurrences = Counter(cell for row in equations for cell in row if cell in unknown)
    reduced: dict[Cell, dict[Cell, int]] = {}
    holders: defaultdict[Cell, set[Cell]] = defaultdict(set)
    for row in equations:
        for cell in [cell for cell in row if cell in reduced]:
            _subtract(row, reduced[cell], row[cell])
        candidates = [cell for cell in row if cell in unknown]
        if not candidates:
            continue
        # The rarest unknown: few other equations must be rewritten, and the matrix stays sparse.
        pivot = min(candidates, key=lambda cell: (len(holders[cell]), occurrences[cell], cell))
        inverse = pow(row[pivot], -1, _PRIME)
        for cell in row:
            row[cell] = row[cell] * inverse % _PRIME
        for holder in holders.pop(pivot, ()):
            other = reduced[holder]
            _subtract(other, row, other[pivot])
            for cell in candidates:
                if cell in other:
                    holders[cell].add(holder)
                elif cell in holders:
                    holders[cell].discard(holder)
        reduced[pivot] = row
        for cell in candidates:
            if cell != pivot:
                holders[cell].add(pivot)
    return {
        pivot: {cell: times for cell, times in row.items() if cell != pivot}
        for pivot, row in reduced.items()
        if not any(cell in unknown for cell in row if cell != pivot)
    }


def _subtract(row: dict[Cell, int], other: dict[Cell, int], times: int) -> None:
    """Subtracts a multiple of another equation in place."""
    for cell, coefficient in other.items():
        left = (row.get(cell, 0) - times * coefficient) % _PRIME
        if left:
            row[cell] = left
        else:
            row.pop(cell, None)


def relations_of(totals: DayTotals) -> Iterator[tuple[Cell, tuple[Cell, ...], bool]]:
    """Yields every relation that ties cells of a day: (total, parts, is_partition)."""
    for relation in _relations(totals):
        yield relation.total, relation.parts, relation.is_partition


@dataclass
class _Audit:
    """Suppresses cells until every relation holds."""

    totals: DayTotals
    thresholds: Thresholds
    relations: Sequence[_Relation]
    relations_by_cell: dict[Cell, list[int]]
    suppressed: set[Cell] = field(default_factory=set)

    @classmethod
    def of(cls, totals: DayTotals, thresholds: Thresholds) -> _Audit:
        relations = list(_relations(totals))
        by_cell: defaultdict[Cell, list[int]] = defaultdict(list)
        for index, relation in enumerate(relations):
            for cell in (relation.total, *relation.parts):
                by_cell[cell].append(index)
        audit = cls(totals, thresholds, relations, by_cell)
        audit.suppressed = {
            c for c, t in totals.items() if not thresholds.allow(t.conversations, t.users)
        }
        return audit

    def settle(self) -> None:
        """Revisits each relation until none suppresses anything more."""
        waiting = deque(range(len(self.relations)))
        is_waiting = [True] * len(self.relations)
        while waiting:
            index = waiting.popleft()
            is_waiting[index] = False
            for cell in self._to_suppress(self.relations[index]):
                self.suppressed.add(cell)
                for tied in self.relations_by_cell[cell]:
                    if not is_waiting[tied]:
                        is_waiting[tied] = True
                        waiting.append(tied)

    def withstand(self) -> None:
        """Suppresses until the relations together determine no cell that is small.

        The elimination tells what a small cell is worked out from; the cheapest of that is
        suppressed, a round at a time. It ends, because equations without a published cell
        determine nothing.
        """
        while determined := self._determined():
            for _, known in determined:
                if not any(cell in self.suppressed for cell in known):
                    self.suppressed.add(self._cheapest(known))
            self.settle()

    def _determined(self) -> list[tuple[Cell, dict[Cell, int]]]:
        """Returns the cells below a threshold that can be worked out, each with what from.

        What follows from no published cell is nobody's number: between a retraction and its
        replacement the totals do not add up. There is nothing to hide it behind either.
        """
        rows = []
        for relation in self.relations:
            if relation.is_partition:
                row = dict.fromkeys(relation.parts, -1)
                row[relation.total] = 1
                if any(cell in self.suppressed for cell in row):
                    rows.append(row)
        return sorted(
            (cell, known)
            for cell, known in solved_by(rows, self.suppressed).items()
            if known
            and not self.thresholds.allow(self.totals[cell].conversations, self.totals[cell].users)
        )

    def remainder(self, relation: _Relation, held_back: Sequence[Cell]) -> Sums:
        """Returns the sum of parts held back, with a lower bound of their distinct users."""
        tallies = [self.totals[cell] for cell in held_back]
        published = [c for c in relation.parts if c not in self.suppressed]
        elsewhere = sum(self.totals[c].users for c in published)
        return Sums(
            sum(t.conversations for t in tallies),
            max(self.totals[relation.total].users - elsewhere, *(t.users for t in tallies), 0),
            sum(t.change for t in tallies),
            sum(t.change_squares for t in tallies),
        )

    def _to_suppress(self, relation: _Relation) -> list[Cell]:
        held_back = [c for c in relation.parts if c in self.suppressed]
        if not relation.is_partition:
            return self._of_subset(relation, held_back)
        total_is_published = relation.total not in self.suppressed
        if not held_back:
            return [] if total_is_published else [self._cheapest(relation.parts)]
        if not total_is_published:
            return []
        if len(held_back) >= 2:
            rest = self.remainder(relation, held_back)
            if self.thresholds.allow(rest.conversations, rest.users):
                return []
        published = [c for c in relation.parts if c not in self.suppressed]
        return [self._cheapest(published) if published else relation.total]

    def _of_subset(self, relation: _Relation, held_back: Sequence[Cell]) -> list[Cell]:
        if held_back or relation.total in self.suppressed:
            return []
        (part,) = relation.parts
        larger, smaller = self.totals[relation.total], self.totals[part]
        rest = larger.conversations - smaller.conversations
        if rest == 0 or self.thresholds.allow(rest, larger.users - smaller.users):
            return []
        return [part]

    def _cheapest(self, cells: Iterable[Cell]) -> Cell:
        return min(cells, key=self._cost)

    def _cost(self, cell: Cell) -> tuple[int, bool, int, Cell]:
        """Ranks cells by what the reader loses.

        Pairs without a type first, then what is said of parts of the conversations, then what is
        said of all, the headlines last; hours before days; few conversations before many.
        """
        # All conversations of a length are a headline by their other name too.
        is_length = (cell.breakdown, cell.slice_index) == (LENGTH, _WITH_CHANGE)
        if cell.slice_index in _UNTYPED:
            worth = 0
        elif cell.slice_index in _HEADLINE or is_length:
            worth = 3
        else:
            worth = 2 if cell.breakdown == OVERALL else 1
        return worth, cell.hour == DAY, self.totals[cell].conversations, cell


def _relations(totals: DayTotals) -> Iterator[_Relation]:
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
            # `overall` leaves the lengths out because the cells of breakdown `length` say them.
            total = Cell(hour, LENGTH, SLICES[slice_index].value, _ALL)
        if total in totals:
            yield _Relation(total, tuple(parts), True, is_over_values=True)
    for total, parts in by_hour.items():
        if total in totals:
            yield _Relation(total, tuple(parts), True)
    for place, slices in places.items():
        yield from _slice_relations(place, slices)
        if place[1] == OVERALL:
            yield from _overall_lengths(totals, place[0])


def _slice_relations(place: tuple[int, int, str], slices: set[int]) -> Iterator[_Relation]:
    for total, candidates in _SLICE_PARTITIONS:
        parts = tuple(Cell(*place, i) for i in candidates if i in slices)
        if total in slices and parts:
            yield _Relation(Cell(*place, total), parts, True)
    for larger, smaller in _SUBSETS:
        if larger in slices and smaller in slices:
            yield _Relation(Cell(*place, larger), (Cell(*place, smaller),), False)
    if place[1] == LENGTH and _WITH_CHANGE in slices:
        # All conversations of such a length have a change: two names of one set.
        for group, changed in _CHANGED:
            if changed in slices:
                yield _Relation(Cell(*place, group), (Cell(*place, changed),), True)


def _overall_lengths(totals: DayTotals, hour: int) -> Iterator[_Relation]:
    """Yields what ties overall's long and sentiment slices to the values of breakdown length."""
    for pairs, lengths in ((_LONG_ONES, _LONG_LENGTHS), (_CHANGED, _CHANGE_LENGTHS)):
        for group, total_index in pairs:
            total = Cell(hour, OVERALL, ALL, total_index)
            cells = (Cell(hour, LENGTH, name, group) for name in lengths)
            parts = tuple(c for c in cells if c in totals)
            if total in totals and parts:
                yield _Relation(total, parts, True)

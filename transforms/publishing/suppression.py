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

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from schemas.labels import NO_TYPE
from transforms.counting.cells import DAY, LENGTH, OVERALL, Cell, Sums
from transforms.counting.totals import DayTotals
from transforms.facets.registry import SLICES
from transforms.publishing.relations import AFFECTIVE, EVERYONE, WITH_CHANGE, Relation, relations_of
from transforms.publishing.solve import solved_by

_HEADLINE: Final = frozenset((EVERYONE, AFFECTIVE))
_UNTYPED: Final = frozenset(
    i for i, s in enumerate(SLICES)
    if s.facet in ("drift", "drift_long") and s.value == f"{NO_TYPE}>{NO_TYPE}"
)  # fmt: skip
"""What most conversations are, and nobody asks for."""

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


def published_cells(totals: DayTotals, thresholds: Thresholds) -> DayTotals:
    """Returns the cells of a day that may be published, and the `not_published` remainders.

    Guarantees: depends on the totals only. Every cell returned reaches both thresholds, a remainder
    with a lower bound of its users.
    """
    # Between a retraction and its replacement a cell may hold nobody, or fewer than nobody.
    totals = DayTotals((cell, sums) for cell, sums in totals.items() if sums.conversations > 0)
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


@dataclass
class _Audit:
    """Suppresses cells until every relation holds."""

    totals: DayTotals
    thresholds: Thresholds
    relations: Sequence[Relation]
    relations_by_cell: dict[Cell, list[int]]
    suppressed: set[Cell] = field(default_factory=set)

    @classmethod
    def of(cls, totals: DayTotals, thresholds: Thresholds) -> _Audit:
        relations = list(relations_of(totals))
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

    def remainder(self, relation: Relation, held_back: Sequence[Cell]) -> Sums:
        """Returns the sum of parts held back, with a lower bound of their distinct users."""
        withheld = [self.totals[cell] for cell in held_back]
        published = [c for c in relation.parts if c not in self.suppressed]
        elsewhere = sum(self.totals[c].users for c in published)
        return Sums(
            sum(t.conversations for t in withheld),
            max(self.totals[relation.total].users - elsewhere, *(t.users for t in withheld), 0),
            sum(t.change for t in withheld),
            sum(t.change_squares for t in withheld),
        )

    def _to_suppress(self, relation: Relation) -> list[Cell]:
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

    def _of_subset(self, relation: Relation, held_back: Sequence[Cell]) -> list[Cell]:
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
        is_length = (cell.breakdown, cell.slice_index) == (LENGTH, WITH_CHANGE)
        if cell.slice_index in _UNTYPED:
            worth = 0
        elif cell.slice_index in _HEADLINE or is_length:
            worth = 3
        else:
            worth = 2 if cell.breakdown == OVERALL else 1
        return worth, cell.hour == DAY, self.totals[cell].conversations, cell

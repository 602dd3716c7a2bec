"""Decides which cells of a day may be published: thresholds and complementary suppression.

A cell with at least `min_users` distinct users and `min_conversations` conversations is safe by
itself. That is not enough. If a total and all its parts except one are published, the last part can
be worked out by subtraction. So *relations* connect the cells of a day, and cells are suppressed
until no relation reveals a small number:

- *partition*: a total is the sum of its parts. A day is the sum of its hours. `overall` is the sum
  of the values of each breakdown. All conversations are the sum of their uses, of their lengths,
  and of their drifts. If the total is published, either all parts are published, or at least two
  parts are withheld and together reach both thresholds. If the total is withheld, at least one part
  is withheld too.
- *subset*: a slice lies within a larger one, e.g. a type within the affective conversations, or the
  long conversations of a type within the type. If both are published, the rest of the larger one
  must be empty or reach both thresholds.

The smallest parts are suppressed first and the headline slices last. This is the usual heuristic of
statistical disclosure control (secondary cell suppression; Hundepool et al., "Statistical
Disclosure Control", 2012, chapter 4). It stops subtraction within each relation, and chains of such
subtractions. It does not stop an attacker who solves several relations together, such as two tables
that share a margin. So the equations between the published cells are then solved as an attacker
would solve them, and more cells are suppressed until no small cell can be worked out.

There is no protection against comparing successive versions of a cell. Such protection would belong
in `release`, the only step that knows successive versions.

This module does not use Beam.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from transforms.counting.cells import DAY, LENGTH, OVERALL, Cell, Sums
from transforms.counting.totals import DayTotals
from transforms.facets.drift import UNTYPED
from transforms.facets.registry import SLICES
from transforms.publishing.relations import AFFECTIVE, EVERYONE, WITH_CHANGE, Relation, relations_of
from transforms.publishing.solve import solved_by

_HEADLINE: Final = frozenset((EVERYONE, AFFECTIVE))
_UNTYPED: Final = frozenset(
    i for i, s in enumerate(SLICES)
    if s.facet in ("drift", "drift_long") and s.value == UNTYPED
)  # fmt: skip
"""The drift slices without any type. They hold most conversations but are of no interest."""

NOT_PUBLISHED: Final = "not_published"
"""The value of a breakdown that stands for all suppressed values together."""


@dataclass(frozen=True)
class Thresholds:
    """The least numbers of users and conversations that a published cell must have.

    Attributes:
      min_users: the least number of distinct users.
      min_conversations: the least number of conversations.

    Raises:
      ValueError: if one of them is below 1.
    """

    min_users: int = 15
    min_conversations: int = 15

    def __post_init__(self) -> None:
        for name in ("min_users", "min_conversations"):
            value = getattr(self, name)
            if value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}; the default is 15")

    def allow(self, conversations: int, users: int) -> bool:
        """Tells whether a cell with these numbers of conversations and users may be published."""
        return conversations >= self.min_conversations and users >= self.min_users

    @property
    def are_off(self) -> bool:
        """Whether every cell may be published, e.g. if all conversations are the operator's own."""
        return self.min_users == 1 and self.min_conversations == 1


def published_cells(totals: DayTotals, thresholds: Thresholds) -> DayTotals:
    """Returns the cells of a day that may be published, and the `not_published` remainders.

    Guarantees: the result depends only on the totals and the thresholds. Every cell returned
    reaches both thresholds; the number of users of a remainder is a lower bound. If the thresholds
    are off, every cell that has a conversation is returned.
    """
    # Between a retraction and its replacement the count of a cell may be 0 or even negative.
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
    """Suppresses cells until no relation reveals a small number."""

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
        """Suppresses cells until each relation is safe by itself."""
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
        """Suppresses cells until no small cell can be worked out from all relations together.

        Gaussian elimination shows which published cells reveal a small cell. Each round suppresses
        the cheapest of them. The rounds come to an end, because nothing can be worked out from
        equations without a published cell.
        """
        while determined := self._determined():
            for _, known in determined:
                if not any(cell in self.suppressed for cell in known):
                    self.suppressed.add(self._cheapest(known))
            self.settle()

    def _determined(self) -> list[tuple[Cell, dict[Cell, int]]]:
        """Returns the cells below a threshold that can be worked out, each with its known cells.

        A number that follows without any published cell is left out, because it says nothing about
        a user: it appears when the totals do not add up, between a retraction and its replacement.
        Suppressing cells could not hide it either.
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
        """Returns the sums of the withheld parts, with a lower bound on their distinct users."""
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
        """Returns the reader's loss if a cell is suppressed. The cell with least loss goes first.

        Drift slices without a type are suppressed first, then values of breakdowns, then `overall`,
        and headline slices last. Among equals, hours are suppressed before days, and cells with few
        conversations before cells with many.
        """
        # For the longer lengths this slice contains all conversations, so it is a headline too.
        is_length = (cell.breakdown, cell.slice_index) == (LENGTH, WITH_CHANGE)
        if cell.slice_index in _UNTYPED:
            worth = 0
        elif cell.slice_index in _HEADLINE or is_length:
            worth = 3
        else:
            worth = 2 if cell.breakdown == OVERALL else 1
        return worth, cell.hour == DAY, self.totals[cell].conversations, cell

"""Computes the amounts that one conversation adds to the cells of its hour and day.

This module does not use Beam.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from schemas.breakdowns import ATTRIBUTES, BREAKDOWNS
from schemas.records import ConversationSummary
from transforms.counting.cells import DAY, DAY_US, HOUR_US, Cell, Sums
from transforms.facets.facet import ALL, Traits, traits_of
from transforms.facets.lengths import length_of
from transforms.facets.registry import SUMMING_CHANGE, slices_of

_IDS: Final = tuple(breakdown.id for breakdown in BREAKDOWNS)
_COUNTED: Final = ("overall", "length")
"""The breakdowns whose values no event states. `Profile.values` adds them after the attributes."""

_PLACES: Final = tuple((*ATTRIBUTES, *_COUNTED).index(breakdown.name) for breakdown in BREAKDOWNS)
"""For each breakdown, the index of its value among attributes and `_COUNTED`."""


class Profile(NamedTuple):
    """The facts that decide what a conversation adds to its day, small enough to keep in state.

    Attributes:
      start_us: time from the start of the day to the start of the conversation, microseconds.
      stated: the conversation's values of `ATTRIBUTES`, in that order.
      traits: the facts about the conversation that the facets may use.
      change: the conversation's change of mood in three-hundredths of a point; 0 if it is not
        defined.
      gate_logit: as in `ConversationSummary`.
    """

    start_us: int
    stated: tuple[str, ...]
    traits: Traits
    change: int
    gate_logit: int

    @property
    def hour(self) -> int:
        """Hour of the day in which the conversation started, 0..23."""
        return self.start_us // HOUR_US

    def slices(self) -> list[tuple[int, str, tuple[int, ...]]]:
        """Returns for each breakdown its id, and the conversation's value and slices."""
        return list(zip(_IDS, self.values(), slices_of(self.traits), strict=True))

    def values(self) -> tuple[str, ...]:
        """Returns the value of the conversation for each of `BREAKDOWNS`."""
        values = (*self.stated, ALL, length_of(self.traits.human_messages))
        return tuple([values[place] for place in _PLACES])

    def cells(self, key: int) -> Iterator[tuple[Cell, Sums]]:
        """Yields each cell of the conversation and the sums to add to it, except for the user.

        Args:
          key: the conversation's record key.
        """
        plain = Sums(1, 0, key, 0, 0)
        with_change = Sums(1, 0, key, self.change, self.change * self.change)
        hour = self.hour
        for breakdown, value, slices in self.slices():
            for index in slices:
                sums = with_change if index in SUMMING_CHANGE else plain
                yield Cell(DAY, breakdown, value, index), sums
                yield Cell(hour, breakdown, value, index), sums


def profile_of(summary: ConversationSummary) -> Profile:
    """Returns the profile of the conversation."""
    return Profile(
        summary.started_at_us % DAY_US,
        summary.breakdowns,
        traits_of(summary),
        summary.sentiment_change_300ths or 0,
        summary.gate_logit,
    )


def cells_without(cells: Iterable[Cell], profiles: Iterable[Profile]) -> set[Cell]:
    """Returns the cells in which none of these conversations counts."""
    left: defaultdict[tuple[int, int, str], set[int]] = defaultdict(set)
    for hour, breakdown, value, index in cells:
        left[hour, breakdown, value].add(index)
    for profile in profiles:
        if not left:
            break
        for breakdown, value, slices in profile.slices():
            for hour in (DAY, profile.hour):
                place = hour, breakdown, value
                if place in left:
                    left[place].difference_update(slices)
                    if not left[place]:
                        del left[place]
    return {Cell(*place, index) for place, indexes in left.items() for index in indexes}

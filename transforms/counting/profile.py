"""What one conversation adds to the cells of its day. No Beam here."""

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
_PLACES: Final = tuple(
    ATTRIBUTES.index(breakdown.name) if breakdown.name in ATTRIBUTES else breakdown.name
    for breakdown in BREAKDOWNS
)
"""For each breakdown the place of its stated value, or its name where no event states it."""

Place = tuple[int, int, str]
"""Hour or `DAY`, id of the breakdown and its value: a cell without its slice."""


class Profile(NamedTuple):
    """All that a conversation adds to the cells of its day: small enough to be remembered.

    Attributes:
      hour: hour of the day in which it started.
      stated: its values of `ATTRIBUTES`, in that order.
      traits: what the facets may know of it.
      change: the change of its mood in sixths of a point; 0 if it is not defined.
    """

    hour: int
    stated: tuple[str, ...]
    traits: Traits
    change: int

    def slices(self) -> Iterator[tuple[Place, tuple[int, ...]]]:
        """Yields, for each hour and breakdown, where the conversation is and its slices there."""
        by_breakdown = slices_of(self.traits)
        values = self.values()
        for hour in (DAY, self.hour):
            for breakdown, value, slices in zip(_IDS, values, by_breakdown, strict=True):
                yield (hour, breakdown, value), slices

    def values(self) -> tuple[str, ...]:
        """Returns its value of each of `BREAKDOWNS`."""
        others = {"overall": ALL, "length": length_of(self.traits.human_messages)}
        return tuple(
            self.stated[place] if isinstance(place, int) else others[place] for place in _PLACES
        )

    def cells(self) -> Iterator[tuple[Cell, Sums]]:
        """Yields every cell that the conversation counts in, with its sums, users left at 0."""
        plain = Sums(1, 0, 0, 0)
        with_change = Sums(1, 0, self.change, self.change * self.change)
        for place, slices in self.slices():
            for index in slices:
                yield Cell(*place, index), with_change if index in SUMMING_CHANGE else plain


def profile_of(summary: ConversationSummary) -> Profile:
    """Returns what the conversation adds to the cells of its day."""
    return Profile(
        summary.started_at_us % DAY_US // HOUR_US,
        summary.breakdowns,
        traits_of(summary),
        summary.sentiment_change_sixths or 0,
    )


def cells_of(summary: ConversationSummary) -> Iterator[tuple[Cell, Sums]]:
    """Yields every cell that the conversation counts in, with its sums, users left at 0."""
    return profile_of(summary).cells()


def cells_without(cells: Iterable[Cell], profiles: Iterable[Profile]) -> set[Cell]:
    """Returns those of the cells that no conversation of these profiles is in."""
    left: defaultdict[Place, set[int]] = defaultdict(set)
    for hour, breakdown, value, index in cells:
        left[hour, breakdown, value].add(index)
    for profile in profiles:
        if not left:
            break
        for place, slices in profile.slices():
            if place in left:
                left[place].difference_update(slices)
                if not left[place]:
                    del left[place]
    return {Cell(*place, index) for place, indexes in left.items() for index in indexes}

"""Limits how many values of a breakdown a publication names. The rest is added to `other`.

This module does not use Beam.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

from schemas.breakdowns import OTHER, STATED
from transforms.counting.cells import BREAKDOWN_IDS, NOTHING
from transforms.counting.places import Cells, Place, WindowCounts, add_overlapping
from transforms.facets.facet import ALL
from transforms.facets.registry import INDEX, Slice

_EVERYONE: Final = INDEX[Slice("all", ALL)]
_LIMITED: Final = frozenset(BREAKDOWN_IDS[name] for name in STATED)
"""Other breakdowns have a fixed list of values."""


def fold_values(
    counts: Mapping[Place, Cells], named: Iterable[Place], max_values: int
) -> WindowCounts:
    """Adds the values beyond the limit to the value `other` of their breakdown.

    Args:
      counts: the exact counts of a window.
      named: places that an earlier publication of the window names. They stay.
      max_values: how many values of a breakdown stay, besides `other`.

    Returns:
      The counts, as a new mapping. The values with the most users stay; of equal ones, the first by
      name. The number of users of `other` is a lower bound: the largest number that one of its
      parts has.
    """
    known = frozenset(named)
    values: defaultdict[int, list[Place]] = defaultdict(list)
    for place in counts:
        if place.breakdown in _LIMITED and place.value != OTHER:
            values[place.breakdown].append(place)
    folded = dict(counts)
    for breakdown, places in values.items():
        places.sort(key=lambda place: (place not in known, -_users(counts[place]), place.value))
        if rest := places[max_values:]:
            other = Place(breakdown, OTHER)
            parts = [folded.pop(place) for place in rest]
            folded[other] = add_overlapping([*parts, counts.get(other, {})])
    return folded


def _users(cells: Cells) -> int:
    return cells.get(_EVERYONE, NOTHING).users

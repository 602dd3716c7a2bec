"""Chooses the exact counts that a publication is made from. They are its *basis*.

A cell is in the basis if it is published. A correction replaces a cell only if its number of users
is at least `min_users` away from every number of users behind the cell's earlier publications. So
comparing two publications of a window never reveals the effect of fewer than `min_users` users.

This module does not use Beam.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from transforms.counting.cells import NOTHING, Sums
from transforms.counting.places import KEY_SPACE, Cells, Place, WindowCounts
from transforms.publishing.policy import Policy

Past = dict[tuple[Place, int], frozenset[int]]
"""The numbers of users behind the earlier publications of a cell, by place and slice. It has only
cells that a later publication replaced or left out."""

_NEVER: Final[frozenset[int]] = frozenset()
_NO_CELLS: Final[Cells] = {}


def new_basis(
    counts: Mapping[Place, Cells], basis: Mapping[Place, Cells], past: Past, policy: Policy
) -> WindowCounts:
    """Returns the basis of the next publication, sorted by place and slice.

    Args:
      counts: the exact counts, after `fold_values`.
      basis: the basis of the last publication; empty if there is none.
      past: the numbers of users behind earlier publications.
      policy: the thresholds.
    """
    found: WindowCounts = {}
    for place in sorted({*counts, *basis}):
        new, old = counts.get(place, _NO_CELLS), basis.get(place, _NO_CELLS)
        cells: Cells = {}
        for index in sorted({*new, *old}):
            times = past.get((place, index), _NEVER)
            sums = _decide(new.get(index, NOTHING), old.get(index), times, policy)
            if sums is not None:
                cells[index] = sums
        if cells:
            found[place] = cells
    return found


def _decide(new: Sums, old: Sums | None, past: frozenset[int], policy: Policy) -> Sums | None:
    wanted = new._replace(key=new.key % KEY_SPACE) if policy.allows(new) else None
    if policy.is_exact or wanted == old:
        return wanted
    if old is not None and abs(new.users - old.users) < policy.min_users:
        return old
    if wanted and any(abs(new.users - users) < policy.min_users for users in past):
        return old
    return wanted


def extended_past(past: Past, old: Mapping[Place, Cells], new: Mapping[Place, Cells]) -> Past:
    """Adds the cells of an old basis that the new one replaces or leaves out."""
    longer = dict(past)
    for place, cells in old.items():
        kept = new.get(place, _NO_CELLS)
        for index, sums in cells.items():
            if kept.get(index) != sums:
                longer[place, index] = longer.get((place, index), _NEVER) | {sums.users}
    return longer

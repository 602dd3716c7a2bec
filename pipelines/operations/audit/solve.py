"""Estimates all cells of a system at once: by least squares, and by bounds.

One relation after the other tightens the bounds, until none gets tighter. That finds most of what
linear programming finds, in a fraction of the time and without SciPy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from pipelines.operations.audit.system import Equation, Flags, Floats, Indexes, System
from transforms.publishing.relations import Sense

NO_BOUND: Final = 1e9
_MOST_ROUNDS: Final = 50
_MOST_STEPS: Final = 2000
_PRECISION: Final = 1e-6
_UNINFORMED: Final = 1e5
"""Variance of a number that nothing is known about."""
_REPEATED: Final = 1e3
"""Variance of a number that repeats another. It is so large that the number hardly counts."""


class Prior(NamedTuple):
    """What an attacker expects of an unpublished cell before the computation.

    Attributes:
      mean: the mean of such cells.
      variance: their variance.
    """

    mean: float
    variance: float


NO_PRIOR: Final = Prior(0.0, _UNINFORMED)


class Rows(NamedTuple):
    """Equations in arrays, one entry for each cell of each equation.

    Attributes:
      row, column: int64, the equation and the cell.
      sign: float64, 1 for a part and -1 for the total.
      size: number of equations.
    """

    row: Indexes
    column: Indexes
    sign: Floats
    size: int


def rows_of(equations: Sequence[Equation]) -> Rows:
    """Puts equations into arrays."""
    lengths = np.array([1 + len(e.parts) for e in equations], np.int64)
    columns = [c for e in equations for c in (e.total, *e.parts)]
    signs = np.ones(len(columns))
    signs[np.cumsum(lengths) - lengths] = -1.0
    return Rows(
        np.repeat(np.arange(len(equations)), lengths),
        np.array(columns, np.int64),
        signs,
        len(equations),
    )


def least_squares(system: System, prior: Prior = NO_PRIOR) -> Floats:
    """Returns the most likely number of every cell, float64 [n].

    Each published number is taken to have normal noise with the policy's variance. The equations
    hold exactly. The result is the mean of that normal distribution, conditional on the equations.
    """
    unpublished = system.unpublished()
    mean = np.where(unpublished, prior.mean, system.published)
    variance = np.where(unpublished, prior.variance, max(system.variance, 1e-3))
    variance[_repeating(system)] = _REPEATED
    rows = rows_of([e for e in system.equations if e.sense is Sense.EQUAL])
    if not rows.size:
        return mean
    multipliers = _conjugate_gradients(rows, variance, _times(rows, mean))
    moved: Floats = mean - variance * _transposed(rows, multipliers, len(mean))
    return moved


def _times(rows: Rows, values: Floats) -> Floats:
    sums: Floats = np.bincount(rows.row, rows.sign * values[rows.column], rows.size).astype(float)
    return sums


def _transposed(rows: Rows, values: Floats, cells: int) -> Floats:
    sums: Floats = np.bincount(rows.column, rows.sign * values[rows.row], cells).astype(float)
    return sums


def _conjugate_gradients(rows: Rows, variance: Floats, wanted: Floats) -> Floats:
    """Solves (A V A') x = b, where A are the equations and V the variances.

    Redundant equations make the matrix singular, but a solution exists, so the method converges.
    """
    diagonal = np.bincount(rows.row, variance[rows.column], rows.size)
    solution = np.zeros(rows.size)
    residual = wanted.copy()
    scaled = residual / diagonal
    direction = scaled.copy()
    product = float(residual @ scaled)
    limit = _PRECISION * max(product, 1e-30)
    for _ in range(_MOST_STEPS):
        if product <= limit * _PRECISION:
            break
        image = _times(rows, variance * _transposed(rows, direction, len(variance)))
        step = product / float(direction @ image)
        solution += step * direction
        residual -= step * image
        scaled = residual / diagonal
        product, before = float(residual @ scaled), product
        direction = scaled + product / before * direction
    return solution


def _repeating(system: System) -> Flags:
    """Returns the published cells that have the same conversations as an earlier one.

    They also have the same noise, so they are not further measurements.
    """
    leader = list(range(len(system.cells)))

    def find(cell: int) -> int:
        while leader[cell] != cell:
            leader[cell] = leader[leader[cell]]
            cell = leader[cell]
        return cell

    for equation in system.equations:
        if equation.sense is Sense.EQUAL and len(equation.parts) == 1:
            leader[find(equation.total)] = find(equation.parts[0])
    repeating = np.zeros(len(leader), np.bool_)
    seen: set[int] = set()
    for cell in np.flatnonzero(~system.unpublished()).tolist():
        first = find(cell)
        repeating[cell] = first in seen
        seen.add(first)
    return repeating


class Bounds(NamedTuple):
    """The smallest and the largest possible number of each cell, float64 [n]."""

    low: Floats
    high: Floats

    def pinned(self) -> Flags:
        """Returns which cells have only one possible number."""
        pinned: Flags = self.low == self.high
        return pinned


def bounds(system: System) -> Bounds:
    """Returns bounds of every cell that follow from noise, thresholds and relations.

    Bounds that contradict each other are dropped. They occur because the relations do not hold
    exactly between cells that were corrected at different times.
    """
    unpublished = system.unpublished()
    low = np.where(unpublished, 1.0, np.maximum(system.published - system.max_noise, system.least))
    high = np.where(unpublished, NO_BOUND, system.published + system.max_noise)
    senses = {sense: rows_of([e for e in system.equations if e.sense is sense]) for sense in Sense}
    for _ in range(_MOST_ROUNDS):
        before = low.copy(), high.copy()
        for sense, rows in senses.items():
            if rows.size:
                _tighten(rows, sense, low, high)
        broken = low > high
        low[broken], high[broken] = 1.0, NO_BOUND
        if np.array_equal(before[0], low) and np.array_equal(before[1], high):
            break
    return Bounds(low, high)


def _tighten(rows: Rows, sense: Sense, low: Floats, high: Floats) -> None:
    """Tightens the bounds by each relation, in place."""
    is_total = rows.sign < 0
    total = rows.column[is_total]
    part, owner = rows.column[~is_total], rows.row[~is_total]
    parts_low = np.bincount(owner, low[part], rows.size)
    parts_high = np.bincount(owner, high[part], rows.size)
    if sense is not Sense.COVER:
        np.maximum.at(low, total, parts_low)
        room = high[total][owner] - (parts_low[owner] - low[part])
        np.minimum.at(high, part, np.where(high[total][owner] < NO_BOUND, room, NO_BOUND))
    if sense is not Sense.AT_MOST:
        np.minimum.at(high, total, np.where(parts_high < NO_BOUND, parts_high, NO_BOUND))
        others = parts_high[owner] - high[part]
        known = others < NO_BOUND
        np.maximum.at(low, part[known], low[total][owner][known] - others[known])

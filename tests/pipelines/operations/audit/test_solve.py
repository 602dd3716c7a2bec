"""Tests of the solvers, against SciPy and by hand."""

from __future__ import annotations

import random

import numpy as np
import pytest
from scipy.optimize import linprog

from pipelines.operations.audit.solve import NO_BOUND, bounds, least_squares, rows_of
from pipelines.operations.audit.system import SLICES_FAMILY, Cell, Equation, System, system_of
from tests.pipelines.operations.audit.builders import busy, day
from transforms.counting.places import Place
from transforms.counting.windows import hour_of
from transforms.publishing.relations import Sense


def system(published: list[float | None], *equations: Equation) -> System:
    """Builds a system of numbered cells; None is not published."""
    cells = [Cell(hour_of(0), Place(0, "all"), number) for number in range(len(published))]
    numbers = np.array([np.nan if p is None else p for p in published])
    return System(cells, numbers, np.zeros(len(cells), np.int64), equations, 4.0, 5, 15)


def equation(total: int, *parts: int, sense: Sense = Sense.EQUAL) -> Equation:
    """Builds an equation between numbered cells."""
    return Equation(total, parts, sense, SLICES_FAMILY)


def test_a_missing_part_is_the_rest_of_the_total() -> None:
    """Least squares subtracts the known parts from the total."""
    found = least_squares(system([50, 30, None], equation(0, 1, 2)))
    assert found[2] == pytest.approx(20, abs=0.01)


def test_noise_is_shared_among_the_published_numbers() -> None:
    """Three numbers that should add up, but do not, move by the same amount."""
    found = least_squares(system([53, 30, 20], equation(0, 1, 2)))
    assert found == pytest.approx([52, 31, 21])


def test_a_number_that_repeats_another_is_not_a_second_measurement() -> None:
    """Two names of the same conversations have the same noise, so both count as one number."""
    found = least_squares(system([53, 53, 30, 20], equation(0, 1), equation(0, 2, 3)))
    assert found == pytest.approx([52, 52, 31, 21], abs=0.02)


def test_bounds_follow_from_noise_and_thresholds() -> None:
    """A rest lies between the extremes that the noise of total and part allows."""
    found = bounds(system([50, 40, None], equation(0, 1, 2)))
    assert (found.low[2], found.high[2]) == (1, 20)
    pinned = bounds(system([11, 20, None], equation(0, 1, 2)))
    assert (pinned.low[2], pinned.high[2]) == (1, 1)


def test_contradictory_bounds_are_given_up() -> None:
    """A total that was not corrected with its part says nothing."""
    found = bounds(system([20, 60], equation(0, 1)))
    assert (found.low <= found.high).all()


def test_bounds_are_not_tighter_than_those_of_linear_programming() -> None:
    """Bounds from single relations never exclude what linear programming allows."""
    known = system_of({day().window: day()}, busy().counts)
    found = bounds(known)
    unpublished = np.flatnonzero(known.unpublished() & (found.high < NO_BOUND))
    chosen = random.Random(0).sample(unpublished.tolist(), 12)
    equal = _matrix(known, Sense.EQUAL)
    most = np.vstack([_matrix(known, Sense.AT_MOST), -_matrix(known, Sense.COVER)])
    start = bounds(known._replace(equations=()))
    limits = [*zip(start.low, start.high, strict=True)]
    for cell in chosen:
        for sign, bound in ((1, found.low[cell]), (-1, found.high[cell])):
            goal = np.zeros(len(known.cells))
            goal[cell] = sign
            solved = linprog(goal, most, np.zeros(len(most)), equal, np.zeros(len(equal)), limits)
            assert solved.status == 0
            assert sign * (solved.x[cell] - bound) >= -1e-6


def _matrix(known: System, sense: Sense) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    rows = rows_of([e for e in known.equations if e.sense is sense])
    matrix = np.zeros((rows.size, len(known.cells)))
    np.add.at(matrix, (rows.row, rows.column), rows.sign)
    return matrix

"""Tests the mean change of mood: against a library, and against simulated changes with noise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tests.transforms.estimation.simulation import (
    DRAWS,
    LEAST_COVERAGE,
    VARIANCE,
    Counts,
    coverage,
    noisy,
)
from transforms.estimation.means import Mean, mean_change
from transforms.publishing.noise import Purpose


def drawn_changes(random: np.random.Generator, size: int, spread: float) -> Counts:
    """Draws changes around 0.05 points, int64 (DRAWS, size), in three-hundredths of a point."""
    changes = random.normal(0.05, spread, (DRAWS, size)).clip(-2, 2)
    in_units: Counts = np.rint(changes * 300).astype(np.int64)
    return in_units


@pytest.mark.parametrize("size", [15, 60, 400, 3000])
@pytest.mark.parametrize("spread", [0.1, 0.4])
def test_it_covers_chance_and_noise(size: int, spread: float) -> None:
    """93 % of the intervals contain the mean from which changes and noise were drawn."""
    random = np.random.default_rng(size)
    changes, counts = drawn_changes(random, size, spread), np.full(DRAWS, size)
    found = mean_change(
        noisy(random, counts),
        noisy(random, changes.sum(axis=1), counts, Purpose.CHANGE),
        noisy(random, (changes**2).sum(axis=1), counts, Purpose.CHANGE_SQUARES),
        VARIANCE,
    )
    assert coverage(found, 0.05) >= LEAST_COVERAGE


@pytest.mark.parametrize("size", [15, 100])
def test_it_covers_chance_alone(size: int) -> None:
    """The same is true of exact sums."""
    changes = drawn_changes(np.random.default_rng(size), size, 0.3)
    sums = (changes.sum(axis=1).astype(float), (changes**2).sum(axis=1).astype(float))
    assert coverage(mean_change(np.full(DRAWS, float(size)), *sums, 0.0), 0.05) >= LEAST_COVERAGE


def mean_of(conversations: int, change: int, squares: int, variance: float) -> Mean:
    """Returns the mean of one cell."""
    counts, sums, powers = (np.array([float(n)]) for n in (conversations, change, squares))
    return mean_change(counts, sums, powers, variance)


def test_without_noise_it_is_the_normal_interval() -> None:
    """From many exact changes, mean and interval are those of SciPy's normal distribution."""
    changes = drawn_changes(np.random.default_rng(2), 5000, 0.5)[0]
    found = mean_of(5000, changes.sum(), (changes**2).sum(), 0.0)
    points = changes / 300
    wanted = stats.norm.interval(0.95, points.mean(), stats.sem(points))
    assert found.mean[0] == pytest.approx(points.mean())
    assert (found.low[0], found.high[0]) == pytest.approx(wanted, abs=1e-5)


def test_equal_changes_have_an_interval() -> None:
    """If nobody's mood changed, the interval is not 0 to 0."""
    found = mean_of(40, 0, 0, 0.0)
    assert found.mean[0] == 0
    assert -0.1 < found.low[0] < 0 < found.high[0] < 0.1


@given(
    st.integers(1, 10**6), st.integers(-(10**7), 10**7), st.integers(-(10**8), 10**12),
    st.sampled_from([0.0, 4.0, 50.0]),
)  # fmt: skip
def test_noise_never_makes_it_absurd(
    conversations: int, change: int, squares: int, variance: float
) -> None:
    """Whatever the sums, the interval contains the mean, has a width, and is on the scale."""
    mean, low, high = (values[0] for values in mean_of(conversations, change, squares, variance))
    assert -2 <= low <= mean <= high <= 2
    assert low < high

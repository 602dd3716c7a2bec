"""Tests the intervals of raw shares: against a library, and against simulated counts with noise."""

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
    coverage,
    noisy,
)
from transforms.estimation.proportions import (
    Floats,
    Interval,
    quotient_noise,
    score_interval,
    within,
)


def array(*values: float) -> Floats:
    """Returns the values as an array."""
    return np.array(values, np.float64)


def interval(part: float, whole: float, variance: float, summands: int = 0) -> Interval:
    """Returns the share and its interval."""
    noise = quotient_noise(variance, array(summands))
    return score_interval(array(part), array(whole), noise)


@pytest.mark.parametrize(
    ("part", "whole"), [(0, 1), (1, 1), (0, 40), (3, 40), (40, 40), (17, 9000)]
)
def test_without_noise_it_is_wilsons_interval(part: int, whole: int) -> None:
    """Exact counts have the interval that SciPy gives."""
    share, low, high = interval(part, whole, 0.0)
    wilson = stats.binomtest(part, whole).proportion_ci(method="wilson")
    assert share[0] == part / whole
    assert (low[0], high[0]) == pytest.approx((wilson.low, wilson.high), abs=1e-6)


@pytest.mark.parametrize("summands", [0, 3])
def test_the_ends_are_as_far_away_as_their_own_errors_allow(summands: int) -> None:
    """Each end differs from the share by 1.96 standard errors of chance and noise at that end."""
    found, whole = interval(30, 90, VARIANCE, summands), array(90)
    noise = quotient_noise(VARIANCE, array(summands))
    for end in (found.low, found.high):
        error = np.sqrt(end * (1 - end) / whole + noise.variance(end, whole))
        assert abs(found.share - end) == pytest.approx(1.959964 * error)


@pytest.mark.parametrize("size", [150, 1000, 20_000])
@pytest.mark.parametrize("truth", [0.02, 0.1, 0.5, 0.9])
def test_it_covers_chance_and_noise(size: int, truth: float) -> None:
    """93 % of the intervals contain the share from which conversations and noise were drawn."""
    random = np.random.default_rng(size)
    parts = random.binomial(size, truth, DRAWS)
    wholes = noisy(random, np.full(DRAWS, size))
    found = score_interval(noisy(random, parts), wholes, quotient_noise(VARIANCE, np.zeros(DRAWS)))
    assert coverage(found, truth) >= LEAST_COVERAGE


@pytest.mark.parametrize("size", [300, 5000])
def test_it_covers_the_parts_of_a_sum(size: int) -> None:
    """The same is true if the whole is the sum of the published parts, as for uses and drifts."""
    random = np.random.default_rng(size)
    truth = (0.5, 0.2, 0.1, 0.1, 0.1)
    parts = noisy(random, random.multinomial(size, truth, DRAWS))
    noise = quotient_noise(VARIANCE, np.array(5.0))
    found = score_interval(parts, parts.sum(axis=1, keepdims=True), noise)
    for index, share in enumerate(truth):
        one = Interval(*(values[:, index] for values in found))
        assert coverage(one, share) >= LEAST_COVERAGE


@pytest.mark.parametrize("summands", [0, 4])
def test_the_variance_by_noise_is_that_of_simulated_noise(summands: int) -> None:
    """The noise of a quotient is smaller in a sum of counts that contains the part."""
    random, counts = np.random.default_rng(6), (150, 20, 20, 10)
    parts = noisy(random, np.tile(counts, (100_000, 1)))
    whole = parts.sum(axis=1) if summands else noisy(random, np.full(100_000, 200))
    found = quotient_noise(VARIANCE, array(summands)).variance(array(0.75), array(200))
    assert found[0] == pytest.approx((parts[:, 0] / whole).var(), rel=0.03)


def test_noise_is_needed_to_cover() -> None:
    """The interval of a small share is too narrow if it does not contain the noise."""
    random = np.random.default_rng(5)
    parts, wholes = random.binomial(2000, 0.01, DRAWS), np.full(DRAWS, 2000)
    noise_free = quotient_noise(0.0, np.zeros(DRAWS))
    found = score_interval(noisy(random, parts), noisy(random, wholes), noise_free)
    assert coverage(found, 0.01) < LEAST_COVERAGE


@given(
    st.integers(0, 10**6), st.integers(1, 10**6), st.sampled_from([0.0, 1.0, 4.0, 50.0]),
    st.integers(0, 10),
)  # fmt: skip
def test_an_interval_contains_its_share_and_has_a_width(
    part: int, whole: int, variance: float, summands: int
) -> None:
    """Whatever the counts, the interval is within [0, 1], is never a point, and has the share."""
    share, low, high = interval(part, whole, variance, summands)
    assert 0 <= low <= share <= high <= 1
    assert low < high


def test_a_share_outside_takes_its_interval_along() -> None:
    """A share below 0 becomes 0, and its interval keeps the width above it."""
    found = within(Interval(array(-0.3, 0.5, 1.2), array(-0.5, 0.4, 1.1), array(-0.1, 0.7, 1.4)))
    assert found.share.tolist() == [0, 0.5, 1]
    assert found.low.tolist() == pytest.approx([0, 0.4, 0.9])
    assert found.high.tolist() == pytest.approx([0.2, 0.7, 1])

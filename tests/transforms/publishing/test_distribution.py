"""Tests the distribution of the noise."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.publishing.distribution import SCALE, cumulative, feasible_variance


def chances_of(least: int, most: int, variance: float) -> dict[int, float]:
    """Returns the probability of each noise."""
    sums = (0, *cumulative(least, most, variance))
    parts = [(high - low) / SCALE for low, high in pairwise(sums)]
    return dict(zip(range(-least, most + 1), parts, strict=True))


@settings(deadline=None)
@given(st.data())
def test_noise_has_mean_0_and_the_variance_asked_for(data: st.DataObject) -> None:
    """Each size has noise of mean 0 and of the variance asked for, or else the most it can have."""
    most = data.draw(st.integers(1, 12))
    size = data.draw(st.integers(0, 15))
    variance = data.draw(st.floats(0, most * (most + 1) / 3).map(lambda v: round(v, 3)))
    chances = chances_of(min(size, most), most, variance)
    assert math.isclose(sum(e * p for e, p in chances.items()), 0, abs_tol=1e-7)
    squares = sum(e * e * p for e, p in chances.items())
    assert math.isclose(squares, feasible_variance(size, variance, most), abs_tol=1e-6)
    assert min(chances.values()) >= 0


@settings(deadline=None)
@given(st.integers(1, 8), st.integers(1, 8), st.floats(0.1, 0.9))
def test_no_other_noise_with_these_moments_has_more_entropy(
    least: int, most: int, part: float
) -> None:
    """The log of the probability is a quadratic: its third differences are 0."""
    chances = chances_of(least, most, round(part * least * most, 3))
    if min(chances.values()) > 1e-5:
        logs = [math.log(p) for p in chances.values()]
        for _ in range(3):
            logs = [high - low for low, high in pairwise(logs)]
        assert logs == pytest.approx([0.0] * len(logs), abs=1e-3)


def test_the_default_noise_never_changes() -> None:
    """These are the thresholds of the default policy; others would change published numbers."""
    assert cumulative(5, 5, 4.0) == (
        44160075, 171520825, 461801345, 984650813, 1728888976, 2566078320,
        3310316483, 3833165951, 4123446471, 4250807221, 4294967296,
    )  # fmt: skip


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 100])
def test_the_default_variance_is_feasible_for_every_count(size: int) -> None:
    """With the default policy, noise on any count has the variance 4."""
    assert feasible_variance(size, 4.0, 5) == 4.0


def test_a_variance_too_large_gives_the_two_ends() -> None:
    """A count of 1 with noise of up to 5 becomes 0 or 6 if it can't have the variance."""
    assert feasible_variance(1, 10.0, 5) == 5.0
    assert chances_of(1, 5, 10.0) == pytest.approx(
        {-1: 5 / 6, 0: 0, 1: 0, 2: 0, 3: 0, 4: 0, 5: 1 / 6}
    )

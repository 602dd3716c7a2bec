"""Tests how the judgements of a week serve each day."""

from __future__ import annotations

import numpy as np
import pytest

from tests.transforms.estimation.judged_windows import Window, window
from transforms.estimation.difference.moments import add, moments_of, zero
from transforms.estimation.judged import judged_share
from transforms.estimation.pooling import Day, pool_shares

DRAWS = 40


def week(random: np.random.Generator, shift: float = 0.0) -> list[Window]:
    """Draws a week; on its last three days, more is affective and less of it is found."""
    return [
        window(random, 4_000, 0.03 * (1 + shift), 4.7 - shift * (day > 3), -1.3) for day in range(7)
    ]


def judged(random: np.random.Generator, days: list[Window], number: int = 150) -> list[Day]:
    """Samples each day."""
    return [Day(moments_of(day.poisson(random, number)), day.known) for day in days]


def test_a_single_day_is_not_pooled() -> None:
    """One day alone has the same figures as without pooling, and no test for drift."""
    random = np.random.default_rng(1)
    one = window(random)
    sample = one.poisson(random, 200)
    found = pool_shares([Day(moments_of(sample), one.known)])
    np.testing.assert_allclose(found.days[0], judged_share(sample, one.known), rtol=1e-9)
    assert np.isnan(found.drift[0])
    assert found.own[0, 0] == 1


@pytest.mark.parametrize("shift", [0.0, 0.7, 2.0])
def test_days_keep_their_level(shift: float) -> None:
    """Each day's interval covers its share, whether traffic shifts within the week or not."""
    random = np.random.default_rng(2)
    inside, number = 0, 0
    for _ in range(DRAWS):
        days = week(random, shift)
        found = pool_shares(judged(random, days)).days
        for one, (_, low, high) in zip(days, found, strict=True):
            inside += bool(low[0] <= one.share <= high[0])
            number += 1
    assert inside / number >= 0.925


def test_steady_days_gain() -> None:
    """Without drift, the other days make intervals at least a fifth shorter."""
    random = np.random.default_rng(3)
    pooled, alone = [], []
    for _ in range(20):
        days = judged(random, week(random))
        found = pool_shares(days)
        if found.drift[0] >= 0.05:
            pooled += [one.high - one.low for one in found.days]
            alone += [one.high - one.low for day in days for one in pool_shares([day]).days]
    assert np.mean(pooled) < 0.8 * np.mean(alone)


def test_drift_is_found() -> None:
    """A strong shift is found in most weeks, and steady weeks seldom look like one."""
    random = np.random.default_rng(4)
    found = []
    for shift in (0.0, 2.5):
        weeks = [judged(random, week(random, shift), 600) for _ in range(30)]
        found.append(np.mean([pool_shares(days).drift[0] < 0.05 for days in weeks]))
    assert found[0] <= 0.14
    assert found[1] >= 0.5


def test_a_day_without_judgements_is_served() -> None:
    """A day on which nothing was judged has an estimate from the others."""
    random = np.random.default_rng(5)
    days = judged(random, week(random))
    days[2] = days[2]._replace(moments=zero(1))
    found = pool_shares(days).days[2]
    assert 0 < found.low[0] < found.estimate[0] < found.high[0] < 0.2


def test_moments_add_up() -> None:
    """The moments of a sample are the sum of those of its parts; nothing judged adds nothing."""
    random = np.random.default_rng(6)
    sample = window(random).poisson(random, 300)
    parts = [
        type(sample)(*(values[rows] for values in sample)) for rows in (slice(90), slice(90, None))
    ]
    both = add(moments_of(parts[0]), moments_of(parts[1]))
    for values, expected in zip(add(both, zero(1)), moments_of(sample), strict=True):
        np.testing.assert_allclose(values, expected, rtol=1e-9)


def test_no_days_are_refused() -> None:
    """There must be at least one day."""
    with pytest.raises(ValueError, match="days must not be empty"):
        pool_shares([])

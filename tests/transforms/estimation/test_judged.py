"""Tests judged shares and means: exact cases, simulated coverage, and another package."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tests.transforms.estimation.judged_windows import Window, window
from transforms.estimation.difference.equation import Known
from transforms.estimation.difference.moments import Sample
from transforms.estimation.judged import Judged, judged_mean, judged_share
from transforms.estimation.proportions import Z, quotient_noise, score_interval
from transforms.judging.conversations import MIN_JUDGED

LEAST_COVERAGE = 0.917
"""The bar is 93 %, less one standard error of 400 draws."""
DRAWS = 400
NOT_PUBLISHED = Known(np.array([np.nan]), np.array([np.nan]))


def coverage(one: Window, found: list[Judged]) -> float:
    """Returns how often the interval contains the true share."""
    return float(np.mean([low[0] <= one.share <= high[0] for _, low, high in found]))


def sample_of(truth: list[int], probability: float, said: int = 0) -> Sample:
    """Returns conversations of equal probability about which the classifier says the same."""
    part = np.array(truth, np.float64)[:, None]
    one = np.ones_like(part)
    return Sample(np.full(len(truth), probability), part, said * one, one, one)


def nothing_said(sample: Sample) -> Known:
    """Returns the counts if the classifier puts nothing in the part."""
    return Known(np.zeros(1), np.array([(1 / sample.probability).sum()]))


def test_a_census_gives_the_truth() -> None:
    """If every conversation is judged, the interval is the true share."""
    one = window(np.random.default_rng(1), 500)
    found = judged_share(one.sample(np.arange(500), np.ones(500)), one.known)
    np.testing.assert_allclose([x[0] for x in found], one.share, atol=1e-12)


def test_a_classifier_that_says_nothing_does_no_harm() -> None:
    """If the classifier says the same of all, the estimate is the weighted share of the sample."""
    for said in (0, 1):
        known = Known(np.array([1000.0 * said]), np.array([1000.0]))
        found = judged_share(sample_of([1] * 5 + [0] * 45, 0.05, said), known)
        assert found.estimate[0] == pytest.approx(0.1)


def test_a_useless_classifier_is_hardly_trusted() -> None:
    """Decisions by chance widen the interval by at most 3 % compared with none."""
    random = np.random.default_rng(2)
    one = window(random, 20_000)
    useless = one._replace(said=(random.random(20_000) < 0.1).astype(np.float64))
    widths = []
    for each in (useless, one._replace(said=np.zeros(20_000))):
        drawn = [
            judged_share(each.poisson(np.random.default_rng(i), 500), each.known) for i in range(50)
        ]
        widths.append(np.mean([found.high - found.low for found in drawn]))
    assert widths[0] < 1.03 * widths[1]


def test_unknown_counts_leave_the_weighted_share() -> None:
    """If the counts are not published, the estimate is Hájek's."""
    random = np.random.default_rng(3)
    sample = window(random).poisson(random, 300)
    found = judged_share(sample, NOT_PUBLISHED)
    weights = 1 / sample.probability
    assert found.estimate[0] == pytest.approx((weights @ sample.part)[0] / weights.sum())


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(60)))
def test_order_does_not_matter(rows: list[int]) -> None:
    """The same sample in another order gives the same figures, but for rounding."""
    random = np.random.default_rng(4)
    one = window(random, 2_000)
    sample = Sample(*(values[:60] for values in one.poisson(random, 150)))
    shuffled = Sample(*(values[rows] for values in sample))
    before, after = judged_share(sample, one.known), judged_share(shuffled, one.known)
    np.testing.assert_allclose(before, after, rtol=1e-9)


@pytest.mark.parametrize("part", [0, 1, 3, 10])
def test_equal_weights_give_nearly_exact_limits(part: int) -> None:
    """Where few of many are in the part, the limits are near those of Clopper and Pearson."""
    sample = sample_of([1] * part + [0] * (400 - part), 1e-4)
    found = judged_share(sample, nothing_said(sample))
    exact = stats.binomtest(part, 400).proportion_ci(method="exact")
    assert found.low[0] == pytest.approx(exact.low, rel=0.15, abs=1e-4)
    assert found.high[0] == pytest.approx(exact.high, rel=0.08)


def test_nothing_found_is_not_nothing_there() -> None:
    """If the judge finds nothing, the interval still reaches above 0."""
    sample = sample_of([0] * 300, 0.01)
    found = judged_share(sample, nothing_said(sample))
    assert found.estimate[0] == found.low[0] == 0
    assert found.high[0] == pytest.approx(3.69 / 300, rel=0.05)


def test_everything_found_is_not_everything() -> None:
    """If the judge puts all in the part, the interval reaches below 1."""
    sample = sample_of([1] * 300, 0.01)
    found = judged_share(sample, nothing_said(sample))
    assert found.estimate[0] == found.high[0] == 1
    assert 0.97 < found.low[0] < 0.995


def test_too_few_judgements_give_no_share() -> None:
    """There is no estimate with fewer than `MIN_JUDGED` judgements, or with none."""
    for number in (0, MIN_JUDGED - 1):
        found = judged_share(sample_of([0] * number, 0.5), NOT_PUBLISHED)
        assert all(np.isnan(values[0]) for values in found)


@pytest.mark.parametrize("probability", [0.0, -0.1, 1.1, np.nan])
def test_it_refuses_impossible_probabilities(probability: float) -> None:
    """A probability must be above 0 and at most 1."""
    with pytest.raises(ValueError, match=r"probability must be in \(0, 1\]"):
        judged_share(sample_of([0, 1], probability), NOT_PUBLISHED)


@pytest.mark.parametrize(
    ("share", "gap", "threshold", "judgements"),
    [
        (0.01, 4.7, -1.3, 200),
        (0.03, 4.7, -1.3, 500),
        (0.03, 1.5, -2.8, 500),
        (0.03, 4.7, 1.0, 200),
        (0.10, 4.7, -1.3, 1000),
    ],
)
def test_it_covers_the_truth_without_bias(
    share: float, gap: float, threshold: float, judgements: int
) -> None:
    """The interval keeps its level for good, bad and one-sided classifiers."""
    random = np.random.default_rng(int(1e4 * share) + judgements)
    one = window(random, 20_000, share, gap, threshold)
    found = [judged_share(one.poisson(random, judgements), one.known) for _ in range(DRAWS)]
    errors = np.array([each.estimate[0] for each in found]) - one.share
    assert coverage(one, found) >= LEAST_COVERAGE
    assert abs(errors.mean()) < 3.5 * errors.std() / DRAWS**0.5


def test_it_is_narrower_than_a_plain_sample() -> None:
    """With a good gate, the interval is at most 0.6 as wide as that of a plain random sample."""
    random = np.random.default_rng(6)
    one = window(random, 20_000)
    widths = [
        np.diff(judged_share(one.poisson(random, 500), one.known)[1:], axis=0) for _ in range(50)
    ]
    found = [one.plain(random, 500).part.sum() for _ in range(50)]
    plain = score_interval(np.array(found), np.full(50, 500.0), quotient_noise(0.0, np.ones(50)))
    assert np.mean(widths) < 0.6 * np.mean(plain.high - plain.low)


def test_noise_widens_the_interval() -> None:
    """If the published counts are noisy, the interval is wider."""
    random = np.random.default_rng(7)
    one = window(random, 1_000)
    sample = one.poisson(random, 200)
    exact = judged_share(sample, one.known)
    noisy = judged_share(sample, one.known._replace(part_variance=400.0, whole_variance=400.0))
    assert noisy.high - noisy.low > exact.high - exact.low


def test_as_a_sample_the_interval_is_wider() -> None:
    """The chance that brought these conversations adds the variance p (1 - p) / n."""
    one = window(np.random.default_rng(8), 5_000)
    census = one.sample(np.arange(5_000), np.ones(5_000))
    found = judged_share(census, one.known, as_sample=True)
    error = (one.share * (1 - one.share) / 5_000) ** 0.5
    assert found.high[0] - found.low[0] == pytest.approx(2 * Z * error, rel=0.02)


def test_a_mean_covers_the_truth() -> None:
    """The interval of the mean change keeps its level with a helpful classifier."""
    random = np.random.default_rng(9)
    one = window(random, 10_000)
    change = random.normal(0.05, 0.3, 10_000) + 0.2 * one.truth
    said = 0.6 * change + random.normal(0, 0.2, 10_000)
    known = Known(np.array([said.sum()]), np.array([10_000.0]))
    inside = 0
    for _ in range(DRAWS):
        chance = np.minimum(1.0, one.weights * 300 / one.weights.sum())
        rows = np.flatnonzero(random.random(10_000) < chance)
        columns = (change[rows, None], said[rows, None], np.ones((len(rows), 1)))
        found = judged_mean(Sample(chance[rows], *columns, columns[2]), known)
        inside += bool(found.low[0] <= change.mean() <= found.high[0])
    assert inside / DRAWS >= LEAST_COVERAGE

"""Tests the rates of the classifier on this traffic, the judge's errors, and planning."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

from tests.transforms.estimation.judged_windows import window
from transforms.estimation.difference.equation import Known
from transforms.estimation.difference.judge_errors import JudgeErrors, carry
from transforms.estimation.difference.limits import Judged
from transforms.estimation.judged import judged_share
from transforms.estimation.judged_rates import false_alarm_sample, recall_sample
from transforms.estimation.planning import Traffic, expected_half_width, judgements_needed
from transforms.estimation.proportions import Floats, Interval

TRAFFIC = Traffic(20_000, 0.03, 0.51, 0.017, 0.957)


def errors(*counts: float) -> JudgeErrors:
    """Returns the errors of a judge of one share."""
    return JudgeErrors(*(np.array([count]) for count in counts))


def share(estimate: float, low: float, high: float) -> Interval:
    """Returns one share with its interval."""
    return Interval(np.array([estimate]), np.array([low]), np.array([high]))


class Rates(NamedTuple):
    """Recall and false alarms with their intervals."""

    recall: Judged
    false_alarms: Judged


def rates(probability: Floats, truth: Floats, said: Floats, known: Known) -> Rates:
    """Measures recall and false alarms."""
    samples = (recall_sample, false_alarm_sample)
    return Rates(*(judged_share(make(probability, truth, said), known) for make in samples))


def test_rates_cover_the_truth() -> None:
    """The intervals of recall and false alarms keep their level."""
    random = np.random.default_rng(1)
    one = window(random, 20_000)
    recall = one.said[one.truth == 1].mean()
    alarms = one.said[one.truth == 0].mean()
    inside = np.zeros(2)
    for _ in range(250):
        sample = one.poisson(random, 500)
        found = rates(*sample[:3], one.known)
        for place, (rate, truth) in enumerate(zip(found, (recall, alarms), strict=True)):
            inside[place] += bool(rate.low[0] <= truth <= rate.high[0])
    assert inside.min() / 250 >= 0.91


def test_rates_of_a_census_are_exact() -> None:
    """If all is judged, the rates are known."""
    one = window(np.random.default_rng(2), 3_000)
    found = rates(*one.sample(np.arange(3_000), np.ones(3_000))[:3], one.known)
    assert found.recall.estimate[0] == pytest.approx(one.said[one.truth == 1].mean())
    assert found.false_alarms.high[0] == pytest.approx(one.said[one.truth == 0].mean())


def test_a_perfect_well_known_judge_changes_little() -> None:
    """With very many checks and no error, the interval stays nearly the same."""
    found = carry(share(0.03, 0.02, 0.045), errors(1e6, 1e6, 0, 1e7))
    np.testing.assert_allclose([x[0] for x in found], [0.03, 0.02, 0.045], rtol=1e-3)


def test_supported_errors_correct_the_share() -> None:
    """A judge that finds 80 % and has 1 % false alarms is corrected."""
    found = carry(share(0.034, 0.024, 0.044), errors(8e5, 1e6, 1e4, 1e6))
    assert found.share[0] == pytest.approx((0.034 - 0.01) / 0.79)


def test_unsupported_errors_only_widen() -> None:
    """With few checks the share stays, and the interval has room for errors not yet seen."""
    found = carry(share(0.03, 0.02, 0.045), errors(20, 20, 0, 200))
    assert found.share[0] == 0.03
    assert found.low[0] < 0.015
    assert found.high[0] > 0.045


def test_an_unchecked_judge_says_nothing() -> None:
    """Without any check, the share may be anything."""
    found = carry(share(0.03, 0.02, 0.045), errors(0, 0, 0, 0))
    assert (found.low[0], found.high[0]) == (0, 1)


def test_a_corrected_share_covers_the_truth() -> None:
    """If the judge errs as it was checked to, the interval of the corrected share covers it."""
    random = np.random.default_rng(3)
    one = window(random, 20_000, 0.1)
    inside = 0
    for _ in range(200):
        sample = one.poisson(random, 500)
        chance = np.where(sample.part == 1, 0.85, 0.01)
        heard = sample._replace(part=(random.random(chance.shape) < chance).astype(np.float64))
        checked = errors(random.binomial(100, 0.85), 100, random.binomial(1_000, 0.01), 1_000)
        _, low, high = judged_share(heard, one.known, errors=checked)
        inside += bool(low[0] <= one.share <= high[0])
    assert inside / 200 >= 0.92


def test_more_judgements_are_planned_to_be_narrower() -> None:
    """The expected width falls with judgements, and vanishes if all is judged."""
    widths = [expected_half_width(TRAFFIC, number) for number in (100, 500, 2_000, 20_000)]
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] == pytest.approx(0, abs=1e-3)


def test_the_plan_is_met() -> None:
    """The expected width is near the mean width of drawn samples."""
    random = np.random.default_rng(4)
    one = window(random, 20_000)
    found = [judged_share(one.poisson(random, 500), one.known) for _ in range(60)]
    recall, alarms = one.said[one.truth == 1].mean(), one.said[one.truth == 0].mean()
    planned = expected_half_width(Traffic(20_000, one.share, recall, alarms, 0.943), 500)
    drawn = np.mean([each.high - each.low for each in found]) / 2
    assert planned == pytest.approx(drawn, rel=0.15)


def test_the_fewest_judgements_are_found() -> None:
    """One judgement fewer does not reach the width."""
    number = judgements_needed(TRAFFIC, 0.007)
    assert expected_half_width(TRAFFIC, number) <= 0.007 < expected_half_width(TRAFFIC, number - 1)


def test_a_census_reaches_every_width() -> None:
    """If no sample is enough, all conversations must be judged."""
    assert judgements_needed(TRAFFIC._replace(conversations=100), 1e-9) == 100


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"share": 0.0}, "share must be"),
        ({"recall": 1.0}, "recall must be"),
        ({"auc": 0.5}, "auc must be"),
        ({"conversations": 0}, "conversations must be"),
    ],
)
def test_impossible_traffic_is_refused(wrong: dict[str, float], match: str) -> None:
    """The plan's numbers must be possible."""
    with pytest.raises(ValueError, match=match):
        expected_half_width(TRAFFIC._replace(**wrong), 500)  # type: ignore[arg-type]

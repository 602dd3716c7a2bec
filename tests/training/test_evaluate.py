"""Tests the measures of the evaluation against cases worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.transforms.estimation.reference import Counts, direct
from training.agreement import kappa, pushback_agreement, real_agreement
from training.measures.accuracy import auc, wilson
from training.prevalence import correct, resample, transfer
from transforms.estimation.rates import Rate


def test_the_wilson_interval_by_a_textbook_case() -> None:
    """Five of ten give an interval from 0.2366 to 0.7634."""
    assert wilson(5, 10) == {"hits": 5, "of": 10, "share": 0.5, "low": 0.2366, "high": 0.7634}


def test_the_area_under_the_curve_by_hand() -> None:
    """Three of four pairs are in the right order, and one is a tie, which counts as half."""
    assert auc(np.array([3, 1, 2, 2]), np.array([True, False, True, False])) == 0.875


def test_kappa_by_hand() -> None:
    """Eight of ten cases agree, and five would agree by chance."""
    assert kappa([True] * 5 + [False] * 5, [True] * 4 + [False] * 5 + [True]) == 0.6
    assert kappa(["none"] * 3, ["none"] * 3) == 1.0


def test_a_corrected_share_by_hand() -> None:
    """If 80 % of positives and 10 % of negatives are flagged, 17 % flagged means 10 % positive."""
    found = correct(170, 1000, 80, 100, 100, 1000)
    assert found.share == pytest.approx(0.1)
    assert 0.04 < found.low < 0.1 < found.high < 0.16


def test_the_correction_is_the_same_as_in_the_views() -> None:
    """The estimator that is tested on resamples is the one that the published views use."""
    mine = correct(61, 2000, 20, 28, 15, 1400)
    assert (mine.share, mine.low, mine.high) == pytest.approx(
        direct(61, 2000, Counts(20, 28, 15, 1400))
    )


def test_resamples_recover_the_rate_of_a_good_classifier() -> None:
    """With many known cases, the intervals contain the true rate and the errors are small."""
    random = np.random.default_rng(5)
    found = resample(random.random(2000) < 0.8, random.random(8000) < 0.01, [0.03], seed=1)["3%"]
    assert found["coverage"] > 0.85
    assert found["mean_error"] < 0.004 < found["mean_error_raw"] + 0.004


@pytest.mark.parametrize(("false_positives", "covered"), [(40, True), (240, False)])
def test_error_rates_of_another_platform_are_right_only_if_they_transfer(
    false_positives: int, covered: bool
) -> None:
    """A platform's own error rates correct its shares; rates that are too high do not."""
    random = np.random.default_rng(5)
    positive, negative = random.random(2000) < 0.8, random.random(8000) < 0.01
    errors = Rate("all", "use", "affective", 1600, 2000, false_positives, 4000)
    found = transfer(positive, negative, errors, [0.03], seed=1)["3%"]
    assert (found["coverage"] > 0.85) is covered
    assert (found["mean_error"] < 0.004) is covered
    assert 0.001 < found["mean_error_raw"] < 0.006


def test_the_readers_agreement_by_hand() -> None:
    """Readers agree on the use of three of four, and on pushback of all."""
    readings = [("affective", ["coaching"]), ("work", []), ("work", []), ("other", [])]
    first = [{"use": use, "types": types} for use, types in readings]
    second = [first[0], first[1], first[3], first[3]]
    rows = [{"first": one, "second": two} for one, two in zip(first, second, strict=True)]
    found = real_agreement(rows)
    assert (found["affective"], found["coaching"], found["roleplay"]) == (1.0, 1.0, 1.0)
    assert found["use"] == pytest.approx((3 / 4 - 5 / 16) / (1 - 5 / 16), abs=1e-3)
    pushback: list[dict[str, Any]] = [
        {"first": ["sexual"], "second": ["self_harm"]},
        {"first": [], "second": []},
    ]
    assert pushback_agreement(pushback) == 1.0

"""Tests the measures of the evaluation against cases worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tests.schemas.views.reference import Counts, direct
from training.agreement import kappa
from training.measures.accuracy import auc, wilson
from training.prevalence import correct, resample


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

"""Tests that the publisher tells when the classifier no longer does what was measured of it."""

from __future__ import annotations

import json
import logging

import numpy as np
import pytest

from pipelines.publishing.dataset import log_drift
from pipelines.publishing.windows import Batch, publish_windows
from schemas.published import FALSE_ALARMS, RECALL
from tests.judged import judged, labelled
from tests.judged_runs import VERSION, counted
from transforms.counting.windows import DAY
from transforms.estimation.rates import GivenRates, Rate, Rates
from transforms.publishing.policy import Policy


def published(found: int, wrong: int) -> Batch:
    """Publishes a day with a recall of 60 % and 2 % false alarms, and compares it with rates.

    Args:
      found: how many of 100 affective conversations were found when it was measured.
      wrong: how many of 1,000 others were taken for affective.
    """
    made = labelled(np.random.default_rng(1), 2_500, share=0.1)
    rows = [row for row in counted(made) if row.window_kind == DAY]
    rates = GivenRates(
        (Rates(VERSION, (Rate("all", "use", "affective", found, 100, wrong, 1_000),)),)
    )
    return publish_windows(rows, {}, Policy(), 1, judged(made, 500), rates)


def test_drift_is_logged_with_numbers_and_without_text(caplog: pytest.LogCaptureFixture) -> None:
    """A recall of 60 % where 90 % were measured is logged once, with both."""
    batch = published(90, 20)
    with caplog.at_level(logging.WARNING, "undertone"):
        log_drift(batch)
    (line,) = [json.loads(record.getMessage()) for record in caplog.records]
    assert (line["event"], line["facet"], line["value"]) == ("model_drift", "use", "affective")
    assert (line["measure"], line["card"]) == (RECALL, 0.9)
    assert line["low"] < 0.6 < line["high"] < line["card_low"]
    assert batch.publications[0].rates != ""


def test_both_rates_may_drift() -> None:
    """Recall and false alarms are compared each on their own."""
    assert [each.measure for _, each in published(90, 200).drifted] == [RECALL, FALSE_ALARMS]
    assert published(60, 20).drifted == []

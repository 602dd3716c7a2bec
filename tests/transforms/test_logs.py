"""Tests that each event is logged once per period, with the number of omitted lines."""

from __future__ import annotations

import json
import logging

import pytest

from transforms.logs import LOGGER, PERIOD_S, log_event


@pytest.fixture(autouse=True)
def _warnings_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Turns warnings on, because the command line in an earlier test may have turned them off."""
    caplog.set_level(logging.WARNING, LOGGER.name)


def test_a_flood_is_one_line_per_period(caplog: pytest.LogCaptureFixture) -> None:
    """An event is logged once a period, and the next line says how many were left out."""
    times = iter((0.0, 1.0, PERIOD_S - 1, PERIOD_S))
    for _ in range(4):
        log_event("flood", key="late", clock=lambda: next(times), reason="late")
    said = [json.loads(record.getMessage()) for record in caplog.records]
    assert said == [
        {"event": "flood", "reason": "late", "left_out": 0},
        {"event": "flood", "reason": "late", "left_out": 2},
    ]


def test_each_key_has_its_own_limit(caplog: pytest.LogCaptureFixture) -> None:
    """A flood with one key does not hide the first event with another key."""
    for reason in ("a", "b", "a"):
        log_event("apart", key=reason, clock=lambda: 0.0)
    assert len(caplog.records) == 2

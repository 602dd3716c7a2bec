"""Logs: JSON, one line an event and period, and what was left out is counted."""

from __future__ import annotations

import json
import logging

import pytest

from transforms.logs import LOGGER, PERIOD_S, log_event


@pytest.fixture(autouse=True)
def _warnings_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The command line of another test may have asked for less."""
    caplog.set_level(logging.WARNING, LOGGER.name)


def test_a_flood_is_one_line_a_period(caplog: pytest.LogCaptureFixture) -> None:
    """Of many equal events one is logged a period, the next saying how many were not."""
    times = iter((0.0, 1.0, PERIOD_S - 1, PERIOD_S))
    for _ in range(4):
        log_event("flood", key="late", clock=lambda: next(times), reason="late")
    said = [json.loads(record.getMessage()) for record in caplog.records]
    assert said == [
        {"event": "flood", "reason": "late", "left_out": 0},
        {"event": "flood", "reason": "late", "left_out": 2},
    ]


def test_keys_are_limited_apart(caplog: pytest.LogCaptureFixture) -> None:
    """A flood of one reason does not hide the first of another."""
    for reason in ("a", "b", "a"):
        log_event("apart", key=reason, clock=lambda: 0.0)
    assert len(caplog.records) == 2

"""Tests the heartbeats that keep Beam's in-process runner from pausing."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from deploy.local.cloud import Heartbeats, LocalCloud
from deploy.local.pubsub import take

pytestmark = [pytest.mark.live, pytest.mark.timeout(120)]


def test_the_number_of_heartbeats_is_final(cloud: LocalCloud) -> None:
    """After `stop` no heartbeat is sent, and the topic has exactly as many as were counted."""
    names = cloud.another("-beats").names
    with Heartbeats(names.topic) as beats:
        _await(lambda: beats.sent >= 3)
        sent = beats.stop()
        assert len(take(names.subscription)) == sent == beats.sent
    assert take(names.subscription) == []


def _await(is_met: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 60
    while not is_met():
        assert time.monotonic() < deadline_s
        time.sleep(0.05)

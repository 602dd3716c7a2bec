"""Tests the stream on Beam's in-process runner.

The stream counts correctly there, but a crash loses state.

This runner acknowledges messages before it works on them, and keeps its state in memory. Use it to
try the job, and use Flink or Dataflow for real data.
"""

from __future__ import annotations

import pytest

from deploy.local.cloud import Heartbeats
from tests.live.conftest import Record
from tests.live.stage import Stage
from tests.live.traffic import Event, with_faults, write_messages

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]

RUNNER = "direct"
EVENTS = 400
"""Few, because the runner pulls only ten messages at a time."""


def test_the_direct_runner_counts(stage: Stage, events: list[Event], record: Record) -> None:
    """Apart from heartbeats, the tables equal those of a batch run; a kill loses messages."""
    write_messages(stage.archive, with_faults(events[:EVENTS], 0.05, seed=3))
    topic = stage.cloud.names.topic
    with stage.cloud.direct_job(stage.settings) as job, Heartbeats(topic) as beats:
        stage.publish()
        stage.await_settled(job, beats.sent)
        stage.await_settled(job, beats.stop())
        accounts = stage.accounts()
        losses = stage.losses(heartbeats=beats.sent)
        record("none", RUNNER, stage.published, len(losses))
        assert losses == []
        job.kill()
    with stage.cloud.direct_job(stage.settings) as job, Heartbeats(topic):
        stage.await_new_run(job, accounts["read", ""])
        forgotten = accounts["counted", ""] - stage.accounts().get(("counted", ""), 0)
        lost = f"{forgotten} messages"
        record("killed and restarted (promises nothing)", RUNNER, stage.published, lost)
        assert forgotten > 0

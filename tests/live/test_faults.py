"""Tests that the stream on Flink loses and repeats nothing, whatever fault strikes.

Emulators replace Pub/Sub and BigQuery.

After each fault the ledger balances. The latest tables, the dead letters and the alerts equal those
of a batch run over the same messages.
"""

from __future__ import annotations

import os
import signal

import pytest

from deploy.local.cloud import LocalCloud
from deploy.local.flink import FlinkCluster
from tests.live.conftest import Record
from tests.live.proxy import faulty_proxy
from tests.live.stage import Stage, streaming
from tests.live.traffic import FAULTS, Event, with_faults, write_messages

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]

RUNNER = "Flink"
_FAILURES = 6
"""Number of requests that fail before BigQuery answers again: about one of each kind."""


@pytest.mark.parametrize("share", [0.01, 0.1, 1.0])
def test_faulty_traffic(
    share: float, stage: Stage, flink: FlinkCluster, events: list[Event], record: Record
) -> None:
    """With faulty senders, each message has the same fate in the stream as in a batch run."""
    write_messages(stage.archive, with_faults(events, share, seed=int(100 * share)))
    with streaming(flink, stage) as job:
        stage.publish()
        stage.await_settled(job)
        losses = stage.losses()
    record(f"{', '.join(FAULTS)}, reordering: {share:.0%}", RUNNER, stage.published, len(losses))
    assert losses == []


def test_everything_delivered_twice(stage: Stage, flink: FlinkCluster, record: Record) -> None:
    """If every event comes twice, each second copy counts as a duplicate, and no table changes."""
    with streaming(flink, stage) as job:
        stage.publish()
        stage.publish()
        stage.await_settled(job)
        losses = stage.losses(repeated=stage.published // 2)
    accounts = stage.accounts()
    record("Pub/Sub delivers everything twice", RUNNER, stage.published, len(losses))
    assert losses == []
    assert accounts["read", ""] == stage.published
    assert accounts["duplicate", ""] >= accounts["counted", ""]


@pytest.mark.parametrize("share", [0.1, 1.0])
def test_bigquery_fails(share: float, stage: Stage, flink: FlinkCluster, record: Record) -> None:
    """While BigQuery answers with errors, rows wait, and no good row becomes a dead letter."""
    with (
        faulty_proxy(stage.cloud.dataset.url) as proxy,
        streaming(flink, stage, proxy.url) as job,
    ):
        proxy.fail(share, 503, 500, 429, 403, 404, 0)
        stage.publish()
        proxy.await_failures(_FAILURES)
        proxy.fail(0.0)
        stage.await_settled(job)
        failed = proxy.failed
        losses = stage.losses()
    record(f"BigQuery fails {share:.0%} ({failed} requests)", RUNNER, stage.published, len(losses))
    assert losses == []


def test_bigquery_is_killed(
    stage: Stage, flink: FlinkCluster, cloud: LocalCloud, record: Record
) -> None:
    """If BigQuery dies and comes back, the job writes the missing rows and repeats no row."""
    with streaming(flink, stage) as job:
        stage.publish()
        stage.await_read(job, 0.1)
        cloud.bigquery.process.kill()
        cloud.bigquery.start_again()
        stage.await_settled(job)
        losses = stage.losses()
    record("BigQuery is killed and restarted", RUNNER, stage.published, len(losses))
    assert losses == []


def test_a_worker_is_killed(stage: Stage, flink: FlinkCluster, record: Record) -> None:
    """If the Python workers die, Flink continues the job from its last checkpoint."""
    with streaming(flink, stage) as job:
        stage.publish()
        stage.await_read(job, 0.1)
        workers = flink.workers()
        assert workers
        for worker in workers:
            os.kill(worker, signal.SIGKILL)
        stage.publish()
        stage.await_settled(job)
        losses = stage.losses(repeated=stage.published)
    record("a Python worker is killed", RUNNER, stage.published, len(losses))
    assert losses == []


def test_the_task_manager_is_killed(stage: Stage, flink: FlinkCluster, record: Record) -> None:
    """If the task manager and the source in it die, a new one continues from the checkpoint."""
    with streaming(flink, stage) as job:
        stage.publish()
        stage.await_read(job, 0.1)
        flink.processes["task manager"].kill()
        flink.start()
        stage.publish()
        stage.await_settled(job)
        losses = stage.losses(repeated=stage.published)
    record("the task manager is killed", RUNNER, stage.published, len(losses))
    assert losses == []


def test_everything_is_killed(stage: Stage, flink: FlinkCluster, record: Record) -> None:
    """If job, cluster and workers die at once, a new cluster continues from the last checkpoint."""
    with flink.stream(stage.cloud, stage.settings) as job:
        stage.publish()
        stage.await_read(job, 0.1)
        job.kill()
        for process in flink.processes.values():
            process.kill()
    checkpoint = flink.newest_checkpoint()
    flink.start()
    settings = [*stage.settings, f"--continue_run={stage.newest_run()}"]
    with flink.stream(stage.cloud, settings, resume_from=checkpoint) as job:
        stage.publish()
        stage.await_settled(job)
        losses = stage.losses(repeated=stage.published)
        flink.cancel()
    record("job and cluster are killed, and resumed", RUNNER, stage.published, len(losses))
    assert losses == []

"""Tests a new job on Flink that starts without the state of the job before it.

The new job begins a new generation of counts, and generations add up. So the counts that the old
job has written stay. What becomes of a message depends on how far it was when the old job ended:

- Its checkpoint is complete, so it is acknowledged, and its rows are written: it counts once.
- Its checkpoint is complete, but its rows are not written: it is missed.
- Its checkpoint is not complete: Pub/Sub delivers it again, and the new job counts it. If the old
  job has already written its rows, it counts twice.

So only messages under way are missed, and only messages since the last complete checkpoint count
twice. A conversation that goes on after the restart counts as two. A backfill repairs all of this.

Each part of the traffic has whole conversations. So the restart cuts no conversation that was
counted before it.
"""

from __future__ import annotations

import zlib
from datetime import date
from pathlib import Path

import pytest

from deploy.local.compare import (
    Counted,
    current_counts,
    row_differences,
    settled_row_differences,
)
from deploy.local.flink import FlinkCluster
from deploy.local.processes import Process
from tests.live.conftest import Record
from tests.live.stage import Stage, streaming
from tests.live.traffic import Event, with_faults, write_messages
from transforms.counting.cells import NOTHING, day_of
from transforms.counting.days import date_of

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]

RUNNER = "Flink"


def killed(flink: FlinkCluster, job: Process) -> None:
    """Kills the job with the whole cluster, which forgets the job."""
    job.kill()
    for process in flink.processes.values():
        process.kill()
    flink.start()


class Part:
    """Some whole conversations of the stage's events, as an archive to publish."""

    def __init__(self, folder: Path, events: list[Event], number: int, of: int) -> None:
        chosen = [
            event
            for event in events
            if zlib.crc32(event["conversation_id"].encode()) % of == number
        ]
        self.messages = len(chosen)
        self.archive = write_messages(folder / f"part-{number}.avro", with_faults(chosen, 0.0, 1))


def count_all(flink: FlinkCluster, stage: Stage, job: Process, part: Part) -> None:
    """Publishes a part, and waits until its rows are written and its messages acknowledged."""
    stage.publish(part.archive)
    stage.await_settled(job)
    assert settled_row_differences(stage.cloud.dataset, stage.batch_run(part.archive)) == []
    flink.await_acknowledged()


def days_of(events: list[Event]) -> tuple[date, date]:
    """Returns the first and the last day of the events."""
    days = [date_of(day_of(event["sent_at_us"])) for event in events]
    return min(days), max(days)


def shrunk(before: Counted, after: Counted) -> list[str]:
    """Returns the cells that have fewer conversations or users than before."""
    found = ((cell, sums, after.get(cell, NOTHING)) for cell, sums in before.items())
    return [
        f"{cell}: {old} before, {new} after"
        for cell, old, new in found
        if new.conversations < old.conversations or new.users < old.users
    ]


def test_a_restart_at_rest_changes_nothing(
    stage: Stage, flink: FlinkCluster, events: list[Event], record: Record, tmp_path: Path
) -> None:
    """If nothing is under way when the job is cancelled, both generations add up to a batch run.

    Users are a lower bound.
    """
    before, after = (Part(tmp_path, events, number, of=2) for number in range(2))
    with streaming(flink, stage) as job:
        count_all(flink, stage, job, before)
        flink.cancel()
    run = stage.newest_run()
    with streaming(flink, stage) as job:
        stage.publish(after.archive)
        stage.await_settled_run(job, run, after.messages)
        losses = settled_row_differences(
            stage.cloud.dataset, stage.batch_run(), may_lack_users=True
        )
    record("cancelled at rest, new state", RUNNER, stage.published, len(losses))
    assert losses == []
    assert stage.accounts()["read", ""] == after.messages, "Pub/Sub repeated acknowledged messages"
    assert stage.audit() == 0


def test_a_restart_under_way_erases_nothing(
    stage: Stage, flink: FlinkCluster, events: list[Event], record: Record, tmp_path: Path
) -> None:
    """Whatever is under way when all is killed, counted conversations stay.

    A backfill adds the rest.
    """
    before, during, after = (Part(tmp_path, events, number, of=3) for number in range(3))
    with streaming(flink, stage) as job:
        count_all(flink, stage, job, before)
        counted = current_counts(stage.cloud.dataset)
        stage.publish(during.archive)
        stage.await_read(job, (before.messages + 1) / stage.published)
        killed(flink, job)
    run = stage.newest_run()
    with streaming(flink, stage) as job:
        stage.publish(after.archive)
        stage.await_settled_run(job, run, after.messages)
        restarted = current_counts(stage.cloud.dataset)
        stage.backfill(*days_of(events))
        losses = row_differences(stage.cloud.dataset, stage.batch_run())
    record("killed under way, new state, backfill", RUNNER, stage.published, len(losses))
    assert shrunk(counted, restarted) == []
    assert losses == []
    assert stage.audit() == 0

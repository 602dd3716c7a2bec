"""Tests a backfill beside a stream.

The backfill's rows correct days, and override rows that the stream writes later.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from deploy.local.cloud import Heartbeats
from deploy.local.compare import current_counts, row_differences
from pipelines.sinks.bigquery import query
from tests.live.conftest import Record
from tests.live.stage import Stage
from tests.live.traffic import Event, with_faults, write_messages
from transforms.counting.cells import day_of
from transforms.counting.days import date_of

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]

EVENTS = 400
LOST = 40
"""Number of events that are in the archive but were not sent to the stream."""
_WAIT_S = 240.0


def generations(stage: Stage, origin: str) -> list[int]:
    """Returns the generations of one origin (stream or batch), the oldest first."""
    sql = f"SELECT DISTINCT generation FROM `{{restricted}}.counts` WHERE origin = '{origin}'"
    return sorted(row["generation"] for row in query(stage.cloud.dataset, sql))


def await_generation_after(stage: Stage, job: Any, generation: int) -> None:
    """Waits until a stream that began after a generation has written counts."""
    deadline_s = time.monotonic() + _WAIT_S
    while max(generations(stage, "stream")) < generation:
        assert job.is_running, job.last_words()
        assert time.monotonic() < deadline_s, "the stream wrote no counts"
        time.sleep(1.0)


def test_a_backfill_overrides_the_stream(
    stage: Stage, events: list[Event], record: Record, tmp_path: Path
) -> None:
    """After backfills and a later stream, the current counts equal those of a full batch run."""
    days = [date_of(day_of(event["sent_at_us"])) for event in events[:EVENTS]]
    messages = with_faults(events[:EVENTS], 0.0, seed=3)
    write_messages(stage.archive, messages)
    streamed = write_messages(tmp_path / "streamed.avro", messages[LOST:])
    topic = stage.cloud.names.topic
    with stage.cloud.direct_job(stage.settings) as job, Heartbeats(topic) as beats:
        stage.publish(streamed)
        stage.await_settled(job, beats.sent)
        scratch = stage.batch_run()
        assert row_differences(stage.cloud.dataset, scratch) != []

        stage.backfill(min(days), max(days))
        assert row_differences(stage.cloud.dataset, scratch) == []
        once = current_counts(stage.cloud.dataset)
        stage.backfill(min(days), max(days))
        assert current_counts(stage.cloud.dataset) == once
        stage.backfill(min(days), max(days), "--resume")
        assert len(generations(stage, "batch")) == 2
        job.kill()
    # The new stream has forgotten everything, and counts the days from nothing.
    with stage.cloud.direct_job(stage.settings) as job, Heartbeats(topic):
        stage.publish(streamed)
        await_generation_after(stage, job, generations(stage, "batch")[-1])
        losses = row_differences(stage.cloud.dataset, scratch)
        record("10 % lost, backfilled twice, stream killed and restarted", "direct", EVENTS, losses)
        assert losses == []
    assert stage.audit() == 0


def test_a_backfill_leaves_other_days_to_the_stream(
    stage: Stage, events: list[Event], record: Record
) -> None:
    """On the days that the backfill does not count, the stream's rows stay current."""
    of_both_days = events[: EVENTS // 2] + events[-EVENTS // 2 :]
    days = sorted({date_of(day_of(event["sent_at_us"])) for event in of_both_days})
    write_messages(stage.archive, with_faults(of_both_days, 0.0, seed=4))
    topic = stage.cloud.names.topic
    with stage.cloud.direct_job(stage.settings) as job, Heartbeats(topic) as beats:
        stage.publish()
        stage.await_settled(job, beats.sent)
        stage.backfill(days[0], days[0])
        origins = query(
            stage.cloud.dataset,
            "SELECT DISTINCT DATE(window_start) AS day, origin FROM `{restricted}.counts_current`",
        )
        assert {row["origin"] for row in origins if row["day"] == days[0]} == {"batch"}
        assert {row["origin"] for row in origins if row["day"] != days[0]} == {"stream"}
        losses = row_differences(stage.cloud.dataset, stage.batch_run())
        record("one day backfilled beside the stream", "direct", EVENTS, losses)
        assert losses == []

"""Tests which rows stream and backfill write, by reading the BigQuery emulator."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Final

import apache_beam as beam
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from pipelines import backfill
from pipelines.graph import assemble
from pipelines.operations.dead_letter_list import list_groups
from pipelines.settings import wall_clock_us
from pipelines.sinks.bigquery import Dataset, InsertClient, query
from pipelines.sinks.write import Sinks, stream_bigquery
from pipelines.sources.secret import local_secret
from schemas.records import LedgerTotal
from schemas.tables import LEDGER
from tests.builders import avro_event, event_hash
from tests.pipelines.running import EXACT, chunk
from tests.pipelines.timelines import said
from tests.schemas.payloads import write_avro

LETTERS: Final = (
    "SELECT run, origin, UNIX_MICROS(ingested_at) AS ingested_us FROM `{restricted}.dead_letters`"
)


def stream(dataset: Dataset, events: list[dict[str, Any]]) -> dict[str, int]:
    """Writes events through the stream's sinks; returns the job's counters by name.

    The input is bounded, because Beam's in-process streaming runner loses the counts of all bundles
    after the first.
    """
    pipeline = beam.Pipeline(runner=FnApiRunner())
    payloads = pipeline | "Chunks" >> beam.Create([chunk(events)], reshuffle=False)
    stream_bigquery(assemble(payloads, EXACT), Sinks(dataset.restricted), EXACT)
    return counters_of(pipeline.run())


def counters_of(result: Any) -> dict[str, int]:
    """Waits until a job ends; returns the job's counters by namespace and name."""
    result.wait_until_finish()
    found = result.metrics().query()["counters"]
    return {f"{c.key.metric.namespace}/{c.key.metric.name}": c.committed for c in found}


def rows_of(dataset: Dataset) -> dict[str, int]:
    """Returns the number of rows in each of the tables that every job writes."""
    names = ("counts", "dead_letters", "ledger")
    found = {
        name: query(dataset, f"SELECT COUNT(*) AS n FROM `{{restricted}}.{name}`") for name in names
    }
    return {name: rows[0]["n"] for name, rows in found.items()}


def test_a_stream_counts_the_rows_that_bigquery_took(dataset: Dataset) -> None:
    """For each table, the counter of written rows equals the number of rows that were added."""
    before = rows_of(dataset)
    counters = stream(dataset, [said("1", 0), said("2", 5, role="x")])
    for table, rows in rows_of(dataset).items():
        assert counters[f"write/written_rows/{table}"] == rows - before[table] > 0


def test_a_refused_row_is_not_counted_as_written(dataset: Dataset) -> None:
    """If a request has one good row and one bad row, only the good row counts as written."""
    good = LEDGER.bigquery_row(LedgerTotal(7, "read", "", 5, 7))
    client = InsertClient(dataset, 20.0)
    pipeline = beam.Pipeline(runner=FnApiRunner())
    _ = (
        pipeline
        | beam.Create([[good, good | {"records": None}]])
        | beam.Map(
            lambda rows: client.insert_rows_json(
                f"{dataset.restricted}.ledger", rows, ["1", "2"], skip_invalid_rows=True
            )
        )
    )
    assert counters_of(pipeline.run())["write/written_rows/ledger"] == 1


def test_a_streams_dead_letters_name_its_run(dataset: Dataset) -> None:
    """Each dead letter from the stream names its run and origin, and when it was written."""
    stream(dataset, [said("named", 5, role="x")])
    named = event_hash("named").hex()
    rows = query(dataset, f"{LETTERS} WHERE event = '{named}'")
    assert rows == [{"run": EXACT.revision, "origin": "stream", "ingested_us": EXACT.clock()}]


def test_a_repeated_backfill_writes_its_dead_letters_again(
    dataset: Dataset, tmp_path: Path
) -> None:
    """If two backfills write the same dead letter, each writes the run id of its own ledger."""
    archive = write_avro(tmp_path / "a.avro", [avro_event(), avro_event(event_id="e1", role="CAT")])
    flags = [
        "--from=2025-06-02", "--to=2025-06-02", f"--input={archive}", f"--dataset={dataset}",
        f"--bigquery_url={dataset.url}", f"--temp_location={tmp_path / 'temp'}",
        f"--secret={local_secret().path}",
    ]  # fmt: skip
    started_us = wall_clock_us()
    for _ in range(2):
        backfill.run(flags)
    sql = f"SELECT run FROM `{{restricted}}.ledger` WHERE account = 'read' AND run > {started_us}"
    runs = query(dataset, sql)
    rows = query(dataset, f"{LETTERS} WHERE source = 'a.avro'")
    assert sorted(row["run"] for row in rows) == sorted(row["run"] for row in runs)
    assert {row["origin"] for row in rows} == {"batch"}
    assert all(row["run"] < row["ingested_us"] < wall_clock_us() for row in rows)
    (group,) = (each for each in list_groups(partial(query, dataset)) if each.source == "a.avro")
    assert (group.letters, group.payloads, group.runs) == (2, 1, 2)

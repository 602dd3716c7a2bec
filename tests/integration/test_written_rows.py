"""What both mains write, read back from the BigQuery emulator."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, Final

import apache_beam as beam
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from deploy.local.bigquery import BigQueryEmulator, bigquery_emulator
from pipelines.graph import assemble
from pipelines.sinks.bigquery import Dataset, InsertClient, create_dataset, query
from pipelines.sinks.write import Sinks, stream_bigquery
from schemas.records import LedgerTotal
from schemas.tables import LEDGER
from tests.pipelines.running import EXACT, chunk
from tests.pipelines.test_unbounded import said
from tests.services import have

PROJECT: Final = "undertone-local"


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BigQueryEmulator]:
    """Runs the emulator."""
    with ExitStack() as stack:
        running = bigquery_emulator(tmp_path_factory.mktemp("bigquery"), PROJECT)
        yield have(lambda: stack.enter_context(running))


@pytest.fixture
def dataset(emulator: BigQueryEmulator, request: pytest.FixtureRequest) -> Dataset:
    """Makes a dataset with all tables and views, the test's own."""
    made = Dataset(PROJECT, request.node.name, emulator.url)
    create_dataset(made)
    return made


def stream(dataset: Dataset, events: list[dict[str, Any]]) -> dict[str, int]:
    """Writes events through the stream's sinks; returns the job's counters by name.

    The input ends, because the streaming runner in this process loses counts of later bundles.
    """
    pipeline = beam.Pipeline(runner=FnApiRunner())
    payloads = pipeline | "Chunks" >> beam.Create([chunk(events)], reshuffle=False)
    stream_bigquery(assemble(payloads, EXACT), Sinks(dataset))
    return counters_of(pipeline.run())


def counters_of(result: Any) -> dict[str, int]:
    """Waits for the end of a job; returns its counters by namespace and name."""
    result.wait_until_finish()
    found = result.metrics().query()["counters"]
    return {f"{c.key.metric.namespace}/{c.key.metric.name}": c.committed for c in found}


def test_a_stream_counts_the_rows_that_bigquery_took(dataset: Dataset) -> None:
    """Each table has a counter of written rows, and the table holds that many."""
    counters = stream(dataset, [said("1", 0), said("2", 5, role="x")])
    for table in ("aggregates", "dead_letters", "ledger"):
        (found,) = query(dataset, f"SELECT COUNT(*) AS rows_held FROM `{{dataset}}.{table}`")
        assert found["rows_held"] > 0
        assert counters[f"write/written_rows/{table}"] == found["rows_held"]


def test_a_refused_row_is_not_counted_as_written(dataset: Dataset) -> None:
    """Of a request with one good and one bad row, one counts as written."""
    good = LEDGER.bigquery_row(LedgerTotal(7, "read", "", 5, 7))
    client = InsertClient(dataset, 20.0)
    pipeline = beam.Pipeline(runner=FnApiRunner())
    _ = (
        pipeline
        | beam.Create([[good, good | {"records": None}]])
        | beam.Map(
            lambda rows: client.insert_rows_json(
                f"{dataset}.ledger", rows, ["1", "2"], skip_invalid_rows=True
            )
        )
    )
    assert counters_of(pipeline.run())["write/written_rows/ledger"] == 1

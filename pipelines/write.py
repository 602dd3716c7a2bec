"""Write: rows, dead letters, ledger and the classifier's rates, to Parquet files or BigQuery."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import apache_beam as beam

from pipelines.graph import Outputs
from schemas.failures import InputError
from schemas.tables import AGGREGATES, CLASSIFIER_RATES, DEAD_LETTERS, LEDGER, Table

_DATASET: Final = re.compile(r"[a-z][a-z0-9:.\-]{4,}\.[A-Za-z0-9_]+")


def write_parquet(outputs: Outputs, folder: Path) -> None:
    """Writes each table to `<folder>/<table>-*.parquet`, with Beam's own writer."""
    for rows, table in _tables(outputs):
        prefix = str(folder / table.name)
        _ = (
            rows
            | f"ToRows{_label(table)}" >> beam.Map(table.row)
            | f"WriteParquet{_label(table)}"
            >> beam.io.WriteToParquet(prefix, table.arrow_schema(), file_name_suffix=".parquet")
        )


def write_bigquery(outputs: Outputs, dataset: str, *, is_streaming: bool) -> None:
    """Appends each table's rows to the table of its name in `project.dataset`.

    Streaming inserts retry transient errors only: a row that BigQuery refuses would otherwise be
    sent for ever. A bounded run loads files.

    Raises:
      InputError: the dataset's name is none.
    """
    if not _DATASET.fullmatch(dataset):
        raise InputError(f"{dataset!r} is no BigQuery dataset; write <project>.<dataset>")
    bigquery = beam.io.gcp.bigquery
    method = bigquery.WriteToBigQuery.Method
    for rows, table in _tables(outputs):
        _ = (
            rows
            | f"ToRows{_label(table)}" >> beam.Map(table.bigquery_row)
            | f"WriteBigQuery{_label(table)}"
            >> bigquery.WriteToBigQuery(
                f"{dataset.replace('.', ':', 1)}.{table.name}",
                schema=table.bigquery_schema(),
                additional_bq_parameters=table.bigquery_parameters(),
                method=method.STREAMING_INSERTS if is_streaming else method.FILE_LOADS,
                insert_retry_strategy=bigquery.RetryStrategy.RETRY_ON_TRANSIENT_ERROR,
                create_disposition=beam.io.BigQueryDisposition.CREATE_IF_NEEDED,
                write_disposition=beam.io.BigQueryDisposition.WRITE_APPEND,
            )
        )


def _tables(outputs: Outputs) -> tuple[tuple[beam.PCollection[Any], Table], ...]:
    return (
        (outputs.aggregates, AGGREGATES),
        (outputs.dead_letters, DEAD_LETTERS),
        (outputs.ledger, LEDGER),
        (outputs.rates, CLASSIFIER_RATES),
    )


def _label(table: Table) -> str:
    return table.name.title().replace("_", "")

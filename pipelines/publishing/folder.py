"""Publishes the counts of a local run, from Parquet files into Parquet files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import pyarrow.parquet as pq

from pipelines.publishing.rates import keep_rates
from pipelines.publishing.windows import Batch, publish_windows
from pipelines.sinks.database import RESTRICTED_FOLDER, TABLES_FOLDER
from pipelines.sinks.records import arrow_table, read_records, records_in
from schemas.counts import BASES, COUNTS, CountsRow
from schemas.judged import JUDGEMENTS, SAMPLE, JudgementRow, SampleRow
from schemas.published import AGGREGATES, FIGURES, PUBLICATIONS
from schemas.table import Table
from transforms.estimation.rates import SHIPPED, GivenRates
from transforms.judging.conversations import join
from transforms.publishing.policy import Policy

_ROWS_A_GROUP: Final = 50_000
"""Number of rows written together. A file of many small groups is large and slow to read."""


def publish_folder(folder: Path, policy: Policy, attempt: int, rates: GivenRates = SHIPPED) -> None:
    """Publishes every window of a local run, and writes the tables of both folders.

    The counts of a bounded run are final, so all its windows are closed. The run replaces
    everything that an earlier run wrote to the folder, so there is no earlier publication to
    compare with.

    Args:
      folder: output folder of the run, with the counts in its restricted folder. If a sample and
        judgements are there too, the figures are made with them.
      policy: how to protect the numbers.
      attempt: start of the run, microseconds since the epoch.
      rates: the classifier's error rates. They are kept in the folder unless they are shipped.
    """
    keep_rates(folder, rates)
    published, restricted = folder / TABLES_FOLDER, folder / RESTRICTED_FOLDER / TABLES_FOLDER
    published.mkdir(parents=True, exist_ok=True)
    with (
        _Writer(published, AGGREGATES) as aggregates,
        _Writer(published, FIGURES) as figures,
        _Writer(restricted, BASES) as bases,
        _Writer(published, PUBLICATIONS) as publications,
    ):
        judged = join(
            read_records(parquet_file(restricted, SAMPLE), SAMPLE, SampleRow),
            read_records(parquet_file(restricted, JUDGEMENTS), JUDGEMENTS, JudgementRow),
        )
        for counts in _by_window(restricted):
            batch: Batch = publish_windows(counts, {}, policy, attempt, judged, rates)
            aggregates.write(batch.aggregates)
            figures.write(batch.figures)
            bases.write(batch.bases)
            publications.write(batch.publications)


def parquet_file(folder: Path, table: Table) -> Path:
    """Returns the file of a table in a folder of tables."""
    return folder / f"{table.name}-00000-of-00001.parquet"


def _by_window(restricted: Path) -> Iterator[list[CountsRow]]:
    """Yields the rows of each window, in the order of windows. Only one window is in memory."""
    file = parquet_file(restricted, COUNTS)
    if not file.exists():
        return
    names = COUNTS.arrow_schema().names
    rows: list[CountsRow] = []
    for batch in pq.ParquetFile(file).iter_batches(batch_size=1024):
        for row in records_in(batch.select(names), CountsRow):
            if rows and _window(rows[0]) != _window(row):
                yield rows
                rows = []
            rows.append(row)
    if rows:
        yield rows


def _window(row: CountsRow) -> tuple[Any, ...]:
    return row.window_kind, row.window_start_us, row.window_end_us


class _Writer:
    """Writes the rows of a table to its file, window by window."""

    def __init__(self, folder: Path, table: Table) -> None:
        self._table = table
        self._rows: list[msgspec.Struct] = []
        self._writer = pq.ParquetWriter(parquet_file(folder, table), table.arrow_schema())

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self._flush()
        self._writer.close()

    def write(self, rows: Iterable[msgspec.Struct]) -> None:
        """Appends rows, in their order."""
        self._rows += rows
        if len(self._rows) >= _ROWS_A_GROUP:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            self._writer.write_table(arrow_table(self._table, self._rows))
        self._rows = []

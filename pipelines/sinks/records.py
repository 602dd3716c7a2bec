"""Reads and writes the rows of tables as typed records, in Parquet files and in BigQuery."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.sinks.bigquery import Dataset, load, query
from schemas.table import Table

RecordT = TypeVar("RecordT", bound=msgspec.Struct)


def read_records(file: Path, table: Table, record: type[RecordT]) -> list[RecordT]:
    """Returns the rows of a Parquet file; none if there is no such file."""
    if not file.exists():
        return []
    return list(records_in(pq.read_table(file, columns=table.arrow_schema().names), record))


def records_in(rows: pa.Table | pa.RecordBatch, record: type[RecordT]) -> Iterator[RecordT]:
    """Yields rows as records. Their columns must be those of the record's table, in its order."""
    columns = [
        pc.cast(column, pa.int64()).to_pylist()
        if pa.types.is_timestamp(column.type)
        else column.to_pylist()
        for column in rows.columns
    ]
    return (record(*values) for values in zip(*columns, strict=True))


def arrow_table(table: Table, rows: Iterable[msgspec.Struct]) -> pa.Table:
    """Returns records as an Arrow table with the schema of their table."""
    schema = table.arrow_schema()
    columns = list(zip(*map(msgspec.structs.astuple, rows), strict=True)) or [()] * len(schema)
    arrays = [
        pa.array(column, pa.int64()).cast(field.type)
        if pa.types.is_timestamp(field.type)
        else pa.array(column, field.type)
        for column, field in zip(columns, schema, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def write_records(file: Path, table: Table, rows: Iterable[msgspec.Struct]) -> None:
    """Writes rows into a Parquet file. The file appears whole, even if the machine crashes."""
    building = file.with_name(f".{file.name}")
    with building.open("wb") as sink:
        pq.write_table(arrow_table(table, rows), sink)
        sink.flush()
        os.fsync(sink.fileno())
    building.replace(file)
    sync_folder(file.parent)


def sync_folder(folder: Path) -> None:
    """Makes the names of new and renamed files in a folder survive a crash of the machine."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def query_records(
    dataset: Dataset, table: Table, record: type[RecordT], source: str, where: str
) -> list[RecordT]:
    """Returns the rows of a table or view for which a condition is true.

    Args:
      dataset: the published dataset.
      table: has the columns to read.
      record: type of the rows.
      source: the table or view, as `{dataset}.name` or `{restricted}.name`.
      where: the condition, in BigQuery's SQL.

    Raises:
      InputError: if BigQuery can't be reached or refuses the query.
    """
    columns = ", ".join(
        f"UNIX_MICROS({c.name}) AS {c.name}" if c.type == "TIMESTAMP" else c.name
        for c in table.columns
    )
    rows = query(dataset, f"SELECT {columns} FROM `{source}` WHERE {where}")
    return [record(*(row[c.name] for c in table.columns)) for row in rows]


def load_records(dataset: Dataset, table: Table, rows: Sequence[msgspec.Struct]) -> None:
    """Appends rows to a table of BigQuery with one load job: all of them, or none.

    Raises:
      InputError: if BigQuery can't be reached or refuses the rows.
    """
    if rows:
        load(dataset, table, _lines(table, rows))


def _lines(table: Table, rows: Iterable[msgspec.Struct]) -> io.BytesIO:
    lines = io.BytesIO()
    for row in rows:
        lines.write(json.dumps(table.bigquery_row(row)).encode() + b"\n")
    lines.seek(0)
    return lines

"""Tests that the columns, types and rows of the tables agree with the records."""

from __future__ import annotations

import json
import types
import typing
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
import pyarrow as pa
import pytest

from schemas.counts import BasisRow, CountsRow
from schemas.judged import CandidatesRow, JudgementRow, SampleRow
from schemas.published import AGGREGATES, PUBLISHED_TABLES, AggregateRow, FigureRow, PublicationRow
from schemas.records import BackfilledDay, DeadLetterRow, LedgerTotal
from schemas.table import Table
from schemas.tables import DEAD_LETTERS, LEDGER, TABLES
from tests.builders import MONDAY_US

_HOUR: Final = ("hour", MONDAY_US + 1, MONDAY_US + 2)
_FULL: Final[dict[str, msgspec.Struct]] = {
    "publications": PublicationRow(
        "hour/x/1", 7, "committed", *_HOUR, 1, "{}", "0a1b2c3d", "2", "c-1", 20, 30,
    ),
    "aggregates": AggregateRow(
        "hour/x/1", 7, *_HOUR, "country", "DE", "type", "coaching", 20,
    ),
    "figures": FigureRow(
        "hour/x/1", 7, *_HOUR, "country", "DE", "share", "type", "coaching", "all", "all", 20, 90,
        0.2, 0.1, 0.05, 0.17, "corrected",
    ),
    "counts": CountsRow(
        *_HOUR, "country", "DE", 20, 18, "{}", 1, 2, 3, "stream", "0a1b2c3d", "2", "c-1",
    ),
    "candidates": CandidatesRow(
        MONDAY_US, MONDAY_US + 1, 2**62, "[]", 1, 2, 3, "stream", "0a1b2c3d", "2", "c-1",
    ),
    "sample": SampleRow(
        MONDAY_US, "0a", MONDAY_US + 1, "{}", 0.5, -8, 6, 6, "coaching", "affective", "none",
        "coaching", "sexual", -150, "0a1b2c3d", "2", "c-1", 7,
    ),
    "judgements": JudgementRow(
        MONDAY_US, "0a", MONDAY_US + 1, "llm", "m-1", "judged", 6, "affective", "coaching", "none",
        "coaching", "sexual", -0.5, 0.5, 0.01, MONDAY_US + 2,
    ),
    "bases": BasisRow("hour/x/1", 7, *_HOUR, "country", "DE", "{}"),
    "dead_letters": DeadLetterRow(
        "decode", "late", "f.avro", "e", "c", -(2**63), 2**63 - 1, 5, "00" * 32, "{}",
        3, "stream", MONDAY_US + 1,
    ),
    "ledger": LedgerTotal(3, "read", "", 7, 4),
    "backfills": BackfilledDay(5, MONDAY_US, 3, 2**40, "00" * 32, "{}"),
}  # fmt: skip
_BARE: Final[dict[str, msgspec.Struct]] = {
    "publications": PublicationRow("", 0, "withdrawn", *_HOUR, 0, "", "", "", "", 0, 0),
    "aggregates": AggregateRow("", 0, *_HOUR, "overall", "all", "all", "all", 0),
    "figures": FigureRow(
        "", 0, *_HOUR, "overall", "all", "mean_change", "sentiment", "all", None, None, 0, None,
        -0.5, None, -1.0, 0.5, "raw",
    ),
    "counts": CountsRow(*_HOUR, "overall", "all", 0, 0, "{}", 0, 0, 0, "batch", "", "2", ""),
    "candidates": CandidatesRow(MONDAY_US, MONDAY_US, None, "[]", 0, 0, 0, "batch", "", "2", ""),
    "sample": SampleRow(
        MONDAY_US, "", MONDAY_US, "{}", 1.0, 0, 0, 0, "", "other", "none", "none", "", None,
        "", "2", "", 0,
    ),
    "judgements": JudgementRow(
        MONDAY_US, "", MONDAY_US, "labels", "", "missing", 0, None, None, None, None, None, None,
        None, 0.0, MONDAY_US,
    ),
    "bases": BasisRow("", 0, *_HOUR, "overall", "all", "{}"),
    "dead_letters": DeadLetterRow(
        "decode", "undecodable", "f.avro", None, None, None, None, 0, "00" * 32, None,
        0, "batch", MONDAY_US,
    ),
    "ledger": LedgerTotal(0, "late", "", 0, 0),
    "backfills": BackfilledDay(0, MONDAY_US, 0, 0, "", ""),
}  # fmt: skip
EACH_TABLE = pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)


def _hints(table: Table) -> dict[str, Any]:
    return typing.get_type_hints(table.record)


@EACH_TABLE
def test_columns_stand_in_the_order_of_the_fields(table: Table) -> None:
    """Columns are named like the record's fields, but a TIMESTAMP's name leaves out the unit."""
    names = [c.name + "_us" * (c.type == "TIMESTAMP") for c in table.columns]
    assert names == [field.name for field in msgspec.structs.fields(table.record)]


@EACH_TABLE
def test_a_column_is_required_unless_its_field_may_be_none(table: Table) -> None:
    """A column is REQUIRED in BigQuery and not null in Parquet unless its field may be None."""
    optional = [types.NoneType in typing.get_args(hint) for hint in _hints(table).values()]
    modes = [field["mode"] for field in table.bigquery_schema()["fields"]]
    assert modes == ["NULLABLE" if each else "REQUIRED" for each in optional]
    assert [field.nullable for field in table.arrow_schema()] == optional


@EACH_TABLE
def test_column_types_are_those_of_the_fields(table: Table) -> None:
    """A text is a STRING, and a number is an INT64, a FLOAT64 or an instant."""
    allowed: dict[str, type] = {"STRING": str, "INT64": int, "FLOAT64": float, "TIMESTAMP": int}
    arrow = {
        "STRING": pa.string(),
        "INT64": pa.int64(),
        "FLOAT64": pa.float64(),
        "TIMESTAMP": pa.timestamp("us", "UTC"),
    }
    for column, hint, field in zip(
        table.columns, _hints(table).values(), table.arrow_schema(), strict=True
    ):
        assert allowed[column.type] in (hint, *typing.get_args(hint))
        assert (field.name, field.type) == (column.name, arrow[column.type])


@EACH_TABLE
def test_everything_is_described(table: Table) -> None:
    """The table and each column have a description within BigQuery's limit of 1,024 characters."""
    assert table.description
    for field in table.bigquery_schema()["fields"]:
        assert set(field) == {"name", "type", "mode", "description"}
        assert 0 < len(field["description"]) <= 1024


@EACH_TABLE
@pytest.mark.parametrize("records", [_FULL, _BARE], ids=["full", "bare"])
def test_rows_go_into_json_and_parquet(table: Table, records: dict[str, msgspec.Struct]) -> None:
    """A row keeps every value in BigQuery's JSON, and fits the Arrow schema, nulls included."""
    row = table.row(records[table.name])
    sent = json.loads(json.dumps(table.bigquery_row(records[table.name]), allow_nan=False))
    assert {k: v.isoformat() if isinstance(v, datetime) else v for k, v in row.items()} == sent
    batch = pa.Table.from_pylist([row], schema=table.arrow_schema())
    batch.validate(full=True)
    assert batch.to_pylist() == [row]
    assert all(row[column.name] is not None for column in table.columns if column.required)


def test_instants_become_timestamps_to_the_microsecond() -> None:
    """The start of a window is a datetime in a row, and RFC 3339 with a zone in JSON."""
    record = _FULL["aggregates"]
    assert AGGREGATES.row(record)["window_start"] == datetime(2025, 6, 2, 0, 0, 0, 1, tzinfo=UTC)
    assert AGGREGATES.bigquery_row(record)["window_start"] == "2025-06-02T00:00:00.000001+00:00"


@EACH_TABLE
def test_partition_and_clusters_are_columns(table: Table) -> None:
    """A table is partitioned by an instant or not at all, and clustered by at most four columns."""
    columns = {column.name: column.type for column in table.columns}
    assert len(columns) == len(table.columns)
    assert len(table.cluster_by) <= 4
    assert set(table.cluster_by) <= set(columns)
    assert table.partition_by is None or columns[table.partition_by] == "TIMESTAMP"


def test_parameters_name_the_partition_only_where_there_is_one() -> None:
    """The parameters always name clusters, but a partition only if the table has one."""
    partition = {"type": "DAY", "field": "window_start"}
    assert AGGREGATES.bigquery_parameters()["timePartitioning"] == partition
    assert "timePartitioning" not in LEDGER.bigquery_parameters()
    assert DEAD_LETTERS.bigquery_parameters()["clustering"] == {"fields": ["reason", "stage"]}


def test_no_table_has_a_column_for_text() -> None:
    """No column can contain the text of a message or the id of a user."""
    names = {column.name for table in TABLES for column in table.columns}
    assert not names & {"text", "payload", "content", "message", "user_id"}


def test_no_published_table_has_an_exact_number() -> None:
    """Users, record keys and exact sums are in restricted tables only."""
    names = {column.name for table in PUBLISHED_TABLES for column in table.columns}
    assert not names & {"users", "cells", "key", "generation", "revision"}

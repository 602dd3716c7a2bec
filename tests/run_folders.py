"""Writes folders of runs for tests, table by table."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pyarrow as pa
from pyarrow import parquet as pq

from pipelines.sinks.database import DATABASE_FILE, RESTRICTED_FOLDER, build_databases
from schemas.counts import COUNTS, CountsRow
from schemas.published import AGGREGATES, COMMITTED, PUBLICATIONS, AggregateRow, PublicationRow
from schemas.records import DeadLetter, DeadLetterRow, LedgerTotal
from schemas.table import Table
from schemas.tables import BATCH, METRICS_VERSION, RESTRICTED_TABLES
from tests.builders import MONDAY_US
from transforms.counting.cells import DAY_US
from transforms.publishing.policy import Policy

LEDGER_ENTRIES = (
    LedgerTotal(1, "read", "", 412_907, 1),
    LedgerTotal(1, "counted", "", 408_112, 1),
    LedgerTotal(1, "duplicate", "", 2_941, 1),
    LedgerTotal(1, "sampled", "", 402, 1),
    LedgerTotal(1, "system_turn", "", 1_317, 1),
    LedgerTotal(1, "late", "", 87, 1),
    LedgerTotal(1, "dead_letter", "invalid_role", 31, 1),
    LedgerTotal(1, "dead_letter", "missing_sent_at", 17, 1),
)


def counts_row(conversations: int, **other: Any) -> CountsRow:
    """Builds a version of a place; the default place is all conversations of `MONDAY_US`."""
    start_us = other.get("window_start_us", MONDAY_US)
    fields: dict[str, Any] = {
        "window_kind": "day",
        "window_start_us": start_us,
        "window_end_us": start_us + DAY_US,
        "breakdown": "overall",
        "breakdown_value": "all",
        "conversations": conversations,
        "users": conversations,
        "cells": f'{{"all":{{"all":[{conversations},{conversations},1,0,0]}}}}',
        "generation": 1,
        "snapshot": 1,
        "revision": 1,
        "origin": BATCH,
        "key_id": "0a1b2c3d",
        "metrics_version": METRICS_VERSION,
        "classifier_version": "test-1",
    }
    return CountsRow(**(fields | other))


def aggregate_row(conversations: int, **other: Any) -> AggregateRow:
    """Builds a published number; by default of all conversations of `MONDAY_US`."""
    fields: dict[str, Any] = {
        "publication": "day/2025-06-02/1",
        "attempt": 1,
        "window_kind": "day",
        "window_start_us": MONDAY_US,
        "window_end_us": MONDAY_US + DAY_US,
        "breakdown": "overall",
        "breakdown_value": "all",
        "facet": "all",
        "facet_value": "all",
        "conversations": conversations,
    }
    return AggregateRow(**(fields | other))


def receipt(**other: Any) -> PublicationRow:
    """Builds the receipt of a publication; by default of the day `MONDAY_US`."""
    fields: dict[str, Any] = {
        "publication": "day/2025-06-02/1",
        "attempt": 1,
        "status": COMMITTED,
        "window_kind": "day",
        "window_start_us": MONDAY_US,
        "window_end_us": MONDAY_US + DAY_US,
        "version": 1,
        "policy": Policy().encode(),
        "key_id": "0a1b2c3d",
        "metrics_version": METRICS_VERSION,
        "classifier_version": "test-1",
        "aggregates": 1,
        "figures": 0,
    }
    return PublicationRow(**(fields | other))


def write_table(folder: Path, table: Table, records: Iterable[msgspec.Struct]) -> Path:
    """Writes records into the Parquet file of a table, in the same place as a run."""
    tables = tables_of(folder, table)
    tables.mkdir(parents=True, exist_ok=True)
    rows = [table.row(record) for record in records]
    file = tables / f"{table.name}-00000-of-00001.parquet"
    pq.write_table(pa.Table.from_pylist(rows, table.arrow_schema()), file)
    return file


def tables_of(folder: Path, table: Table) -> Path:
    """Returns the folder in which a run has the files of a table."""
    return (folder / RESTRICTED_FOLDER if table in RESTRICTED_TABLES else folder) / "tables"


def counted(folder: Path, *rows: CountsRow) -> Path:
    """Builds the databases of a run with these counts, and returns the run's folder."""
    write_table(folder, COUNTS, rows)
    build_databases(folder)
    return folder


def published(folder: Path, *rows: AggregateRow) -> Path:
    """Builds the databases of a run with one publication of these numbers."""
    write_table(folder, AGGREGATES, rows)
    write_table(folder, PUBLICATIONS, [receipt(aggregates=len(rows))])
    build_databases(folder)
    return folder


def query(folder: Path, sql: str) -> list[dict[str, Any]]:
    """Runs a query on the database in a folder, and returns one dict per row."""
    with duckdb.connect(str(folder / DATABASE_FILE), read_only=True) as connection:
        cursor = connection.execute(sql)
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, values, strict=True)) for values in cursor.fetchall()]


def as_written(
    letters: Iterable[DeadLetter], run: int = 1, origin: str = BATCH, ingested_at_us: int = 2
) -> list[DeadLetterRow]:
    """Returns dead letters in the form of the rows that a run writes."""
    return [DeadLetterRow.of(letter, run, origin, ingested_at_us) for letter in letters]

"""Tests that the upkeep deletes only rows that no view shows."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import duckdb
import pytest
import sqlglot

from pipelines.sinks.database import create_empty
from schemas.counts import COUNTS
from schemas.judged import CANDIDATES
from schemas.table import Table
from schemas.tables import BATCH, LEDGER, STREAM
from tests.deploy.conftest import ROOT

UPKEEP: Final = ROOT / "deploy" / "terraform" / "upkeep"
VALUES: Final = {"restricted": "main", "settled_days": "32", "ledger_days": "400"}
SHOWN: Final = {
    "counts": "SELECT DISTINCT * FROM counts_current ORDER BY ALL",
    "candidates": "SELECT DISTINCT * FROM candidates_current ORDER BY ALL",
    "ledger": "SELECT DISTINCT * FROM ledger_latest ORDER BY ALL",
}


@pytest.fixture
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    """Yields a database with the restricted tables that the upkeep changes, and their views."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        views = ["counts_current", "candidates_current", "ledger_latest"]
        create_empty(connection, [COUNTS, CANDIDATES, LEDGER], views)
        yield connection


def upkeep(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    """Runs an upkeep query, in DuckDB's dialect."""
    text = (UPKEEP / f"{name}.sql").read_text()
    for key, value in VALUES.items():
        text = text.replace(f"${{{key}}}", value)
    (statement,) = sqlglot.transpile(text, read="bigquery", write="duckdb")
    connection.execute(statement)


def insert(connection: duckdb.DuckDBPyConnection, table: Table, row: dict[str, Any]) -> None:
    """Inserts a row; columns that are not given get a default."""
    defaults = {"STRING": "", "INT64": 0, "TIMESTAMP": None}
    values = [row.get(c.name, defaults[c.type]) for c in table.columns]
    marks = ", ".join("?" for _ in values)
    connection.execute(f"INSERT INTO {table.name} VALUES ({marks})", values)


def rows_of(connection: duckdb.DuckDBPyConnection, query: str) -> list[Any]:
    """Returns the rows of a query."""
    found: list[Any] = connection.execute(query).fetchall()
    return found


def day(ago: int) -> datetime:
    """Returns the start of a day so many days ago, UTC, without a zone."""
    now = datetime.now(UTC).replace(tzinfo=None)
    return now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=ago)


def count_row(ago: int, **values: Any) -> dict[str, Any]:
    """Returns a row of `counts` for a day so many days ago."""
    start = day(ago)
    row = {"window_kind": "day", "window_start": start, "window_end": start + timedelta(days=1)}
    return row | {"breakdown": "overall", "breakdown_value": "all", "origin": STREAM} | values


def test_superseded_counts_are_deleted(database: duckdb.DuckDBPyConnection) -> None:
    """Of an old day only the largest revision of the largest snapshot is left."""
    for snapshot, revision in ((1, 9), (2, 3), (2, 4)):
        insert(database, COUNTS, count_row(40, snapshot=snapshot, revision=revision))
    upkeep(database, "counts")
    assert rows_of(database, "SELECT snapshot, revision FROM counts") == [(2, 4)]


def test_a_stream_behind_a_backfill_is_deleted(database: duckdb.DuckDBPyConnection) -> None:
    """Once a backfill has counted an old day, the rows of the stream are void and go."""
    insert(database, COUNTS, count_row(40, generation=1))
    insert(database, COUNTS, count_row(40, generation=2, origin=BATCH))
    upkeep(database, "counts")
    assert rows_of(database, "SELECT generation FROM counts") == [(2,)]


def test_counts_that_may_change_are_kept(database: duckdb.DuckDBPyConnection) -> None:
    """Superseded rows of a recent day stay, because a stream may still write to it."""
    for revision in (1, 2):
        insert(database, COUNTS, count_row(32, revision=revision))
    upkeep(database, "counts")
    assert len(rows_of(database, "SELECT 1 FROM counts")) == 2


def test_a_long_window_is_kept_until_it_has_ended(database: duckdb.DuckDBPyConnection) -> None:
    """What counts is the end of a window, even if it began long ago."""
    for revision in (1, 2):
        row = count_row(60, window_kind="range", window_end=day(20), revision=revision)
        insert(database, COUNTS, row)
    upkeep(database, "counts")
    assert len(rows_of(database, "SELECT 1 FROM counts")) == 2


@pytest.mark.parametrize("seed", range(20))
def test_the_upkeep_changes_no_view(database: duckdb.DuckDBPyConnection, seed: int) -> None:
    """Whatever the rows, the view shows the same rows afterwards, and again after a second run."""
    chance = random.Random(seed)
    for _ in range(150):
        start = day(chance.choice((5, 40, 41)))
        kind, hours = chance.choice((("day", 24), ("hour", 1), ("range", 72)))
        insert(database, COUNTS, {
            "window_kind": kind, "window_start": start,
            "window_end": start + timedelta(hours=hours),
            "breakdown": "plan", "breakdown_value": chance.choice(("free", "pro")),
            "origin": chance.choice((STREAM, STREAM, BATCH)), "cells": "{}",
            "generation": chance.randrange(3), "snapshot": chance.randrange(2),
            "revision": chance.randrange(20),
        })  # fmt: skip
    before, kept = rows_of(database, SHOWN["counts"]), rows_of(database, "SELECT 1 FROM counts")
    for _ in range(2):
        upkeep(database, "counts")
        assert rows_of(database, SHOWN["counts"]) == before
    assert len(rows_of(database, "SELECT 1 FROM counts")) < len(kept)


def candidates_row(ago: int, hour: int = 0, **values: Any) -> dict[str, Any]:
    """Returns a row of `candidates` for an hour of a day so many days ago."""
    start = day(ago) + timedelta(hours=hour)
    row = {"window_start": start, "window_end": start + timedelta(hours=1)}
    return row | {"origin": STREAM, "candidates": "[]"} | values


def test_superseded_candidates_are_deleted(database: duckdb.DuckDBPyConnection) -> None:
    """Of an old hour the newest version is left, and of a recent one every version."""
    for ago in (40, 20):
        for revision in (1, 2):
            insert(database, CANDIDATES, candidates_row(ago, revision=revision))
    insert(database, CANDIDATES, candidates_row(41, generation=1))
    insert(database, CANDIDATES, candidates_row(41, generation=2, origin=BATCH, revision=7))
    upkeep(database, "candidates")
    kept = rows_of(database, "SELECT revision FROM candidates ORDER BY window_start, revision")
    assert kept == [(7,), (2,), (1,), (2,)]


@pytest.mark.parametrize("seed", range(10))
def test_the_upkeep_changes_no_view_of_candidates(
    database: duckdb.DuckDBPyConnection, seed: int
) -> None:
    """Whatever the rows, the view shows the same rows afterwards, and again after a second run."""
    chance = random.Random(seed)
    for _ in range(150):
        row = candidates_row(
            chance.choice((5, 40, 41)), chance.randrange(2),
            origin=chance.choice((STREAM, STREAM, BATCH)), generation=chance.randrange(3),
            snapshot=chance.randrange(2), revision=chance.randrange(20),
        )  # fmt: skip
        insert(database, CANDIDATES, row)
    before = rows_of(database, SHOWN["candidates"])
    kept = rows_of(database, "SELECT 1 FROM candidates")
    for _ in range(2):
        upkeep(database, "candidates")
        assert rows_of(database, SHOWN["candidates"]) == before
    assert len(rows_of(database, "SELECT 1 FROM candidates")) < len(kept)


def ledger_row(ago: int, **values: Any) -> dict[str, Any]:
    """Returns a row of `ledger` that was written so many days ago."""
    at = datetime.now(UTC) - timedelta(days=ago)
    row = {"run": 1, "account": "read", "revision": int(at.timestamp() * 1_000_000)}
    return row | {"origin": STREAM} | values


def test_superseded_totals_of_the_ledger_are_deleted(database: duckdb.DuckDBPyConnection) -> None:
    """Only the newest total of each account is left; rows that were just written stay."""
    for ago, records in ((9, 1), (8, 2), (3, 3), (1, 4), (0, 5)):
        insert(database, LEDGER, ledger_row(ago, records=records))
    before = rows_of(database, SHOWN["ledger"])
    upkeep(database, "ledger")
    assert rows_of(database, "SELECT records FROM ledger ORDER BY 1") == [(4,), (5,)]
    assert rows_of(database, SHOWN["ledger"]) == before


def test_the_ledger_of_a_run_expires_as_a_whole(database: duckdb.DuckDBPyConnection) -> None:
    """A run whose last row is old disappears; a run that still writes keeps all its accounts."""
    insert(database, LEDGER, ledger_row(401, run=1))
    insert(database, LEDGER, ledger_row(401, run=2, account="late"))
    insert(database, LEDGER, ledger_row(0, run=2))
    upkeep(database, "ledger")
    assert rows_of(database, "SELECT run, account FROM ledger ORDER BY ALL") == [
        (2, "late"), (2, "read"),
    ]  # fmt: skip

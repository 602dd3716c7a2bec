"""Tests the scheduled checks on balanced and unbalanced ledgers, and the log filters."""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Callable
from typing import Any, Final

import duckdb
import pytest
import sqlglot

from schemas.published import COMMITTED, WITHDRAWN
from schemas.tables import BATCH, LEDGER, STREAM
from tests.deploy.conftest import ROOT
from transforms.counting.ledger import FATES
from transforms.logs import log_event

CHECKS: Final = ROOT / "deploy" / "terraform" / "checks"
VALUES: Final = {
    "dataset": "main",
    "restricted": "main",
    "ledger_grace_min": "15",
    "backfill_age_hours": "26",
    "publication_age_hours": "48",
}
MINUTE_US: Final = 60_000_000
HOUR_US: Final = 60 * MINUTE_US

ORIGINS: Final = {"stream": STREAM, "backfill": BATCH}

Check = Callable[[str, list[tuple[str, int, str, int]]], str]


@pytest.fixture
def check() -> Check:
    """Returns a function that runs a check on rows of (run, minutes ago, account, records)."""

    def run(name: str, rows: list[tuple[str, int, str, int]]) -> str:
        now_us = time.time_ns() // 1000
        names: dict[str, int] = {}
        connection = duckdb.connect()
        columns = ", ".join(
            f"{c.name} {'BIGINT' if c.type == 'INT64' else 'TEXT'}" for c in LEDGER.columns
        )
        connection.execute(f"CREATE TABLE ledger ({columns})")
        for job, minutes, account, records in rows:
            revision = now_us - minutes * MINUTE_US
            number = names.setdefault(job, revision)
            connection.execute(
                "INSERT INTO ledger VALUES (?, ?, ?, ?, ?, ?)",
                [number, account, "", records, revision, ORIGINS[job]],
            )
        try:
            found = connection.execute(query_of(name)).fetchone()
        except duckdb.Error as error:
            return str(error)
        assert found is not None
        return str(found[0])

    return run


def query_of(name: str) -> str:
    """Returns a check's query, in DuckDB's dialect."""
    text = (CHECKS / f"{name}.sql").read_text()
    for key, value in VALUES.items():
        text = text.replace(f"${{{key}}}", value)
    (statement,) = sqlglot.transpile(text, read="bigquery", write="duckdb")
    return statement


def test_a_ledger_that_balances_passes(check: Check) -> None:
    """Records that were read within the grace period may still lack an outcome."""
    rows = [
        ("stream", 60, "read", 100), ("stream", 60, "counted", 90),
        ("stream", 1, "read", 200), ("stream", 1, "counted", 140), ("stream", 1, "late", 10),
    ]  # fmt: skip
    assert check("ledger", rows) == "balances"


def test_a_lost_record_fails_the_check(check: Check) -> None:
    """If records read before the grace period have no outcome, the error says how many."""
    rows = [
        ("stream", 90, "read", 50), ("stream", 90, "counted", 50),
        ("stream", 60, "read", 100), ("stream", 60, "counted", 90), ("stream", 60, "late", 7),
    ]  # fmt: skip
    assert "the ledger does not balance: 3 records" in check("ledger", rows)


def test_a_row_written_twice_is_counted_once(check: Check) -> None:
    """If a row of the ledger is written twice, the copy neither hides a loss nor looks like one."""
    read, met = ("stream", 60, "read", 100), ("stream", 60, "counted", 60)
    first = [("stream", 90, "read", 10), ("stream", 90, "counted", 10)]
    assert "40 records" in check("ledger", [*first, read, met, met])
    assert check("ledger", [*first, read, read, ("stream", 60, "counted", 100)]) == "balances"


def test_a_backfill_does_not_hide_the_stream(check: Check) -> None:
    """The ledger check ignores a newer bounded run, even if that run balances."""
    rows = [
        ("stream", 120, "read", 100), ("stream", 60, "read", 100),
        ("backfill", 30, "read", 5), ("backfill", 30, "counted", 5),
    ]  # fmt: skip
    assert "100 records" in check("ledger", rows)


def test_a_ledger_without_a_stream_passes(check: Check) -> None:
    """Before the first record, nothing can be lost."""
    assert check("ledger", []) == "balances"


def test_a_recent_backfill_passes(check: Check) -> None:
    """One bounded run in the last hours is enough, even if a stream is running."""
    rows = [("stream", 9000, "read", 1), ("stream", 1, "read", 2), ("backfill", 600, "read", 5)]
    assert check("backfill", rows) == "succeeded"


@pytest.mark.parametrize("rows", [[], [("backfill", 27 * 60, "read", 5)]])
def test_a_missing_backfill_fails_the_check(check: Check, rows: list[Any]) -> None:
    """The check fails if there is no backfill, or only an old one."""
    assert "no backfill has succeeded in 26 hours" in check("backfill", rows)


def test_a_stream_does_not_count_as_a_backfill(check: Check) -> None:
    """Recent rows of a stream do not count as a backfill."""
    rows = [("stream", 60, "read", 1), ("stream", 1, "read", 2)]
    assert "no backfill has succeeded" in check("backfill", rows)


@pytest.fixture
def publication_check() -> Callable[[int, list[tuple[int, str]]], str]:
    """Returns a function that runs the check of publications.

    It takes the age of the first run in hours, and (hours ago, status) of each receipt.
    """

    def run(first_run: int, receipts: list[tuple[int, str]]) -> str:
        now_us = time.time_ns() // 1000
        with duckdb.connect() as connection:
            connection.execute("CREATE TABLE ledger (run BIGINT)")
            connection.execute("CREATE TABLE publications (attempt BIGINT, status TEXT)")
            connection.execute("INSERT INTO ledger VALUES (?)", [now_us - first_run * HOUR_US])
            for hours, status in receipts:
                row = [now_us - hours * HOUR_US, status]
                connection.execute("INSERT INTO publications VALUES (?, ?)", row)
            try:
                found = connection.execute(query_of("publication")).fetchone()
            except duckdb.Error as error:
                return str(error)
        assert found is not None
        return str(found[0])

    return run


PublicationCheck = Callable[[int, list[tuple[int, str]]], str]


def test_a_recent_publication_passes(publication_check: PublicationCheck) -> None:
    """One publication in the last two days is enough."""
    assert publication_check(2000, [(90, COMMITTED), (47, COMMITTED)]) == "published"


@pytest.mark.parametrize("receipts", [[], [(49, COMMITTED)], [(49, COMMITTED), (1, WITHDRAWN)]])
def test_a_missing_publication_fails_the_check(
    publication_check: PublicationCheck, receipts: list[tuple[int, str]]
) -> None:
    """The check fails if nothing was published for two days; a withdrawal does not count."""
    assert "nothing was published in the last 48 hours" in publication_check(2000, receipts)


def test_a_new_deployment_has_time_to_publish(publication_check: PublicationCheck) -> None:
    """In its first five days, a deployment need not have published anything."""
    assert publication_check(119, []) == "published"


def test_the_check_knows_every_fate() -> None:
    """The SQL of the check lists the same outcomes as the code."""
    listed = re.search(r"IN \(([^)]+)\)", (CHECKS / "ledger.sql").read_text())
    assert listed is not None
    assert tuple(re.findall(r"'(\w+)'", listed[1])) == FATES


@pytest.mark.parametrize(
    ("event", "label", "value"),
    [("dead_letter", "reason", "undecodable"), ("row_refused", "table", "ledger")],
)
def test_log_metrics_match_the_log_lines(
    event: str, label: str, value: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The filter matches the line that a worker logs, and the extractor finds the line's label."""
    caplog.set_level(logging.WARNING, logger="undertone")
    fields: dict[str, Any] = {label: value, "source": "x"}
    log_event(event, key=f"{event}/{time.monotonic_ns()}", **fields)
    line = caplog.messages[-1]
    assert json.loads(line)["event"] == event
    text = (ROOT / "deploy" / "terraform" / "monitoring.tf").read_text()
    filters = [json.loads(f'"{found}"') for found in re.findall(r'message:"(.+)"\n', text)]
    assert [one for one in filters if one in line] == [f'"event": "{event}"']
    (extractor,) = re.findall(
        rf'{label} = "REGEXP_EXTRACT\(jsonPayload.message, \\"(.+)\\"\)"', text
    )
    found = re.search(json.loads(f'"{json.loads(chr(34) + extractor + chr(34))}"'), line)
    assert found is not None
    assert found[1] == value

"""Tests that the dashboard's queries run: sources read views, and pages read sources."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import duckdb
import pytest
import sqlglot

from deploy.evidence.snapshot import PROJECT, SOURCES, views_read, write_snapshot
from pipelines.sinks.database import DATABASE_FILE, query_run
from schemas.failures import InputError
from schemas.views import PUBLISHED_VIEWS
from tests.builders import MONDAY_US
from tests.builders_report import (
    MONDAY,
    TUESDAY,
    WHOLE_RUN,
    database_of,
    every_measure,
    receipt,
)
from transforms.counting.windows import month_of, week_of

PAGES: Final = sorted((PROJECT / "pages").glob("*.md"))
QUERIES: Final = sorted(SOURCES.glob("*.sql"))
CHOICES: Final = {
    "window": ("day", "week", "month", "range"),
    "scope": ("all", "long"),
    "breakdown.value": ("platform",),
    "type.value": ("coaching",),
}
"""The values that a reader may choose in the inputs of the pages."""
_BLOCK: Final = re.compile(r"```sql (\w+)\n(.*?)```", re.DOTALL)
_INPUT: Final = re.compile(r"\$\{inputs\.([\w.]+)\}")
_QUERY: Final = re.compile(r"\$\{(\w+)\}")
_COMPONENT: Final = re.compile(r"<(\w+) data=\{(\w+)\}([^>]*)>((?:\s*<Column [^>]*/>)*)")
_COLUMN: Final = re.compile(r"\b(?:id|value|x|y)=(\w+)")
_READ_BY_DEFAULT: Final = {
    "OverTime": {"window_start", "share", "low", "high"},
    "Intervals": {"label", "share", "low", "high"},
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a run with rows for every part of the dashboard."""
    windows = (MONDAY, week_of(MONDAY_US), month_of(MONDAY_US), WHOLE_RUN)
    rows = [each for window in windows for each in every_measure(window)]
    return database_of(tmp_path_factory.mktemp("run"), *rows)


@pytest.fixture(scope="module")
def sources(run: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yields the database of the pages for the run."""
    with duckdb.connect() as connection:
        _show(connection, write_snapshot(run, run.parent))
        yield connection


def _show(connection: duckdb.DuckDBPyConnection, snapshot: Path) -> None:
    """Makes each source of the pages a table in the schema `shown`."""
    connection.execute(f"ATTACH '{snapshot}' AS undertone (READ_ONLY)")
    connection.execute("CREATE SCHEMA shown")
    for file in QUERIES:
        sql = file.read_text("utf-8").replace("${dataset}", "undertone")
        connection.execute(f"CREATE TABLE shown.{file.stem} AS {sql}")


def _filled(sql: str, queries: dict[str, str], choice: int) -> str:
    def value(match: re.Match[str]) -> str:
        values = CHOICES[match[1]]
        return values[choice % len(values)]

    sql = _INPUT.sub(value, sql)
    sql = _QUERY.sub(lambda match: f"({_filled(queries[match[1]], queries, choice)})", sql)
    return sql.replace("undertone.", "shown.")


@pytest.mark.parametrize("file", QUERIES, ids=lambda file: file.stem)
def test_source_is_bigquery_over_our_views(file: Path, run: Path) -> None:
    """Each source is BigQuery SQL over published views, and gives equal rows in both dialects."""
    sql = file.read_text("utf-8")
    tree = sqlglot.parse_one(sql.replace("${dataset}", "data"), read="bigquery")
    assert {table.name for table in tree.find_all(sqlglot.exp.Table)} <= set(PUBLISHED_VIEWS)
    translated = query_run(run, sql.replace("${dataset}", "{dataset}"))
    with duckdb.connect(str(run / DATABASE_FILE), read_only=True) as connection:
        rows = connection.execute(sql.replace("${dataset}", "main")).fetchall()
    assert sorted(map(repr, rows)) == sorted(repr(tuple(r.values())) for r in translated)
    assert rows


@pytest.mark.parametrize("choice", range(4))
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_queries_of_a_page_run(page: Path, choice: int, sources: duckdb.DuckDBPyConnection) -> None:
    """Each query of a page runs for every choice of the reader, and returns the columns shown."""
    text = page.read_text("utf-8")
    queries = dict(_BLOCK.findall(text))
    assert queries
    columns = {
        name: {c[0] for c in sources.execute(_filled(sql, queries, choice)).description or ()}
        for name, sql in queries.items()
    }
    components = _COMPONENT.findall(text)
    assert components
    for component, data, attributes, inner in components:
        named = set(_COLUMN.findall(attributes + inner)) | _READ_BY_DEFAULT.get(component, set())
        assert named <= columns[data], (component, data)


@pytest.mark.parametrize("choice", range(4))
def test_pages_find_rows(choice: int, sources: duckdb.DuckDBPyConnection) -> None:
    """If a run has rows for every part of the dashboard, no query of a page is empty."""
    for page in PAGES:
        queries = dict(_BLOCK.findall(page.read_text("utf-8")))
        for name, sql in queries.items():
            rows = sources.execute(_filled(sql, queries, choice)).fetchall()
            assert rows, (page.stem, name)


def test_a_window_without_a_figure_is_a_gap(tmp_path: Path) -> None:
    """A line over time has a row for every window; one without a figure is null."""
    publications = [receipt(MONDAY), receipt(TUESDAY)]
    folder = database_of(tmp_path, *every_measure(MONDAY), publications=publications)
    (tmp_path / "copy").mkdir()
    with duckdb.connect() as connection:
        _show(connection, write_snapshot(folder, tmp_path / "copy"))
        queries = dict(_BLOCK.findall((PROJECT / "pages" / "index.md").read_text("utf-8")))
        found = connection.execute(_filled(queries["affective"], queries, 0)).fetchall()
    shares = [row[2] for row in found]
    assert shares == [pytest.approx(200 / 900), None]


def test_snapshot_can_be_read_by_older_duckdb(run: Path, tmp_path: Path) -> None:
    """The snapshot has DuckDB 1.2's storage version, and a table for each view that pages read."""
    file = write_snapshot(run, tmp_path)
    assert file.read_bytes()[8:16] == b"DUCKA\0\0\0"
    with duckdb.connect(str(file), read_only=True) as connection:
        names = connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
    assert sorted(name for (name,) in names) == views_read()


def test_snapshot_of_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    """For a folder without a database, the error says what to give instead."""
    with pytest.raises(InputError, match="give the folder of a finished run"):
        write_snapshot(tmp_path)

"""The local database is built from a run's tables, and always replaced as a whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.sinks.database import build_databases, query_run
from schemas.failures import InputError
from schemas.published import AGGREGATES, PUBLISHED_TABLES
from schemas.tables import DEAD_LETTERS, LEDGER, RESTRICTED_TABLES
from tests.run_folders import (
    LEDGER_ENTRIES,
    aggregate_row,
    counted,
    counts_row,
    published,
    query,
    tables_of,
    write_table,
)


def test_missing_files_give_empty_tables(tmp_path: Path) -> None:
    """The database of a run without Parquet files still has all tables."""
    build_databases(tmp_path)
    for folder, tables in (
        (tmp_path, PUBLISHED_TABLES),
        (tmp_path / "restricted", RESTRICTED_TABLES),
    ):
        assert [query(folder, f"FROM {table.name}") for table in tables] == [[]] * len(tables)


def test_only_the_restricted_database_has_exact_counts(tmp_path: Path) -> None:
    """The published database has neither counts nor ledger; one query may read both databases."""
    folder = counted(tmp_path, counts_row(20))
    names = {r["table_name"] for r in query(folder, "SELECT table_name FROM duckdb_tables()")}
    assert names == {table.name for table in PUBLISHED_TABLES}
    sql = (
        "SELECT c.conversations, (SELECT COUNT(*) FROM `{dataset}.publications`) AS published "
        "FROM `{restricted}.counts_current` AS c"
    )
    assert query_run(folder, sql) == [{"conversations": 20, "published": 0}]


def test_rows_come_from_every_file_of_a_table(tmp_path: Path) -> None:
    """All shards of a table are read, including empty ones, whatever the folder's name."""
    folder = tmp_path / "run [1] *"
    write_table(folder, LEDGER, LEDGER_ENTRIES)
    shard = tables_of(folder, LEDGER) / "ledger-00000-of-00001.parquet"
    shard.rename(shard.with_name("ledger-00001-of-00002.parquet"))
    write_table(folder, LEDGER, [])
    build_databases(folder)
    assert len(query(folder / "restricted", "FROM ledger")) == len(LEDGER_ENTRIES)


def test_columns_are_explained(tmp_path: Path) -> None:
    """The database has the descriptions of tables, columns and views."""
    folder = counted(tmp_path) / "restricted"
    found = query(folder, "SELECT column_name, comment FROM duckdb_columns() WHERE NOT internal "
                          "AND table_name = 'dead_letters'")  # fmt: skip
    assert {f["column_name"]: f["comment"] for f in found} == {
        column.name: column.description for column in DEAD_LETTERS.columns
    }
    views = query(folder, "SELECT comment FROM duckdb_views() WHERE NOT internal")
    assert all(view["comment"] for view in views)


def test_instants_are_utc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An instant is stored in UTC without a zone, whatever the machine's time zone."""
    monkeypatch.setenv("TZ", "America/Los_Angeles")
    folder = published(tmp_path, aggregate_row(20))
    (found,) = query(folder, "SELECT typeof(window_start) AS t, window_start::VARCHAR AS at "
                             "FROM aggregates")  # fmt: skip
    assert found == {"t": "TIMESTAMP", "at": "2025-06-02 00:00:00"}


def test_rebuilding_replaces_the_database(tmp_path: Path) -> None:
    """A rebuilt database has only the new rows, and no temporary files are left."""
    published(tmp_path, aggregate_row(20))
    folder = published(tmp_path, aggregate_row(30))
    assert [r["conversations"] for r in query(folder, "FROM aggregates")] == [30]
    names = sorted(p.name for p in folder.iterdir())
    assert names == ["restricted", "tables", "undertone.duckdb"]


@pytest.mark.parametrize("content", [b"", b"PAR1 no parquet"])
def test_a_broken_file_is_named_and_the_database_is_kept(content: bytes, tmp_path: Path) -> None:
    """A file that is not Parquet is named, and the existing database is kept."""
    folder = published(tmp_path, aggregate_row(20))
    write_table(folder, AGGREGATES, []).write_bytes(content)
    with pytest.raises(InputError, match=r"aggregates-00000-of-00001\.parquet"):
        build_databases(folder)
    assert len(query(folder, "FROM aggregates")) == 1


def test_file_of_another_version_is_refused(tmp_path: Path) -> None:
    """If a file lacks a column of its table, it is refused and the error names the column."""
    shard = write_table(tmp_path, LEDGER, LEDGER_ENTRIES)
    shard.rename(shard.with_name(f"{DEAD_LETTERS.name}-00000-of-00001.parquet"))
    with pytest.raises(InputError, match="'stage'"):
        build_databases(tmp_path)

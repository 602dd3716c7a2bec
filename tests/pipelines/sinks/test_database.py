"""The local database is built from a run's tables, and always replaced as a whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.sinks.database import build_database
from schemas.failures import InputError
from schemas.tables import AGGREGATES, DEAD_LETTERS, LEDGER, TABLES
from tests.builders_report import LEDGER_ENTRIES, database_of, query, row, write_table


def test_missing_files_give_empty_tables(tmp_path: Path) -> None:
    """The database of a run without Parquet files still has all tables."""
    path = build_database(tmp_path)
    assert path == tmp_path / "undertone.duckdb"
    assert [query(tmp_path, f"FROM {table.name}") for table in TABLES] == [[]] * len(TABLES)


def test_rows_come_from_every_file_of_a_table(tmp_path: Path) -> None:
    """All shards of a table are read, including empty ones, whatever the folder's name."""
    folder = tmp_path / "run [1] *"
    write_table(folder, LEDGER, LEDGER_ENTRIES)
    shard = folder / "tables" / "ledger-00000-of-00001.parquet"
    shard.rename(shard.with_name("ledger-00001-of-00002.parquet"))
    write_table(folder, LEDGER, [])
    build_database(folder)
    assert len(query(folder, "FROM ledger")) == len(LEDGER_ENTRIES)


def test_columns_are_explained(tmp_path: Path) -> None:
    """The database has the descriptions of tables, columns and views."""
    folder = database_of(tmp_path)
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
    folder = database_of(tmp_path, row(20))
    (found,) = query(folder, "SELECT typeof(window_start) AS t, window_start::VARCHAR AS at "
                             "FROM aggregates")  # fmt: skip
    assert found == {"t": "TIMESTAMP", "at": "2025-06-02 00:00:00"}


def test_rebuilding_replaces_the_database(tmp_path: Path) -> None:
    """A rebuilt database has only the new rows, and no temporary files are left."""
    database_of(tmp_path, row(20))
    folder = database_of(tmp_path, row(30))
    assert [r["conversations"] for r in query(folder, "FROM aggregates")] == [30]
    assert sorted(p.name for p in folder.iterdir()) == ["tables", "undertone.duckdb"]


@pytest.mark.parametrize("content", [b"", b"PAR1 no parquet"])
def test_a_broken_file_is_named_and_the_database_is_kept(content: bytes, tmp_path: Path) -> None:
    """A file that is not Parquet is named, and the existing database is kept."""
    folder = database_of(tmp_path, row(20))
    (folder / "tables" / "ledger-00000-of-00001.parquet").write_bytes(content)
    with pytest.raises(InputError, match=r"ledger-00000-of-00001\.parquet"):
        build_database(folder)
    assert len(query(folder, "FROM aggregates")) == 1


def test_file_of_another_version_is_refused(tmp_path: Path) -> None:
    """If a file lacks a column of its table, it is refused and the error names the column."""
    write_table(tmp_path, LEDGER, LEDGER_ENTRIES)
    shard = tmp_path / "tables" / "ledger-00000-of-00001.parquet"
    shard.rename(shard.with_name(f"{AGGREGATES.name}-00000-of-00001.parquet"))
    with pytest.raises(InputError, match="'window_start'"):
        build_database(tmp_path)

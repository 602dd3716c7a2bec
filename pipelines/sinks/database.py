"""The local databases: a run's Parquet files as DuckDB tables, with the same views as in BigQuery.

As in BigQuery, there are two: one with what is published, and one with the exact counts, in a
folder of its own. Only the first may be given away.

Instants are stored as UTC without a zone, so that a day is the UTC day in every session's zone.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa
import sqlglot
from pyarrow import dataset
from pyarrow import parquet as pq

from schemas.failures import InputError
from schemas.published import PUBLISHED_TABLES
from schemas.table import Table
from schemas.tables import RESTRICTED_TABLES
from schemas.views import PUBLISHED_VIEWS, RESTRICTED_VIEWS, view_description, view_sql

DATABASE_FILE: Final = "undertone.duckdb"
TABLES_FOLDER: Final = "tables"
RESTRICTED_FOLDER: Final = "restricted"
"""Folder of a run with the exact counts, the ledger and the dead letters: a folder like the run's
own, with a database and a folder of tables."""

_DATASET: Final = "main"
_RESTRICTED: Final = "restricted"
_DUCKDB_TYPES: Final = {
    "STRING": "VARCHAR",
    "INT64": "BIGINT",
    "FLOAT64": "DOUBLE",
    "TIMESTAMP": "TIMESTAMP",
}


def build_databases(folder: Path) -> None:
    """Builds both databases of a run from its Parquet files.

    Args:
      folder: output folder of the run. Its files are `tables/<table>-*.parquet` and
        `restricted/tables/<table>-*.parquet`; any of them may be missing.

    Guarantees: an existing database is replaced as a whole or not at all.

    Raises:
      InputError: if a file is not Parquet or its columns differ from those of its table.
    """
    _build(folder, PUBLISHED_TABLES, PUBLISHED_VIEWS)
    _build(folder / RESTRICTED_FOLDER, RESTRICTED_TABLES, RESTRICTED_VIEWS)


def _build(folder: Path, tables: Sequence[Table], views: Sequence[str]) -> None:
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".undertone-", dir=folder) as scratch:
        building = Path(scratch) / DATABASE_FILE
        with duckdb.connect(str(building)) as connection:
            create_empty(connection, tables, views)
            for table in tables:
                _load(connection, table, sorted((folder / TABLES_FOLDER).glob(_pattern(table))))
            # Closing does this too, but does not report a full disk.
            connection.execute("CHECKPOINT")
        os.replace(building, folder / DATABASE_FILE)


def create_empty(
    connection: duckdb.DuckDBPyConnection, tables: Sequence[Table], views: Sequence[str]
) -> None:
    """Creates tables, without rows, and views over them."""
    for table in tables:
        _create_table(connection, table)
    for view in views:
        _create_view(connection, view)


@cache
def duckdb_view_sql(name: str) -> str:
    """Returns the query of a view in DuckDB's dialect."""
    # A database has the tables of one dataset only, so both names stand for it.
    return _translated(view_sql(name, _DATASET, _DATASET))


def query_run(folder: Path, sql: str) -> list[dict[str, Any]]:
    """Returns the rows of a query over a run's databases, as `bigquery.query` does over datasets.

    Args:
      folder: output folder of the run.
      sql: the query in BigQuery's dialect. `{dataset}` stands for what is published, and
        `{restricted}` for the exact counts.

    Raises:
      InputError: if the folder has no database, or its database is from a different version.
    """
    file = folder / DATABASE_FILE
    if not file.exists():
        raise InputError(f"{folder} has no {DATABASE_FILE}; give the folder of a finished run")
    try:
        with duckdb.connect(str(file), read_only=True) as connection:
            restricted = folder / RESTRICTED_FOLDER / DATABASE_FILE
            if "{restricted}" in sql:
                connection.execute(
                    f"ATTACH {_literal(str(restricted))} AS {_RESTRICTED} (READ_ONLY)"
                )
            named = sql.replace("{dataset}", _DATASET).replace("{restricted}", _RESTRICTED)
            cursor = connection.execute(_translated(named))
            names = [column[0] for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    except duckdb.Error:
        raise InputError(
            f"{file} can't be read; it is damaged or of another version, so run again into a new "
            "folder"
        ) from None


def _translated(sql: str) -> str:
    (query,) = sqlglot.transpile(sql, read="bigquery", write="duckdb")
    return query


def _pattern(table: Table) -> str:
    return f"{table.name}-*.parquet"


def _create_table(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    columns = ", ".join(
        f'"{c.name}" {_DUCKDB_TYPES[c.type]}{" NOT NULL" if c.required else ""}'
        for c in table.columns
    )
    connection.execute(f'CREATE TABLE "{table.name}" ({columns})')
    connection.execute(f'COMMENT ON TABLE "{table.name}" IS {_literal(table.description)}')
    for c in table.columns:
        connection.execute(
            f'COMMENT ON COLUMN "{table.name}"."{c.name}" IS {_literal(c.description)}'
        )


def _load(connection: duckdb.DuckDBPyConnection, table: Table, files: list[Path]) -> None:
    if not files:
        return
    for file in files:
        _check(file, table)
    # Converted by epoch_us, because a cast would use the session's zone.
    columns = ", ".join(
        f'make_timestamp(epoch_us("{c.name}"))' if c.type == "TIMESTAMP" else f'"{c.name}"'
        for c in table.columns
    )
    # Read through Arrow, because DuckDB reads brackets in a path as a pattern.
    rows = dataset.dataset([str(file) for file in files], table.arrow_schema(), "parquet")
    connection.register("incoming", rows)
    connection.execute(f'INSERT INTO "{table.name}" SELECT {columns} FROM incoming')
    connection.unregister("incoming")


def _check(file: Path, table: Table) -> None:
    try:
        found = pq.read_schema(file)
    except pa.ArrowInvalid as error:
        raise InputError(
            f"{file.name} can't be read as Parquet; delete the folder's tables and run again"
        ) from error
    expected = table.arrow_schema()
    for field in expected:
        if field.name not in found.names or found.field(field.name).type != field.type:
            raise InputError(
                f"{file.name} has no column {field.name!r} of type {field.type}; it was written by "
                "another version, so run again into a new folder"
            )


def _create_view(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    connection.execute(f'CREATE VIEW "{name}" AS {duckdb_view_sql(name)}')
    connection.execute(f'COMMENT ON VIEW "{name}" IS {_literal(view_description(name))}')


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"

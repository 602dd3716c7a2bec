"""Copies a local run's views into tables for the dashboard: `python -m deploy.evidence.snapshot`.

Evidence has its own DuckDB, which is older than ours. The older DuckDB can't open a run's database.
It also needs minutes for views that ours computes in a second. But it can read plain tables in an
older format.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import duckdb

from pipelines.sinks.database import DATABASE_FILE
from pipelines.terminal.errors import exit_code_of
from schemas.failures import InputError

PROJECT: Final = Path(__file__).parent
SOURCES: Final = PROJECT / "sources" / "undertone"
_READABLE_SINCE: Final = "v1.2.0"
_READ: Final = re.compile(r"\$\{dataset\}\.(\w+)")


def views_read() -> list[str]:
    """Returns the views that the dashboard's sources read."""
    queries = (file.read_text("utf-8") for file in SOURCES.glob("*.sql"))
    return sorted({name for query in queries for name in _READ.findall(query)})


def write_snapshot(run: Path, folder: Path = PROJECT) -> Path:
    """Copies the dashboard's views into tables of a new database, and returns its file.

    Guarantees: an existing snapshot is replaced as a whole or not at all.

    Raises:
      InputError: if the run's folder has no database.
    """
    if not (run / DATABASE_FILE).is_file():
        raise InputError(f"{run} has no {DATABASE_FILE}; give the folder of a finished run")
    target = folder / DATABASE_FILE
    with tempfile.TemporaryDirectory(prefix=".undertone-", dir=folder) as scratch:
        building = Path(scratch) / DATABASE_FILE
        settings = {"storage_compatibility_version": _READABLE_SINCE}
        with duckdb.connect(str(building), config=settings) as connection:
            source = str(run / DATABASE_FILE).replace("'", "''")
            connection.execute(f"ATTACH '{source}' AS run (READ_ONLY)")
            for name in views_read():
                connection.execute(f'CREATE TABLE "{name}" AS FROM run.main."{name}"')
        os.replace(building, target)
    return target


def run(argv: Sequence[str]) -> None:
    """Copies a run, as the given arguments say."""
    parser = argparse.ArgumentParser(
        prog="python -m deploy.evidence.snapshot",
        description="Copies the figures of a local run into a database that the dashboard reads.",
    )
    parser.add_argument("run", type=Path, help="folder of a finished run, e.g. out/demo/run")
    write_snapshot(parser.parse_args(argv).run)


def main() -> int:
    """Copies a run, as the command line says; returns the exit code."""
    return exit_code_of(lambda: run(sys.argv[1:]))


if __name__ == "__main__":
    sys.exit(main())

"""Tests that table hashes depend on the rows, but not on the rows' times or order."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from deploy.local.compare import RUN_TABLES, table_hashes
from schemas.failures import InputError
from schemas.records import LedgerTotal
from schemas.tables import LEDGER

READ = LedgerTotal(run=7, account="read", reason="", records=5, revision=7)
COUNTED = LedgerTotal(run=7, account="counted", reason="", records=5, revision=7)


def run_of(folder: Path, *rows: LedgerTotal) -> Path:
    """Writes the tables of a run; all tables except the ledger are empty."""
    (folder / "tables").mkdir(parents=True)
    for table in RUN_TABLES:
        written = [table.row(row) for row in rows] if table is LEDGER else []
        parquet = pa.Table.from_pylist(written, table.arrow_schema())
        pq.write_table(parquet, folder / "tables" / f"{table.name}-00000-of-00001.parquet")
    return folder


def test_time_and_order_do_not_matter(tmp_path: Path) -> None:
    """The same rows have the same hashes in a later run and in a different order."""
    later = [LedgerTotal(9, row.account, row.reason, row.records, 9) for row in (COUNTED, READ)]
    first = table_hashes(run_of(tmp_path / "first", READ, COUNTED))
    assert table_hashes(run_of(tmp_path / "later", *later)) == first


@pytest.mark.parametrize("rows", [(READ,), (READ, COUNTED, COUNTED)], ids=["lost", "twice"])
def test_each_row_matters(rows: tuple[LedgerTotal, ...], tmp_path: Path) -> None:
    """A missing or repeated row changes only the hash of the table that it belongs to."""
    whole = table_hashes(run_of(tmp_path / "whole", READ, COUNTED))
    other = table_hashes(run_of(tmp_path / "other", *rows))
    assert [name for name in whole if whole[name] != other[name]] == ["ledger"]


def test_a_missing_table_is_an_error(tmp_path: Path) -> None:
    """A folder without tables is an error; it does not count as a run without rows."""
    with pytest.raises(InputError, match="has no table publications"):
        table_hashes(tmp_path)

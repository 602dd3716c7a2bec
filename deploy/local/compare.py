"""Compares the results of two runs over the same events, in BigQuery or in folders."""

from __future__ import annotations

import hashlib
import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import pyarrow.parquet as pq

from pipelines.sinks.bigquery import Dataset, query
from pipelines.sinks.database import TABLES_FOLDER, query_run
from schemas.counts import BASES, COUNTS
from schemas.failures import InputError
from schemas.published import PUBLISHED_TABLES
from schemas.records import LedgerEntry
from schemas.table import Table
from schemas.tables import BATCH, DEAD_LETTERS, LEDGER, STREAM
from transforms.counting import ledger
from transforms.counting.cells import Sums
from transforms.counting.places import Cells, add_overlapping, cells_of_text
from transforms.facets.registry import SLICES

_COUNTS_SQL: Final = """\
SELECT
  window_kind, UNIX_MICROS(window_start) AS start_us, breakdown, breakdown_value, cells
FROM `{restricted}.counts_current`
WHERE window_kind IN ('hour', 'day')
"""
_ACCOUNTS_SQL: Final = (
    "SELECT account, reason, records FROM `{restricted}.ledger_latest` WHERE records != 0 "
    "AND run = (SELECT MAX(run) FROM `{restricted}.ledger_latest` WHERE origin = '{origin}')"
)
RUN_TABLES: Final = (*PUBLISHED_TABLES, COUNTS, BASES, DEAD_LETTERS, LEDGER)
"""The tables that a local run writes."""
_TIME_COLUMNS: Final = ("generation", "revision", "snapshot", "attempt", "run", "ingested_at")
"""Columns with the start of a bounded run, or with the time at which a row was written."""
_SHOWN: Final = 3
_ON_THEIR_WAY_S: Final = 120.0
"""Without heartbeats, Beam's in-process runner may pause for half a minute before each step."""
_UNREPEATED: Final = (ledger.COUNTED, ledger.CONVERSATION, ledger.TALLIED)
"""Ledger accounts that do not change when an event is read twice."""

Accounts = dict[tuple[str, str], int]
"""The number of records, by account and reason."""

Counted = dict[tuple[Any, ...], Sums]
"""Exact sums by window (kind and start), breakdown, value, facet and facet value."""


def differences(dataset: Dataset, run: Path, heartbeats: int = 0, repeated: int = 0) -> list[str]:
    """Returns how a stream's counts and ledger differ from a batch run's; empty if they are equal.

    Args:
      dataset: the dataset; only the stream may have written to it.
      run: folder of `undertone run` over the same events.
      heartbeats: number of system turns that only the stream read. The sender must have stopped,
        and the stream must have read them all: see `is_settled`.
      repeated: number of events that the stream may have read twice, because the stream's source
        may repeat events.
    """
    found = row_differences(dataset, run)
    return found + account_differences(
        accounts_of(dataset), _accounts_of_run(run), heartbeats, repeated
    )


def account_differences(
    stream: Accounts, batch: Accounts, heartbeats: int = 0, repeated: int = 0
) -> list[str]:
    """Returns how a stream's ledger differs from a batch run's; empty if they are equal.

    Args:
      stream: the stream's accounts.
      batch: the batch run's accounts.
      heartbeats: number of system turns that only the stream read.
      repeated: number of events that the stream may have read twice.
    """
    stream = dict(stream)
    for account in (ledger.READ, ledger.SYSTEM_TURN):
        stream[account, ""] = stream.get((account, ""), 0) - heartbeats
    found = [problem] if (problem := imbalance_of(stream)) else []
    keys = sorted(stream.keys() | batch.keys())
    if repeated:
        keys = [key for key in keys if key[0] in _UNREPEATED]
    return found + [
        f"{account} {reason}".rstrip()
        + f": {stream.get((account, reason), 0)} in the stream, "
        + f"{batch.get((account, reason), 0)} in the batch"
        for account, reason in keys
        if stream.get((account, reason), 0) != batch.get((account, reason), 0)
    ]


def row_differences(dataset: Dataset, run: Path, *, may_lack_users: bool = False) -> list[str]:
    """Returns how a dataset's current counts differ from a batch run's; empty if they are equal.

    Only hours and days are compared, because a stream counts no other windows.

    Args:
      dataset: a published dataset. A stream, a backfill or both wrote its exact counts.
      run: folder of `undertone run` over the same events.
      may_lack_users: as in `count_differences`.
    """
    batch = _counts_of(query_run(run, _COUNTS_SQL))
    return count_differences(current_counts(dataset), batch, may_lack_users=may_lack_users)


def count_differences(
    deployed: Counted, batch: Counted, *, may_lack_users: bool = False
) -> list[str]:
    """Returns a line for each of the first cells that differ; empty if all cells are equal.

    Args:
      deployed: the counts of a dataset.
      batch: the counts of a batch run.
      may_lack_users: whether a dataset's cell may have fewer users than the batch's. If several
        generations counted a cell, its users are only a lower bound.
    """

    def is_same(cell: tuple[Any, ...]) -> bool:
        ours, theirs = deployed.get(cell), batch.get(cell)
        if may_lack_users and ours and theirs and ours.users <= theirs.users:
            return ours._replace(users=theirs.users) == theirs
        return ours == theirs

    differing = [cell for cell in deployed.keys() | batch.keys() if not is_same(cell)]
    return [
        f"{cell}: {deployed.get(cell)} in the dataset, {batch.get(cell)} in the batch"
        for cell in sorted(differing)[:_SHOWN]
    ]


def settled_differences(
    dataset: Dataset, run: Path, heartbeats: int = 0, repeated: int = 0
) -> list[str]:
    """Waits up to two minutes for the `differences` to disappear; returns those that are left.

    The wait is needed because some rows may not have been written yet.
    """
    return _once_settled(lambda: differences(dataset, run, heartbeats, repeated))


def settled_row_differences(
    dataset: Dataset, run: Path, *, may_lack_users: bool = False
) -> list[str]:
    """Returns the `row_differences`, after waiting in the same way as `settled_differences`."""
    return _once_settled(lambda: row_differences(dataset, run, may_lack_users=may_lack_users))


def _once_settled(differ: Callable[[], list[str]]) -> list[str]:
    deadline_s = time.monotonic() + _ON_THEIR_WAY_S
    while True:
        found = differ()
        if not found or time.monotonic() > deadline_s:
            return found
        time.sleep(1.0)


def table_hashes(run: Path) -> dict[str, str]:
    """Returns the SHA-256 of each table's sorted rows, without columns that depend on the time.

    Args:
      run: folder of `undertone run`.

    Raises:
      InputError: if a table is missing.
    """
    return {table.name: _hash_of(run, table) for table in RUN_TABLES}


def accounts_of(dataset: Dataset) -> Accounts:
    """Returns the ledger of a dataset's newest stream, or no accounts before its first row."""
    return _accounts(query(dataset, _ACCOUNTS_SQL.replace("{origin}", STREAM)))


def under_way(accounts: Accounts) -> int:
    """Returns how many records were read but have no outcome yet."""
    return accounts.get((ledger.READ, ""), 0) - sum(
        records for (account, _), records in accounts.items() if account in ledger.FATES
    )


def imbalance_of(accounts: Accounts) -> str | None:
    """Returns how the two sides of a ledger differ, or None if they balance."""
    entries = [LedgerEntry(*key, records) for key, records in accounts.items()]
    return ledger.imbalance(entries)


def is_settled(accounts: Accounts, events: int, heartbeats: int = 0) -> bool:
    """Tells whether a stream has read all events, and has written them all to the tables.

    Args:
      accounts: the stream's ledger.
      events: number of events published.
      heartbeats: number of system turns published in addition. Without it, a heartbeat would be
          taken for an event that the stream has not read yet.
    """
    conversations = accounts.get((ledger.CONVERSATION, ""), 0)
    placed = sum(records for (account, _), records in accounts.items() if account in ledger.PLACES)
    is_read = accounts.get((ledger.READ, ""), 0) >= events + heartbeats
    return is_read and under_way(accounts) == 0 and conversations == placed


def _hash_of(run: Path, table: Table) -> str:
    files = sorted(run.glob(f"**/{TABLES_FOLDER}/{table.name}-*.parquet"))
    if not files:
        raise InputError(f"{run} has no table {table.name}; give the folder of a finished run")
    columns = [c.name for c in table.columns if c.name not in _TIME_COLUMNS]
    rows = (row for file in files for row in pq.read_table(file, columns=columns).to_pylist())
    digest = hashlib.sha256()
    for line in sorted(json.dumps(row, sort_keys=True, default=str) for row in rows):
        digest.update(line.encode() + b"\n")
    return digest.hexdigest()


def current_counts(dataset: Dataset) -> Counted:
    """Returns the current exact sums of hours and days that are not zero."""
    return _counts_of(query(dataset, _COUNTS_SQL))


def _counts_of(rows: Iterable[dict[str, Any]]) -> Counted:
    places: defaultdict[tuple[Any, ...], list[Cells]] = defaultdict(list)
    for *place, cells in (row.values() for row in rows):
        places[tuple(place)].append(cells_of_text(cells))
    return {
        (*place, *SLICES[index]): sums
        for place, generations in places.items()
        for index, sums in add_overlapping(generations).items()
    }


def _accounts_of_run(run: Path) -> Accounts:
    return _accounts(query_run(run, _ACCOUNTS_SQL.replace("{origin}", BATCH)))


def _accounts(rows: Iterable[dict[str, Any]]) -> Accounts:
    return {(row["account"], row["reason"]): row["records"] for row in rows}

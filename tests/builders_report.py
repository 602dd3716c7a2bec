"""Builds runs for tests of views and report, from single rows or a seeded run of the real code."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import numpy as np
import pyarrow as pa
from pyarrow import parquet as pq

from pipelines.sinks.database import build_database
from schemas.labels import AFFECTIVE_TYPES, PUSHBACK_REASONS, TYPES, USES
from schemas.records import (
    AggregateRow,
    ClassifierRate,
    ConversationSummary,
    DeadLetter,
    DeadLetterRow,
    LedgerTotal,
)
from schemas.tables import (
    AGGREGATES,
    BATCH,
    CLASSIFIER_RATES,
    DEAD_LETTERS,
    LEDGER,
    METRICS_VERSION,
    Table,
)
from tests.builders import MONDAY_US
from transforms.counting.cells import DAY_US, HOUR_US
from transforms.counting.totals import DayTotals, totals_of
from transforms.publishing.rows import RowStamp, release_day
from transforms.publishing.suppression import Thresholds

_HOURS = np.array([2, 1, 1, 1, 1, 2, 3, 5, 7, 8, 8, 8, 8, 8, 8, 8, 8, 8, 9, 10, 11, 11, 9, 5])
_USES = (0.31, 0.24, 0.15, 0.1, 0.1, 0.06, 0.04)
_TYPES = (0.34, 0.28, 0.24, 0.14, 0.03)
_ATTRIBUTES: tuple[tuple[tuple[str, ...], tuple[float, ...]], ...] = (
    (("web", "ios", "android", "api"), (0.5, 0.25, 0.2, 0.05)),
    (
        ("US", "IN", "GB", "BR", "DE", "JP", "unknown", "FR", "IS", "MT"),
        (0.36, 0.18, 0.1, 0.1, 0.08, 0.07, 0.06, 0.046, 0.003, 0.001),
    ),
    (("en", "es", "pt", "de", "ja", "und"), (0.66, 0.1, 0.1, 0.07, 0.06, 0.01)),
    (("free", "pro", "team"), (0.7, 0.27, 0.03)),
    (("model-large", "model-small"), (0.6, 0.4)),
)


def row(
    conversations: int | None, facet: str = "all", value: str = "all", **other: Any
) -> AggregateRow:
    """Builds a version of a cell; the default cell is all conversations of `MONDAY_US`."""
    fields: dict[str, Any] = {
        "window_start_us": MONDAY_US,
        "granularity": "day",
        "breakdown": "overall",
        "breakdown_value": "all",
        "facet": facet,
        "facet_value": value,
        "conversations": conversations,
        "users": conversations,
        "sentiment_change_300ths": None,
        "sentiment_change_squares": None,
        "revision": 1,
        "snapshot": 1,
        "origin": BATCH,
        "min_users": 15,
        "min_conversations": 15,
        "metrics_version": METRICS_VERSION,
        "classifier_version": "test-1",
    }
    return AggregateRow(**(fields | other))


def rate(
    found: tuple[int, int],
    wrong: tuple[int, int],
    facet: str = "use",
    value: str = "affective",
    **other: Any,
) -> ClassifierRate:
    """Builds a rate.

    `found` is (hits, positives), `wrong` is (false alarms, negatives).
    """
    fields: dict[str, Any] = {
        "classifier_version": "test-1",
        "language": "all",
        "facet": facet,
        "facet_value": value,
        "true_positives": found[0],
        "positives": found[1],
        "false_positives": wrong[0],
        "negatives": wrong[1],
        "revision": 1,
    }
    return ClassifierRate(**(fields | other))


def write_table(folder: Path, table: Table, records: Iterable[msgspec.Struct]) -> None:
    """Writes records into the Parquet file of a table, in the same way as a run."""
    (folder / "tables").mkdir(parents=True, exist_ok=True)
    rows = [table.row(record) for record in records]
    file = folder / "tables" / f"{table.name}-00000-of-00001.parquet"
    pq.write_table(pa.Table.from_pylist(rows, table.arrow_schema()), file)


def query(folder: Path, sql: str) -> list[dict[str, Any]]:
    """Runs a query on the database in a folder, and returns one dict per row."""
    with duckdb.connect(str(folder / "undertone.duckdb"), read_only=True) as connection:
        cursor = connection.execute(sql)
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, values, strict=True)) for values in cursor.fetchall()]


def database_of(folder: Path, *rows: AggregateRow, rates: Iterable[ClassifierRate] = ()) -> Path:
    """Builds the database of a run that released these rows, and returns the run's folder."""
    write_table(folder, AGGREGATES, rows)
    write_table(folder, CLASSIFIER_RATES, rates)
    build_database(folder)
    return folder


def simulated_rows(
    seed: int, days: int, conversations_a_day: int, thresholds: Thresholds
) -> list[AggregateRow]:
    """Releases the days of a made-up assistant: 8 % affective use, 11 % at weekends."""
    rng = np.random.default_rng(seed)
    stamp = RowStamp(thresholds, METRICS_VERSION, "linear-3", BATCH)
    rows = []
    for day in range(days):
        start_us = MONDAY_US + day * DAY_US
        is_weekend = day % 7 >= 5
        by_user: dict[str, list[ConversationSummary]] = {}
        for _ in range(int(conversations_a_day * (0.7 if is_weekend else 1) * rng.normal(1, 0.04))):
            summary = _summary(rng, start_us, is_weekend)
            by_user.setdefault(summary.user, []).append(summary)
        totals = DayTotals()
        for summaries in by_user.values():
            totals.add_all(totals_of(summaries))
        rows += release_day((start_us, totals), stamp, start_us + 2 * DAY_US)
    return rows


def write_run(
    folder: Path, rows: Iterable[AggregateRow], metadata: Mapping[str, Any] | None = None
) -> Path:
    """Writes a complete run (tables, database and `run.json`), and returns the run's folder."""
    write_table(folder, DEAD_LETTERS, as_written(dead_letters()))
    write_table(folder, LEDGER, LEDGER_ENTRIES)
    database_of(folder, *rows)
    (folder / "run.json").write_text(json.dumps(METADATA if metadata is None else metadata))
    return folder


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

METADATA: Mapping[str, Any] = {
    "inputs": ["events-2025-06-*.avro"],
    "started_at": "2025-06-18T06:00:03Z",
    "finished_at": "2025-06-18T06:04:41Z",
    "settings": {"session_gap_s": 86_400.0, "allowed_lateness_s": 172_800.0, "min_users": 15},
    "classifier": {
        "version": "linear-3",
        "measured": {"affective": {"recall": 0.871, "false_positive_rate": 0.0114}},
    },
    "synthesised": [],
}


def as_written(
    letters: Iterable[DeadLetter], run: int = 1, origin: str = BATCH, ingested_at_us: int = 2
) -> list[DeadLetterRow]:
    """Returns dead letters in the form of the rows that a run writes."""
    return [DeadLetterRow.of(letter, run, origin, ingested_at_us) for letter in letters]


def dead_letters() -> list[DeadLetter]:
    """Builds the dead letters that are counted in `LEDGER_ENTRIES`."""
    reasons = ["invalid_role"] * 31 + ["missing_sent_at"] * 17
    return [
        DeadLetter("decode", reason, "events.avro", f"e{i}", None, None, None, 200, "0" * 64)
        for i, reason in enumerate(reasons)
    ]


def _summary(rng: np.random.Generator, day_us: int, is_weekend: bool) -> ConversationSummary:
    is_affective = rng.random() < (0.11 if is_weekend else 0.08)
    human = int(min(rng.lognormal(2.3 if is_affective else 1.4, 1.1), 900)) + 1
    types = opening = closing = 0
    if is_affective:
        chosen = [i for i, p in enumerate(_TYPES) if rng.random() < p and (i < 4 or human >= 4)]
        chosen = chosen or [int(rng.integers(3))]
        types = sum(1 << i for i in chosen)
        opening = closing = int(rng.choice(chosen))
        if human > 10 and rng.random() < 0.3:
            closing = int(rng.choice([-1, 0, 1, 2, 3, 3]))
    elif human >= 4 and rng.random() < 0.02:
        types, opening, closing = 1 << TYPES.index("roleplay"), 5, 5
    else:
        opening = closing = -1
    use = 0 if is_affective else 1 + int(rng.choice(len(_USES), p=_USES))
    rise = rng.integers(-100, 101, 3).sum() - rng.integers(-125, 76, 3).sum()
    pushes = rng.random() < (0.09 if is_affective else 0.02)
    reasons = 1 << int(rng.integers(len(PUSHBACK_REASONS))) if pushes else 0
    hour = int(rng.choice(24, p=_HOURS / _HOURS.sum()))
    return ConversationSummary(
        started_at_us=day_us + hour * HOUR_US + int(rng.integers(HOUR_US)),
        user=f"{rng.integers(20_000):016x}",
        breakdowns=tuple(str(rng.choice(names, p=p)) for names, p in _ATTRIBUTES),
        human_messages=human,
        assistant_messages=human,
        types=types,
        use=use,
        opening_type=opening,
        closing_type=closing,
        sentiment_change_300ths=int(rise) if human >= 6 else None,
        pushback_reasons=reasons,
    )


assert len(_USES) == len(USES) - 1
assert len(_TYPES) == len(AFFECTIVE_TYPES)

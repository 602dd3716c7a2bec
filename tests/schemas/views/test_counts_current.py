"""Tests which rows of the restricted table `counts` are current."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipelines.sinks.database import build_databases
from schemas.counts import COUNTS, CountsRow
from schemas.tables import BATCH, METRICS_VERSION, STREAM
from tests.builders import HOUR_US, MONDAY_US
from tests.builders_report import MONDAY, TUESDAY, TWO_DAYS
from tests.run_folders import query, write_table
from transforms.counting.windows import Window, hour_of


def counts(conversations: int, window: Window = MONDAY, **other: Any) -> CountsRow:
    """Builds a version of the totals of all conversations of Monday, as a stream writes it."""
    fields: dict[str, Any] = {
        "window_kind": window.kind,
        "window_start_us": window.start_us,
        "window_end_us": window.end_us,
        "breakdown": "overall",
        "breakdown_value": "all",
        "conversations": conversations,
        "users": conversations,
        "cells": "{}",
        "generation": 1,
        "snapshot": 1,
        "revision": 1,
        "origin": STREAM,
        "key_id": "key-1",
        "metrics_version": METRICS_VERSION,
        "classifier_version": "test-1",
    }
    return CountsRow(**(fields | other))


def current(folder: Path, *rows: CountsRow) -> list[int]:
    """Returns the current numbers of conversations, in order of size."""
    write_table(folder, COUNTS, rows)
    build_databases(folder)
    found = query(folder / "restricted", "SELECT conversations FROM counts_current ORDER BY 1")
    return [r["conversations"] for r in found]


def test_the_largest_revision_is_current(tmp_path: Path) -> None:
    """The newest totals of a place are current, even if they are written several times."""
    newest = counts(20, revision=3)
    assert current(tmp_path, counts(18, revision=2), newest, newest, counts(15)) == [20]


def test_generations_of_a_stream_stay_side_by_side(tmp_path: Path) -> None:
    """A job that starts anew adds a row, and hides nothing that an earlier job counted."""
    restarted = [counts(4, generation=2, revision=9), counts(6, generation=2, revision=10)]
    assert current(tmp_path, counts(1000, revision=5), *restarted) == [6, 1000]


def test_a_batch_replaces_what_a_stream_counted(tmp_path: Path) -> None:
    """The newest batch of a day hides every other generation, even later ones, and its hours."""
    hour = hour_of(MONDAY_US + 5 * HOUR_US)
    rows = [
        counts(50, origin=BATCH, generation=5),
        counts(40, origin=BATCH, generation=3),
        counts(70, generation=9),
        counts(33, hour, generation=9),
        counts(30, TUESDAY, generation=9),
    ]
    assert current(tmp_path, *rows) == [30, 50]


def test_a_batch_of_a_range_leaves_its_days_alone(tmp_path: Path) -> None:
    """A batch replaces only windows that it counted itself: a range does not hide its days."""
    assert current(tmp_path, counts(90, TWO_DAYS, origin=BATCH, generation=5), counts(50)) == [
        50,
        90,
    ]


def test_a_rolled_back_snapshot_is_void(tmp_path: Path) -> None:
    """A larger snapshot of a day voids all its earlier rows, also hours and later revisions."""
    hour = hour_of(MONDAY_US + HOUR_US)
    old = [counts(40, revision=9), counts(18, hour, revision=9)]
    other_day = counts(70, TUESDAY)
    assert current(tmp_path, *old, counts(50, snapshot=5, revision=5), other_day) == [50, 70]

"""Tests windows of several days, with their edges, against sums in plain Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

from schemas.records import AggregateRow
from tests.builders import HOUR_US, MONDAY_US
from tests.builders_report import database_of, query, row
from tests.schemas.views import reference
from tests.schemas.views.random_cells import (
    ALL,
    Cell,
    counts_of,
    expected,
    random_day,
    random_rates,
    whole_of,
)

DAY_US = 24 * HOUR_US
MONDAY: Final = datetime.fromtimestamp(MONDAY_US / 1e6, UTC).date()
LENGTHS: Final = {"trailing_7_days": 7, "trailing_28_days": 28}


def day_row(day: int, conversations: int, facet: str = "all", value: str = "all") -> AggregateRow:
    """Builds a cell for the day that is `day` days after the first Monday."""
    return row(conversations, facet, value, window_start_us=MONDAY_US + day * DAY_US)


def days_of(window: Mapping[str, Any], days: Sequence[int]) -> list[int]:
    """Returns the given days that are in a window of the views."""
    last = (window["last_day"] - MONDAY).days
    length = LENGTHS.get(window["granularity"], 10**6)
    return [day for day in days if last - length < day <= last]


def test_every_day_ends_a_window_of_each_length(tmp_path: Path) -> None:
    """A window has all of its days that are in the table, even if the table starts after it."""
    days = [0, 1, 9, 33]
    folder = database_of(tmp_path, *(day_row(day, 20) for day in days))
    found = query(folder, "FROM window_days")
    for granularity, length in LENGTHS.items():
        for last in days:
            last_day = MONDAY + timedelta(days=last)
            rows = [
                r for r in found if r["granularity"] == granularity and r["last_day"] == last_day
            ]
            assert {r["window_start"].date() for r in rows} == {
                last_day - timedelta(days=length - 1)
            }
            assert sorted((r["day_start"].date() - MONDAY).days for r in rows) == [
                day for day in days if last - length < day <= last
            ]
    period = {
        (r["window_start"].date(), r["last_day"]) for r in found if r["granularity"] == "period"
    }
    assert period == {(MONDAY, MONDAY + timedelta(days=33))}


def test_a_day_and_the_windows_that_end_with_it_share_a_last_day(tmp_path: Path) -> None:
    """A day, its hours and the two trailing windows that end with it have the same `last_day`."""
    hour = row(15, granularity="hour", window_start_us=MONDAY_US + 2 * DAY_US + 23 * HOUR_US)
    folder = database_of(tmp_path, *(day_row(day, 20 + day) for day in range(4)), hour)
    found = query(
        folder,
        f"SELECT granularity, conversations, users, days FROM cells "
        f"WHERE last_day = DATE '{MONDAY + timedelta(days=2)}' ORDER BY conversations, 1",
    )
    assert [tuple(f.values()) for f in found] == [
        ("hour", 15, 15, 1),
        ("day", 22, 22, 1),
        ("trailing_28_days", 63, None, 3),
        ("trailing_7_days", 63, None, 3),
    ]


def test_trailing_shares_equal_the_reference_over_the_same_days(tmp_path: Path) -> None:
    """With 10 % of cells withheld, each share equals the reference over the days of the window."""
    rng = np.random.default_rng(5)
    rates = random_rates(rng)
    days = {
        day: {cell: n for cell, n in random_day(rng).items() if rng.random() > 0.1}
        for day in range(34)
        if day not in (11, 12)
    }
    rows = [day_row(day, n, *cell) for day, counts in days.items() for cell, n in counts.items()]
    folder = database_of(tmp_path, *rows, rates=rates)
    measured, compared, bounds = counts_of(rates), 0, 0
    for found in query(folder, "FROM ratios WHERE granularity NOT IN ('hour', 'day')"):
        cell, whole = (found["facet"], found["facet_value"]), found["whole_facet"]
        inside = [days[day] for day in days_of(found, sorted(days))]
        sums = reference.summed(inside, cell, whole_of(cell, whole))
        assert_equals(found, sums)
        if sums.whole_days:
            corrected = expected_over(inside, cell, whole, sums, measured)
            named = tuple(found[f"corrected_{end}"] for end in ("share", "low", "high"))
            assert named == pytest.approx(corrected, abs=1e-9), (found["last_day"], cell, whole)
            compared += corrected[0] is not None
            bounds += corrected[0] is not None and corrected[2] is None
    assert compared > 1000
    assert bounds > 100


def assert_equals(found: Mapping[str, Any], sums: reference.Sums) -> None:
    """Compares the counts, days, raw share and interval of a row with the reference's sums."""
    assert (found["conversations"], found["days"]) == (sums.part, sums.days)
    assert (found["whole_conversations"], found["whole_days"]) == (
        sums.whole or None, sums.whole_days or None,
    )  # fmt: skip
    if not sums.whole_days:
        assert found["raw_share"] is None
        return
    low, high = reference.wilson(sums.part, sums.whole)
    assert found["raw_share"] == pytest.approx(sums.part / sums.whole)
    assert found["share_low"] == pytest.approx(low)
    assert found["share_high"] == (pytest.approx(high) if sums.is_whole else None)


def expected_over(
    days: Sequence[Mapping[Cell, int]],
    cell: Cell,
    whole_facet: str,
    sums: reference.Sums,
    rates: Mapping[Cell, reference.Counts],
) -> reference.Triple:
    """Returns the reference's corrected share over the days on which the whole was released."""
    whole = whole_of(cell, whole_facet)
    counts = {cell: sums.part, whole: sums.whole}
    released = [day for day in days if whole in day]
    for needed in reference.needed(cell, whole):
        if any(needed not in day for day in released):
            return reference.NOTHING
        counts[needed] = sum(day[needed] for day in released)
    counts.setdefault(ALL, sums.whole)
    share, low, high = expected(cell, whole_facet, counts, rates)
    return share, low, high if sums.is_whole else None


def test_mood_over_a_window_uses_all_its_changes(tmp_path: Path) -> None:
    """The mean and deviation over seven days are the same from sums as from all single changes."""
    rng = np.random.default_rng(2)
    changes = [rng.integers(-300, 401, 20) for _ in range(9)]
    rows = [
        row(20, "sentiment", "coaching", window_start_us=MONDAY_US + day * DAY_US,
            sentiment_change_300ths=int(c.sum()), sentiment_change_squares=int((c**2).sum()))
        for day, c in enumerate(changes)
    ]  # fmt: skip
    found = query(
        database_of(tmp_path, *rows),
        "FROM sentiment_change WHERE granularity = 'trailing_7_days' ORDER BY last_day",
    )
    assert [f["days"] for f in found] == [1, 2, 3, 4, 5, 6, 7, 7, 7]
    week = np.concatenate(changes[-7:]) / 300
    assert found[-1]["mean_change"] == pytest.approx(week.mean())
    assert found[-1]["sd_change"] == pytest.approx(week.std(ddof=1))

"""Tests the windows that an instant belongs to, and their names."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from transforms.counting.windows import (
    Window,
    day_window,
    hour_of,
    month_of,
    range_of,
    week_of,
    windows_in,
)


def us(*when: int) -> int:
    """Returns an instant in UTC, in microseconds since the epoch."""
    return int(datetime(*when, tzinfo=UTC).timestamp()) * 1_000_000  # type: ignore[misc, arg-type]


@pytest.mark.parametrize(
    ("window", "name", "start_us", "end_us"),
    [
        (hour_of(us(2026, 1, 1, 5, 59)), "2026-01-01T05", us(2026, 1, 1, 5), us(2026, 1, 1, 6)),
        (day_window(us(2026, 1, 1, 23)), "2026-01-01", us(2026, 1, 1), us(2026, 1, 2)),
        (week_of(us(2026, 1, 1)), "2026-W01", us(2025, 12, 29), us(2026, 1, 5)),
        (week_of(us(2027, 1, 3)), "2026-W53", us(2026, 12, 28), us(2027, 1, 4)),
        (week_of(us(1969, 12, 28)), "1969-W52", us(1969, 12, 22), us(1969, 12, 29)),
        (month_of(us(2024, 2, 29)), "2024-02", us(2024, 2, 1), us(2024, 3, 1)),
        (month_of(us(2026, 12, 31)), "2026-12", us(2026, 12, 1), us(2027, 1, 1)),
        (range_of(us(2026, 1, 1), us(2026, 1, 3)), "2026-01-01..2026-01-03", us(2026, 1, 1),
         us(2026, 1, 4)),
    ],
)  # fmt: skip
def test_windows_have_bounds_and_names(
    window: Window, name: str, start_us: int, end_us: int
) -> None:
    """Weeks begin on Monday as in ISO 8601; the end is not part of a window."""
    assert (window.name, window.start_us, window.end_us) == (name, start_us, end_us)


def test_only_whole_windows_lie_within_days() -> None:
    """Weeks and months that begin before the days or end after them are left out."""
    names = [w.name for w in windows_in(us(2026, 1, 1), us(2026, 2, 3))]
    assert names == [
        "2026-01", "2026-W02", "2026-W03", "2026-W04", "2026-W05", "2026-01-01..2026-02-03"
    ]  # fmt: skip

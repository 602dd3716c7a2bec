"""Windows: the hours, days, weeks, months and ranges of days that the tables divide time into.

A conversation belongs to the windows in which its first message was sent. All windows are in UTC.

This module does not use Beam.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

HOUR: Final = "hour"
DAY: Final = "day"
WEEK: Final = "week"
MONTH: Final = "month"
RANGE: Final = "range"
KINDS: Final = (HOUR, DAY, WEEK, MONTH, RANGE)

_HOUR_US: Final = 3_600_000_000
_DAY_US: Final = 24 * _HOUR_US
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MONDAY_US: Final = 4 * _DAY_US
"""The first Monday after the epoch."""


class Window(NamedTuple):
    """One window.

    Attributes:
      kind: one of `KINDS`.
      start_us, end_us: its start and its exclusive end, microseconds since the epoch.
    """

    kind: str
    start_us: int
    end_us: int

    @property
    def name(self) -> str:
        """Names the window within its kind, e.g. 2026-11-20T05, 2026-11-20, 2026-W47 or 2026-11.

        A range is named by its first and last day, e.g. 2026-11-16..2026-11-22.
        """
        start = _at(self.start_us)
        if self.kind == HOUR:
            return f"{start:%Y-%m-%dT%H}"
        if self.kind == WEEK:
            return f"{start:%G-W%V}"
        if self.kind == MONTH:
            return f"{start:%Y-%m}"
        if self.kind == RANGE:
            return f"{start:%Y-%m-%d}..{_at(self.end_us - _DAY_US):%Y-%m-%d}"
        return f"{start:%Y-%m-%d}"


def hour_of(instant_us: int) -> Window:
    """Returns the hour that an instant is in."""
    start_us = instant_us - instant_us % _HOUR_US
    return Window(HOUR, start_us, start_us + _HOUR_US)


def day_window(instant_us: int) -> Window:
    """Returns the day that an instant is in."""
    start_us = instant_us - instant_us % _DAY_US
    return Window(DAY, start_us, start_us + _DAY_US)


def week_of(instant_us: int) -> Window:
    """Returns the ISO week that an instant is in."""
    start_us = instant_us - (instant_us - _MONDAY_US) % (7 * _DAY_US)
    return Window(WEEK, start_us, start_us + 7 * _DAY_US)


def month_of(instant_us: int) -> Window:
    """Returns the month that an instant is in."""
    day = _at(instant_us)
    first = day.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    following = (first + timedelta(days=31)).replace(day=1)
    return Window(MONTH, _us(first), _us(following))


def range_of(first_day_us: int, last_day_us: int) -> Window:
    """Returns the range from the first to the last day, both included."""
    return Window(RANGE, first_day_us, last_day_us + _DAY_US)


def windows_in(first_day_us: int, last_day_us: int) -> list[Window]:
    """Returns the weeks and months within a range of days, and the range itself."""
    whole = range_of(first_day_us, last_day_us)
    days = range(whole.start_us, whole.end_us, _DAY_US)
    found = {window_of(day_us) for day_us in days for window_of in (week_of, month_of)}
    within = (w for w in found if w.start_us >= whole.start_us and w.end_us <= whole.end_us)
    return [*sorted(within), whole]


def _at(instant_us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=instant_us)


def _us(instant: datetime) -> int:
    return (instant - _EPOCH) // timedelta(microseconds=1)

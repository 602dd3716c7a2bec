"""Cells of the tables, and the sums of a cell.

A *cell* is a slice of certain conversations: those that started in one hour or day and have one
value of one breakdown. The sums of a cell are plain integers, so a conversation's contribution can
be taken back by adding its negative.

This module does not use Beam.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, NamedTuple

from schemas.breakdowns import BREAKDOWNS
from transforms.facets.facet import ALL
from transforms.facets.registry import INDEX, Slice

DAY: Final = -1
"""Value of `Cell.hour` that stands for the whole day; an hour of the day is 0..23."""
DAY_US: Final = 86_400_000_000
HOUR_US: Final = 3_600_000_000

BREAKDOWN_NAMES: Final = {breakdown.id: breakdown.name for breakdown in BREAKDOWNS}
"""Name of each breakdown by its id."""
BREAKDOWN_IDS: Final = {breakdown.name: breakdown.id for breakdown in BREAKDOWNS}
OVERALL: Final = BREAKDOWN_IDS["overall"]
"""Id of the breakdown `overall`, whose only value is `all`."""
LENGTH: Final = BREAKDOWN_IDS["length"]
"""Id of the breakdown `length`, whose values are the bins of human messages, `lengths.LENGTHS`."""


class Cell(NamedTuple):
    """Identifies a cell within a day.

    Attributes:
      hour: hour of the day in which the conversations started, or `DAY`.
      breakdown: id of the breakdown.
      value: value of the breakdown.
      slice_index: index into `registry.SLICES`, valid only in this process; see
        `PlaceChange.encode`.
    """

    hour: int
    breakdown: int
    value: str
    slice_index: int


class Sums(NamedTuple):
    """Sums over the conversations of a cell.

    Attributes:
      conversations: number of conversations.
      users: number of their distinct users; a conversation without a user adds 0.
      key: sum of the record keys of the conversations; see `contribution.record_key`.
      change: sum of their changes of mood, in three-hundredths of a point; 0 in slices that do not
        sum it.
      change_squares: sum of the squared changes of mood, in ninety-thousandths of a squared point.
    """

    conversations: int
    users: int
    key: int
    change: int
    change_squares: int


NOTHING: Final = Sums(0, 0, 0, 0, 0)
ONE_USER: Final = Sums(0, 1, 0, 0, 0)

WHOLE_DAY: Final = Cell(DAY, OVERALL, ALL, INDEX[Slice("all", ALL)])
"""All conversations of the day."""


def day_of(instant_us: int) -> int:
    """Returns the start of the UTC day, in microseconds."""
    return instant_us - instant_us % DAY_US


def name_of(day_us: int) -> str:
    """Returns the day as YYYY-MM-DD."""
    return f"{datetime.fromtimestamp(day_us / 1e6, UTC):%Y-%m-%d}"

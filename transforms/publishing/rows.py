"""Makes the rows of released cells. Each row is an immutable version of its cell.

This module does not use Beam.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from schemas.records import AggregateRow
from transforms.counting.cells import (
    BREAKDOWN_NAMES,
    DAY,
    HOUR_US,
    WHOLE_DAY,
    Cell,
    Sums,
)
from transforms.counting.totals import KeyedTotals
from transforms.facets.registry import SLICES
from transforms.publishing.suppression import Thresholds, published_cells

_CHANGE_FACET: Final = "sentiment"


@dataclass(frozen=True)
class RowStamp:
    """The facts about the run that every row contains, and the thresholds."""

    thresholds: Thresholds
    metrics_version: str
    classifier_version: str
    origin: str


def release_day(keyed: KeyedTotals, stamp: RowStamp, revision: int) -> list[AggregateRow]:
    """Returns the complete snapshot of a day, in the order of its cells."""
    day_us, totals = keyed
    return snapshot_rows(day_us, published_cells(totals, stamp.thresholds), stamp, revision)


def snapshot_rows(
    day_us: int, cells: Mapping[Cell, Sums], stamp: RowStamp, revision: int
) -> list[AggregateRow]:
    """Returns the rows of a complete snapshot, which supersedes every earlier row of the day."""
    released: dict[Cell, Sums | None] = dict(cells)
    # If a snapshot had no rows at all, an older snapshot would stay current.
    released.setdefault(WHOLE_DAY, None)
    return [
        row_of(day_us, cell, released[cell], stamp, revision, revision) for cell in sorted(released)
    ]


def row_of(
    day_us: int, cell: Cell, sums: Sums | None, stamp: RowStamp, revision: int, snapshot: int
) -> AggregateRow:
    """Returns a new version of a cell; a version without sums withdraws the cell."""
    facet, facet_value = SLICES[cell.slice_index]
    has_change = sums is not None and facet == _CHANGE_FACET
    return AggregateRow(
        window_start_us=day_us if cell.hour == DAY else day_us + cell.hour * HOUR_US,
        granularity="day" if cell.hour == DAY else "hour",
        breakdown=BREAKDOWN_NAMES[cell.breakdown],
        breakdown_value=cell.value,
        facet=facet,
        facet_value=facet_value,
        conversations=sums.conversations if sums else None,
        users=sums.users if sums else None,
        sentiment_change_300ths=sums.change if sums and has_change else None,
        sentiment_change_squares=sums.change_squares if sums and has_change else None,
        revision=revision,
        snapshot=snapshot,
        min_users=stamp.thresholds.min_users,
        min_conversations=stamp.thresholds.min_conversations,
        metrics_version=stamp.metrics_version,
        classifier_version=stamp.classifier_version,
        origin=stamp.origin,
    )

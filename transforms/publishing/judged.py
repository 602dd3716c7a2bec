"""Keeps the judged figures of a publication in its next version, unless there is much to add.

Two versions of a window must not differ by the judgements of a few conversations. Their places
would tell whose they are. So until at least `min_users` more are judged, a figure changes only if
its counts change.

This module does not use Beam.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from schemas.published import FALSE_ALARMS, JUDGED, RECALL, FigureRow

_RATES: Final = (RECALL, FALSE_ALARMS)


def keep_judged(figures: Iterable[FigureRow], last: Iterable[FigureRow]) -> list[FigureRow]:
    """Returns the figures of a version that has no better judgements than the last one.

    A share or mean that was judged, or is judged now, keeps its estimate and interval if its raw
    value and its counts are as they were. Recall and false alarms always stay as they were.

    Args:
      figures: the new figures.
      last: those of the last version.
    """
    known = {_matter(row): row for row in last}
    kept = ((row, known.get(_matter(row))) for row in figures)
    return [_kept(row, old) for row, old in kept if old or row.measure not in _RATES]


def _kept(new: FigureRow, old: FigureRow | None) -> FigureRow:
    if old is None or JUDGED not in {new.method, old.method}:
        return new
    return msgspec.structs.replace(
        new, corrected=old.corrected, low=old.low, high=old.high, method=old.method
    )


def _matter(row: FigureRow) -> tuple[object, ...]:
    """Returns what a figure is about, and what is known of it without a judge."""
    about = row.breakdown, row.breakdown_value, row.measure, row.facet, row.facet_value
    if row.measure in _RATES:
        return about
    counts = row.conversations, row.whole_conversations, row.raw
    return (*about, row.whole_facet, row.whole_value, *counts)

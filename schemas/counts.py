"""The tables with exact counts, which are restricted, and the records that are their rows.

`counts` holds running totals: one row whenever the totals of a place changed. `bases` holds the
totals from which published numbers were made. A place is one window and one value of one breakdown;
its cells are a JSON object in the column `cells`.
"""

from __future__ import annotations

from typing import Final

import msgspec

from schemas.breakdowns import ANY_NAME
from schemas.table import Column, Table


class CountsRow(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One version of the totals of one place; a row of `COUNTS`.

    Attributes:
      conversations, users: of all conversations of the place.
      cells: the sums of all cells of the place; see `transforms.counting.places.cells_text`.
      generation: start of the job that counted, microseconds since the epoch. A job that takes over
        the state of an earlier one continues its generations.
      snapshot: rows of a generation and day with a smaller snapshot are void.
      revision: the largest revision of a place within the snapshot is current.
      origin: `STREAM` or `BATCH`.
      key_id: identifies the secret from which the record keys were made.
    """

    window_kind: str
    window_start_us: int
    window_end_us: int
    breakdown: str
    breakdown_value: str
    conversations: int
    users: int
    cells: str
    generation: int
    snapshot: int
    revision: int
    origin: str
    key_id: str
    metrics_version: str
    classifier_version: str


class BasisRow(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The exact totals that a publication's numbers of one place were made from."""

    publication: str
    attempt: int
    window_kind: str
    window_start_us: int
    window_end_us: int
    breakdown: str
    breakdown_value: str
    cells: str


_WINDOW: Final = (
    Column("window_kind", "STRING", "hour, day, week, month or range."),
    Column("window_start", "TIMESTAMP", "Start of the window, UTC."),
    Column("window_end", "TIMESTAMP", "End of the window, UTC; not part of it."),
)
_PLACE: Final = (
    Column("breakdown", "STRING", f"{ANY_NAME}."),
    Column("breakdown_value", "STRING", "Value of the breakdown."),
)
_CELLS: Final = Column(
    "cells", "STRING", "Exact sums of the place's cells, as JSON: facet, then value, then a list "
    "of conversations, users, record key, sum of changes of mood (three-hundredths of a point) and "
    "sum of their squares.",
)  # fmt: skip

COUNTS: Final = Table(
    name="counts",
    description=(
        "Exact running totals of one window and one value of one breakdown. Restricted. "
        "Append-only; read it through the view counts_current."
    ),
    columns=(
        *_WINDOW,
        *_PLACE,
        Column("conversations", "INT64", "Number of conversations."),
        Column("users", "INT64", "Number of their distinct users."),
        _CELLS,
        Column("generation", "INT64", "Start of the job that counted, microseconds since the "
               "epoch. Generations of a stream add up. The newest generation of a batch replaces "
               "everything else of its windows."),
        Column("snapshot", "INT64", "Rows of the same generation and day with a smaller snapshot "
               "are void: they come from an attempt that was rolled back."),
        Column("revision", "INT64", "Version of the totals; the largest is current."),
        Column("origin", "STRING", "stream or batch."),
        Column("key_id", "STRING", "Identifies the secret of the record keys."),
        Column("metrics_version", "STRING", "Version of the definitions."),
        Column("classifier_version", "STRING", "Version of the classifier's weights."),
    ),
    record=CountsRow,
    partition_by="window_start",
    cluster_by=("window_kind", "breakdown"),
)  # fmt: skip

BASES: Final = Table(
    name="bases",
    description=(
        "The exact totals that a publication's numbers were made from. A correction compares with "
        "them. Restricted. Append-only."
    ),
    columns=(
        Column("publication", "STRING", "The publication, as in publications."),
        Column("attempt", "INT64", "The attempt that wrote the row, as in publications."),
        *_WINDOW,
        *_PLACE,
        _CELLS,
    ),
    record=BasisRow,
    partition_by="window_start",
    cluster_by=("window_kind",),
)  # fmt: skip

"""Release: what of a day's sheet may be seen, as immutable versions of rows.

A row once written is never changed: a new version has a larger revision, and a cell that may no
longer be shown is withdrawn by a version without counts. This is the one place where successive
versions of a cell meet, and so where the guard between them belongs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import apache_beam as beam
import msgspec
from apache_beam.coders import BytesCoder
from apache_beam.transforms.userstate import ReadModifyWriteStateSpec

from schemas.records import AggregateRow
from transforms.aggregate import DaySheet
from transforms.suppression import Thresholds, published_cells
from transforms.tally import BREAKDOWNS, DAY, HOUR_US, SLICES, WHOLE_DAY, Cell, Sheet, Tally

Clock = Callable[[], int]
"""Returns microseconds since the epoch."""

_VERSION: Final = 1
_CHANGE_FACET: Final = "sentiment"


@dataclass(frozen=True)
class Stamp:
    """What every row says of how it came about."""

    thresholds: Thresholds
    metrics_version: str
    classifier_version: str


class ReleaseDays(beam.PTransform[DaySheet, AggregateRow]):
    """Releases the final sheets of a bounded input, each as a complete snapshot of its day.

    In: (day, `Sheet`), one a day. Out: `AggregateRow`. Windowing: the global window.
    """

    def __init__(self, stamp: Stamp, revision: int) -> None:
        super().__init__()
        self._stamp = stamp
        self._revision = revision

    def expand(self, sheets: beam.PCollection[DaySheet]) -> beam.PCollection[AggregateRow]:
        return sheets | "ReleaseSheets" >> beam.FlatMap(
            release_day, self._stamp, self._revision
        ).with_output_types(AggregateRow)


class ReleaseChanges(beam.PTransform[DaySheet, AggregateRow]):
    """Releases a day's sheet again and again as it fills; writes the cells that differ.

    In: (day, whole `Sheet` so far), accumulating panes of fixed windows of a day. Out:
    `AggregateRow`, the changed cells only. Windowing: as it came.
    Guarantees: a pane that comes after a later one changes nothing.
    State: what was released last, dropped with the window.
    """

    def __init__(self, stamp: Stamp, clock: Clock) -> None:
        super().__init__()
        self._fn = _ReleaseChangesFn(stamp, clock)

    def expand(self, sheets: beam.PCollection[DaySheet]) -> beam.PCollection[AggregateRow]:
        return sheets | "ReleaseDifferences" >> beam.ParDo(self._fn).with_output_types(AggregateRow)


def release_day(day_sheet: DaySheet, stamp: Stamp, revision: int) -> list[AggregateRow]:
    """Returns the complete snapshot of a day, in the order of its cells."""
    day_us, sheet = day_sheet
    released: dict[Cell, Tally | None] = dict(published_cells(sheet, stamp.thresholds))
    # A snapshot must have a row, or an older one with more in it would go on holding.
    released.setdefault(WHOLE_DAY, None)
    return [
        row_of(day_us, cell, released[cell], stamp, revision, revision) for cell in sorted(released)
    ]


def row_of(
    day_us: int, cell: Cell, tally: Tally | None, stamp: Stamp, revision: int, snapshot: int
) -> AggregateRow:
    """Returns one version of one cell; without a tally it withdraws the cell."""
    facet, facet_value = SLICES[cell.slice_index]
    has_change = tally is not None and facet == _CHANGE_FACET
    return AggregateRow(
        window_start_us=day_us if cell.hour == DAY else day_us + cell.hour * HOUR_US,
        granularity="day" if cell.hour == DAY else "hour",
        breakdown=BREAKDOWNS[cell.breakdown],
        breakdown_value=cell.value,
        facet=facet,
        facet_value=facet_value,
        conversations=tally.conversations if tally else None,
        users=tally.users if tally else None,
        sentiment_change_sixths=tally.change if tally and has_change else None,
        sentiment_change_squares=tally.change_squares if tally and has_change else None,
        revision=revision,
        snapshot=snapshot,
        min_users=stamp.thresholds.min_users,
        min_conversations=stamp.thresholds.min_conversations,
        metrics_version=stamp.metrics_version,
        classifier_version=stamp.classifier_version,
    )


@dataclass(frozen=True)
class _Released:
    """What was released last of a day."""

    pane: int = -1
    snapshot: int = 0
    revision: int = 0
    cells: Sheet = field(default_factory=Sheet)

    def encode(self) -> bytes:
        return _encode((_VERSION, self.pane, self.snapshot, self.revision, self.cells.encode()))

    @classmethod
    def decode(cls, encoded: bytes) -> _Released:
        version, pane, snapshot, revision, cells = _decode(encoded)
        if version != _VERSION:
            raise ValueError(f"release state has version {version}, not {_VERSION}")
        return cls(pane, snapshot, revision, Sheet.decode(cells))


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[int, int, int, int, bytes]).decode


class _ReleaseChangesFn(beam.DoFn):
    RELEASED = ReadModifyWriteStateSpec("released", BytesCoder())

    def __init__(self, stamp: Stamp, clock: Clock) -> None:
        self._stamp = stamp
        self._clock = clock

    def process(
        self,
        day_sheet: DaySheet,
        pane: Any = beam.DoFn.PaneInfoParam,
        state: Any = beam.DoFn.StateParam(RELEASED),
    ) -> Iterator[AggregateRow]:
        day_us, sheet = day_sheet
        encoded = state.read()
        last = _Released.decode(encoded) if encoded else _Released()
        if pane.index < last.pane:
            return
        # The clock may stand still or go back between two firings; revisions must not.
        revision = max(self._clock(), last.revision + 1)
        snapshot = last.snapshot or revision
        cells = published_cells(sheet, self._stamp.thresholds)
        for cell in sorted(cells.keys() | last.cells.keys()):
            tally = cells.get(cell)
            if tally != last.cells.get(cell):
                yield row_of(day_us, cell, tally, self._stamp, revision, snapshot)
        state.write(_Released(pane.index, snapshot, revision, cells).encode())

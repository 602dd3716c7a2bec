"""Release: which of a day's totals may be seen, as immutable versions of rows.

A row once written is never changed: a new version has a larger revision, and a cell that may no
longer be shown is withdrawn by a version without counts. This is the one place where successive
versions of a cell meet, and so where the guard between them belongs.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import apache_beam as beam
import msgspec
from apache_beam.coders import BytesCoder
from apache_beam.metrics import Metrics
from apache_beam.pvalue import TaggedOutput as Tagged
from apache_beam.transforms.timeutil import TimeDomain
from apache_beam.transforms.userstate import ReadModifyWriteStateSpec, TimerSpec, on_timer
from apache_beam.utils.timestamp import Timestamp

from schemas.records import AggregateRow, LedgerEntry
from transforms.balance import count_metrics
from transforms.counting import ledger
from transforms.counting.cells import (
    DAY_US,
    NOTHING,
    WHOLE_DAY,
    name_of,
)
from transforms.counting.totals import DayTotals, KeyedChange, KeyedTotals, TotalsChange
from transforms.policies import Clock
from transforms.publishing.rows import RowStamp, release_day, row_of, snapshot_rows
from transforms.publishing.suppression import published_cells

_VERSION: Final = 1
_ROWS: Final = Metrics.distribution("release", "rows")


class ReleaseDays(beam.PTransform[KeyedTotals, AggregateRow]):
    """Releases the final totals of a bounded input, each as a complete snapshot of its day.

    In: (day, `DayTotals`), one a day. Out: `AggregateRow`. Windowing: the global window.
    """

    def __init__(self, stamp: RowStamp, revision: int) -> None:
        super().__init__()
        self._stamp = stamp
        self._revision = revision

    def expand(self, totals: beam.PCollection[KeyedTotals]) -> beam.PCollection[AggregateRow]:
        return totals | "ReleaseTotals" >> beam.FlatMap(
            release_day, self._stamp, self._revision
        ).with_output_types(AggregateRow)


class ReleaseOutputs(NamedTuple):
    """What `ReleaseChanges` gives."""

    rows: beam.PCollection[AggregateRow]
    ledger: beam.PCollection[LedgerEntry]


class ReleaseChanges(beam.PTransform[KeyedChange, Any]):
    """Releases a day's totals again and again as they fill; writes the cells that differ.

    In: (day, `TotalsChange`). Out: `ReleaseOutputs`: rows of the changed cells, and ledger entries
    of the conversations that stand in the totals. Windowing: the global window.
    Guarantees: the current rows are those of the sum of all changes, in any order. After a failure
    that took the state back, which may leave rows of a lost attempt in the table, the first release
    of a day is a complete new snapshot of it.
    State: the day's totals and what was released of them, some 100 KB; dropped `kept_us` after
    the end of the day. What comes then is left to a backfill: conversations are counted as
    `past_life`, revisions of published ones as `revisions_past_life`.
    Metrics: `release/<account>`, distribution `release/rows`.
    """

    def __init__(self, stamp: RowStamp, clock: Clock, kept_us: int) -> None:
        super().__init__()
        self._fn = _ReleaseChangesFn(stamp, clock, kept_us)

    def expand(self, changes: beam.PCollection[KeyedChange]) -> ReleaseOutputs:
        released = changes | "ReleaseDifferences" >> beam.ParDo(self._fn).with_output_types(
            AggregateRow, ledger=LedgerEntry
        ).with_outputs("ledger", main="rows")
        return ReleaseOutputs(released["rows"], released["ledger"])


@dataclass(frozen=True)
class _Day:
    """A day as it stands: all that was counted, and what of it was released last."""

    snapshot: int = 0
    revision: int = 0
    totals: DayTotals = field(default_factory=DayTotals)
    released: DayTotals = field(default_factory=DayTotals)
    is_closed: bool = False

    def encode(self) -> bytes:
        return _encode(
            (
                _VERSION,
                self.snapshot,
                self.revision,
                self.totals.encode(),
                self.released.encode(),
                self.is_closed,
            )
        )

    @classmethod
    def decode(cls, encoded: bytes) -> _Day:
        version, snapshot, revision, totals, released, is_closed = _decode(encoded)
        if version != _VERSION:
            raise ValueError(f"release state has version {version}, not {_VERSION}")
        return cls(
            snapshot, revision, DayTotals.decode(totals), DayTotals.decode(released), is_closed
        )


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[int, int, int, bytes, bytes, bool]).decode
_CLOSED: Final = _Day(is_closed=True)


@dataclass
class _Worker:
    """What a worker process knows of its own: when it started, and what it released last."""

    started_at_us: int
    revisions: dict[int, int] = field(default_factory=dict)


_WORKERS: Final[dict[str, _Worker]] = {}
"""By job, because tests run several in one process."""


class _ReleaseChangesFn(beam.DoFn):
    DAY = ReadModifyWriteStateSpec("day", BytesCoder())
    CLOSE = TimerSpec("close", TimeDomain.WATERMARK)

    def __init__(self, stamp: RowStamp, clock: Clock, kept_us: int) -> None:
        self._stamp = stamp
        self._clock = clock
        self._kept_us = kept_us
        self._job = uuid.uuid4().hex

    def setup(self) -> None:
        # Not in the object: a runner may make a new one for each bundle.
        self._known = _WORKERS.setdefault(self._job, _Worker(self._clock()))

    def process(
        self,
        day_change: KeyedChange,
        state: Any = beam.DoFn.StateParam(DAY),
        close: Any = beam.DoFn.TimerParam(CLOSE),
    ) -> Iterator[Any]:
        day_us, change = day_change
        added = change.totals
        if not added:  # What was added was taken back at once, or a last pane of nothing.
            return
        encoded = state.read()
        last = _Day.decode(encoded) if encoded else _Day()
        counts = _outcomes_of(day_us, change, is_closed=last.is_closed)
        count_metrics("release", counts)
        for entry in ledger.entries_of(counts):
            yield Tagged("ledger", entry)
        if last.is_closed:
            return
        close.set(Timestamp(micros=day_us + DAY_US + self._kept_us))
        day, rows = self._release(day_us, last, added)
        state.write(day.encode())
        _ROWS.update(len(rows))
        yield from rows

    @on_timer(CLOSE)
    def close(
        self,
        state: Any = beam.DoFn.StateParam(DAY),
        due: Any = beam.DoFn.TimestampParam,
    ) -> None:
        if due.micros <= self._clock():  # Else it is a drain, and changes may be under way.
            state.write(_CLOSED.encode())

    def _release(
        self, day_us: int, last: _Day, added: DayTotals
    ) -> tuple[_Day, list[AggregateRow]]:
        # The state is older than this worker, or than what it released itself: rows may stand in
        # the table that the state does not know, a lost attempt's or an earlier job's.
        released_at_us = self._known.revisions.get(day_us, self._known.started_at_us)
        is_whole = last.revision < released_at_us
        # The clock may stand still or go back between two firings; revisions must not.
        revision = max(self._clock(), last.revision + 1, released_at_us + 1)
        self._known.revisions[day_us] = revision
        snapshot = revision if is_whole else last.snapshot
        totals = DayTotals(last.totals).add_all(added)
        cells = published_cells(totals, self._stamp.thresholds)
        if is_whole:
            rows = snapshot_rows(day_us, cells, self._stamp, revision)
        else:
            changed = [
                cell
                for cell in sorted(cells.keys() | last.released.keys())
                if cells.get(cell) != last.released.get(cell)
            ]
            rows = [
                row_of(day_us, cell, cells.get(cell), self._stamp, revision, snapshot)
                for cell in changed
            ]
        return _Day(snapshot, revision, totals, cells), rows


def _outcomes_of(
    day_us: int, change: TotalsChange, *, is_closed: bool
) -> dict[tuple[str, str], int]:
    """Returns how many conversations a change adds to a day, or by how much a closed day is off."""
    conversations = change.totals.get(WHOLE_DAY, NOTHING).conversations
    if not is_closed:
        return {(ledger.TALLIED, ""): conversations}
    day = name_of(day_us)
    return {
        (ledger.PAST_LIFE, day): conversations,
        (ledger.REVISIONS_PAST_LIFE, day): change.revisions,
    }

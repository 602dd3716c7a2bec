"""Release: turns the publishable totals of each day into immutable versions of rows.

A written row never changes. A new version of a cell has a larger revision, and a version without
counts withdraws a cell that may no longer be shown. Successive versions of a cell are known
together only in this step, so protection against comparing them belongs here. There is no such
protection yet.
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

_VERSION: Final = 2
_ROWS: Final = Metrics.distribution("release", "rows")


class ReleaseDays(beam.PTransform[KeyedTotals, AggregateRow]):
    """Releases the final totals of a bounded input, as a complete snapshot of each day.

    In: (day, `DayTotals`), once for each day.
    Out: `AggregateRow`. A day always has the row for all its conversations; the row has no counts
    if they are withheld.
    Windowing: the global window, in and out.
    Guarantees: every row with counts reaches both thresholds, unless they are off.

    Args:
      stamp: the facts about the run that every row contains, and the thresholds.
      revision: the revision and snapshot of the rows, microseconds since the epoch.
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
    """The outputs of `ReleaseChanges`: rows and ledger entries."""

    rows: beam.PCollection[AggregateRow]
    ledger: beam.PCollection[LedgerEntry]


class ReleaseChanges(beam.PTransform[KeyedChange, Any]):
    """Releases a day whenever its totals change, and emits only the cells that differ.

    In: (day, `TotalsChange`).
    Out: `ReleaseOutputs`: rows of the cells that changed, and ledger entries for the conversations
    in the totals.
    Windowing: the global window, in and out.
    Guarantees: even after a crash, the current rows equal the sum of all changes, in any order. A
    failure may roll the state back and leave rows from the failed attempt in the table. So a worker
    releases a complete snapshot, which hides every earlier row, when it releases a day for the
    first time or after the day's state was rolled back. Every row with counts reaches both
    thresholds, unless they are off.
    State: the day's totals and the cells last released, about 100 KB. The day is closed and this
    state is dropped when `kept_us` has passed since the end of the day. Later changes are left to a
    backfill. The ledger counts their conversations as `past_life`, and their revisions as
    `revisions_past_life`.
    Metrics: counters `release/tallied`, `release/past_life/<day>` and
    `release/revisions_past_life/<day>`; distribution `release/rows`, in rows per release.

    Args:
      stamp: the facts about the run that every row contains, and the thresholds.
      clock: returns the current time. It provides the revisions and is used to detect a drain.
      kept_us: how long a day stays open after its end; see `Settings.kept_us`.
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
    """The state of a day: its totals, and the cells that were last released."""

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
            raise ValueError(
                f"release state has layout version {version}, but this version of Undertone reads "
                f"only {_VERSION}; start a new job and backfill"
            )
        return cls(
            snapshot, revision, DayTotals.decode(totals), DayTotals.decode(released), is_closed
        )


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[int, int, int, bytes, bytes, bool]).decode
_CLOSED: Final = _Day(is_closed=True)


@dataclass
class _Worker:
    """The memory of a worker process: when it started, and its last revision of each day."""

    started_at_us: int
    revisions: dict[int, int] = field(default_factory=dict)


_WORKERS: Final[dict[str, _Worker]] = {}
"""The worker's memory for each job, because tests run several jobs in one process."""


class _ReleaseChangesFn(beam.DoFn):
    DAY = ReadModifyWriteStateSpec("day", BytesCoder())
    CLOSE = TimerSpec("close", TimeDomain.WATERMARK)

    def __init__(self, stamp: RowStamp, clock: Clock, kept_us: int) -> None:
        self._stamp = stamp
        self._clock = clock
        self._kept_us = kept_us
        self._job = uuid.uuid4().hex

    def setup(self) -> None:
        # Not kept in the object, because a runner may make a new one for each bundle.
        self._known = _WORKERS.setdefault(self._job, _Worker(self._clock()))

    def process(
        self,
        day_change: KeyedChange,
        state: Any = beam.DoFn.StateParam(DAY),
        close: Any = beam.DoFn.TimerParam(CLOSE),
    ) -> Iterator[Any]:
        day_us, change = day_change
        added = change.totals
        if not added:  # Everything cancelled out, or this is an empty last pane.
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
        if due.micros <= self._clock():  # Otherwise it is a drain, and changes may still arrive.
            state.write(_CLOSED.encode())

    def _release(
        self, day_us: int, last: _Day, added: DayTotals
    ) -> tuple[_Day, list[AggregateRow]]:
        # If the state is older than this worker or than its last release, the table may have rows
        # that are not in the state. They come from a failed attempt or from an earlier job.
        released_at_us = self._known.revisions.get(day_us, self._known.started_at_us)
        is_whole = last.revision < released_at_us
        # Revisions must increase even if the clock stands still or goes back.
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
    """Returns the number of conversations added to an open day, or missing from a closed day."""
    conversations = change.totals.get(WHOLE_DAY, NOTHING).conversations
    if not is_closed:
        return {(ledger.TALLIED, ""): conversations}
    day = name_of(day_us)
    return {
        (ledger.PAST_LIFE, day): conversations,
        (ledger.REVISIONS_PAST_LIFE, day): change.revisions,
    }

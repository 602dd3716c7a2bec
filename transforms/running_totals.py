"""Running totals: what a stream has counted so far, place by place, as rows of the table `counts`.

There are three steps. First, each bundle sums its changes by place before they are shuffled. So no
key receives the changes one by one. Then one small key for each day stamps the sums with the day's
snapshot. Last, each place adds its sums to its totals, under a key of its own.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, Final, NamedTuple

import apache_beam as beam
from apache_beam.metrics import Metrics
from apache_beam.pvalue import TaggedOutput as Tagged
from apache_beam.transforms.timeutil import TimeDomain
from apache_beam.transforms.userstate import ReadModifyWriteStateSpec, TimerSpec, on_timer
from apache_beam.typehints import with_input_types, with_output_types
from apache_beam.utils.timestamp import Timestamp

from schemas.counts import CountsRow
from schemas.judged import CandidatesRow
from schemas.records import LedgerEntry
from transforms.balance import count_metrics
from transforms.coders import CanonicalCoder
from transforms.conversation.pseudonyms import LoadPseudonyms
from transforms.counting import ledger
from transforms.counting.cells import DAY_US, NOTHING, day_of, name_of
from transforms.counting.register import CLOSED, DayRegister, Stamp
from transforms.counting.rows import EVERYONE, Provenance, candidates_row, counts_row
from transforms.counting.running import RunningPlace
from transforms.counting.totals import KeyedChange, PlaceChange, PlaceKey, whole_day
from transforms.policies import Clock, Firings

StampedChange = tuple[tuple[int, int], PlaceChange]
"""A stamp as a plain tuple, for which Beam has a compact coder, and the change."""

_ROWS: Final = Metrics.counter("count", "rows")
_WAS_CLOSED_US: Final = 2 * DAY_US
"""How long a place keeps its totals after its day is closed. A closed day takes no more changes."""


class RunningTotalsOutputs(NamedTuple):
    """The outputs of `KeepRunningTotals`: rows of `counts` and `candidates`, ledger entries."""

    rows: beam.PCollection[CountsRow]
    candidates: beam.PCollection[CandidatesRow]
    ledger: beam.PCollection[LedgerEntry]


class SumChanges(beam.PTransform[KeyedChange, KeyedChange]):
    """Sums the changes of an unbounded job, place by place.

    In: (place, `PlaceChange`).
    Out: (place, `PlaceChange`), once per counts period for each place that was touched.
    Windowing: the global window, with discarding panes.
    Guarantees: each change is in exactly one pane.

    Args:
      firings: when panes fire.
      most_candidates: how many candidates for judging to keep of each hour.
    """

    def __init__(self, firings: Firings, most_candidates: int) -> None:
        super().__init__()
        self._firings = firings
        self._most_candidates = most_candidates

    def expand(self, changes: beam.PCollection[KeyedChange]) -> beam.PCollection[KeyedChange]:
        return (
            changes
            | "FireByPeriod" >> self._firings.each_counts_period()
            | "SumPlaces" >> beam.CombinePerKey(SumPlacesFn(self._most_candidates))
        )


class KeepRunningTotals(beam.PTransform[KeyedChange, Any]):
    """Adds changes to the totals of their places, and emits the new totals.

    In: (place, `PlaceChange`).
    Out: `RunningTotalsOutputs`: a row for each change, a row with the candidates for judging of an
    hour whenever they change, and ledger entries for the conversations in the totals.
    Windowing: the global window, in and out.
    Guarantees: even after a crash, the current rows equal the sum of all changes, whatever their
    order. A failure may roll the state back and leave rows of the failed attempt in the table. So a
    day begins a new snapshot after its state was rolled back, and also when a worker sees the day
    for the first time. All its places are then written again.
    State: a register for each day, about 30 bytes per place, and the totals of each place, about 2
    KB. The day is closed when `kept_us` has passed since its end. Later changes are left to a
    backfill; the ledger counts their conversations as `past_life`, and their revisions as
    `revisions_past_life`.
    Metrics: counters `count/tallied`, `count/past_life/<day>`, `count/revisions_past_life/<day>`
    and `count/rows`.

    Args:
      provenance: what every row says about how it was counted.
      load_pseudonyms: loads the operator's secret.
      generation: start of the job, microseconds since the epoch.
      clock: returns the current time. It provides the revisions and is used to detect a drain.
      kept_us: how long a day stays open after its end; see `Settings.kept_us`.
      most_candidates: how many candidates for judging to keep of each hour.
    """

    def __init__(
        self,
        provenance: Provenance,
        load_pseudonyms: LoadPseudonyms,
        generation: int,
        clock: Clock,
        kept_us: int,
        most_candidates: int,
    ) -> None:
        super().__init__()
        self._register = _RegisterFn(generation, clock, kept_us)
        self._add = _AddFn(provenance, load_pseudonyms, clock, kept_us, most_candidates)

    def expand(self, changes: beam.PCollection[KeyedChange]) -> RunningTotalsOutputs:
        registered = (
            changes
            | "KeyByDay" >> beam.Map(_by_day).with_output_types(tuple[int, KeyedChange])
            | "StampChanges" >> beam.ParDo(self._register)
            .with_output_types(tuple[PlaceKey, StampedChange], ledger=LedgerEntry)
            .with_outputs("ledger", main="changes")
        )  # fmt: skip
        added = (
            registered["changes"]
            | "AddToTotals" >> beam.ParDo(self._add)
            .with_output_types(CountsRow, candidates=CandidatesRow)
            .with_outputs("candidates", main="rows")
        )  # fmt: skip
        return RunningTotalsOutputs(added["rows"], added["candidates"], registered["ledger"])


@dataclass
class _Worker:
    """The memory of a worker process: when it started, and its last revision of each day."""

    started_at_us: int
    revisions: dict[int, int] = field(default_factory=dict)


_WORKERS: Final[dict[str, _Worker]] = {}
"""The worker's memory for each job. Tests run several jobs in one process."""


class _RegisterFn(beam.DoFn):
    DAY = ReadModifyWriteStateSpec("register", CanonicalCoder(DayRegister))
    CLOSE = TimerSpec("close", TimeDomain.WATERMARK)

    def __init__(self, generation: int, clock: Clock, kept_us: int) -> None:
        self._generation = generation
        self._clock = clock
        self._kept_us = kept_us
        self._job = uuid.uuid4().hex

    def setup(self) -> None:
        # Not kept in the object, because a runner may make a new one for each bundle.
        self._known = _WORKERS.setdefault(self._job, _Worker(self._clock()))

    def process(
        self,
        day_change: tuple[int, KeyedChange],
        state: Any = beam.DoFn.StateParam(DAY),
        close: Any = beam.DoFn.TimerParam(CLOSE),
    ) -> Iterator[Any]:
        day_us, (place, change) = day_change
        register = state.read() or DayRegister()
        counts = _outcomes_of(day_us, place, change, is_closed=register.is_closed)
        count_metrics("count", counts)
        for entry in ledger.entries_of(counts):
            yield Tagged("ledger", entry)
        if register.is_closed:
            return
        known_us = self._known.revisions.get(day_us, self._known.started_at_us)
        register, again = register.touch(place, self._clock(), known_us, self._generation)
        self._known.revisions[day_us] = register.revision
        state.write(register)
        close.set(Timestamp(micros=day_us + DAY_US + self._kept_us))
        stamp = tuple(register.stamp)
        yield place, (stamp, change)
        for other in sorted(again):
            yield other, (stamp, PlaceChange())

    @on_timer(CLOSE)
    def close(
        self,
        state: Any = beam.DoFn.StateParam(DAY),
        due: Any = beam.DoFn.TimestampParam,
    ) -> None:
        if due.micros <= self._clock():  # Otherwise it is a drain, and changes may still arrive.
            state.write(CLOSED)


class _AddFn(beam.DoFn):
    TOTALS = ReadModifyWriteStateSpec("totals", CanonicalCoder(RunningPlace))
    FORGET = TimerSpec("forget", TimeDomain.WATERMARK)

    def __init__(
        self,
        provenance: Provenance,
        load_pseudonyms: LoadPseudonyms,
        clock: Clock,
        kept_us: int,
        most_candidates: int,
    ) -> None:
        self._provenance = provenance
        self._load_pseudonyms = load_pseudonyms
        self._clock = clock
        self._kept_us = kept_us
        self._most_candidates = most_candidates

    def setup(self) -> None:
        self._key_id = self._load_pseudonyms().key_id

    def process(
        self,
        keyed: tuple[PlaceKey, StampedChange],
        state: Any = beam.DoFn.StateParam(TOTALS),
        forget: Any = beam.DoFn.TimerParam(FORGET),
    ) -> Iterator[Any]:
        place, (stamp, change) = keyed
        before = state.read() or RunningPlace()
        totals = before.add(Stamp(*stamp), change, self._clock(), self._most_candidates)
        state.write(totals)
        end_us = day_of(place[1]) + DAY_US
        forget.set(Timestamp(micros=end_us + self._kept_us + _WAS_CLOSED_US))
        _ROWS.inc()
        version = totals.stamp, totals.revision, self._provenance, self._key_id
        yield counts_row(place, totals.cells, *version)
        was, now = before.candidates, totals.candidates
        if now != was or ((now or was) and totals.stamp != before.stamp):
            yield Tagged("candidates", candidates_row(place, now, *version))

    @on_timer(FORGET)
    def forget(
        self,
        state: Any = beam.DoFn.StateParam(TOTALS),
        due: Any = beam.DoFn.TimestampParam,
    ) -> None:
        if due.micros <= self._clock():  # Otherwise it is a drain, and changes may still arrive.
            state.clear()


@with_input_types(PlaceChange)
@with_output_types(PlaceChange)
class SumPlacesFn(beam.CombineFn):
    """Sums the changes of a place.

    Args:
      most_candidates: how many candidates for judging to keep.
    """

    def __init__(self, most_candidates: int) -> None:
        self._most_candidates = most_candidates

    def create_accumulator(self) -> PlaceChange:
        return PlaceChange()

    def add_input(self, total: PlaceChange, change: PlaceChange) -> PlaceChange:
        return total.add(change)

    def merge_accumulators(self, totals: Iterable[PlaceChange]) -> PlaceChange:
        merged = reduce(PlaceChange.add, totals, PlaceChange())
        merged.candidates.keep(self._most_candidates)
        return merged

    def extract_output(self, total: PlaceChange) -> PlaceChange:
        # A copy, because Beam may add to the accumulator again.
        return total.copy()

    def get_accumulator_coder(self) -> CanonicalCoder:
        return CanonicalCoder(PlaceChange)


def _by_day(keyed: KeyedChange) -> tuple[int, KeyedChange]:
    return day_of(keyed[0][1]), keyed


def _outcomes_of(
    day_us: int, place: PlaceKey, change: PlaceChange, *, is_closed: bool
) -> dict[tuple[str, str], int]:
    """Returns the number of conversations added to an open day, or missing from a closed day."""
    if place != whole_day(day_us):
        return {}
    conversations = change.cells.get(EVERYONE, NOTHING).conversations
    if not is_closed:
        return {(ledger.TALLIED, ""): conversations}
    day = name_of(day_us)
    return {
        (ledger.PAST_LIFE, day): conversations,
        (ledger.REVISIONS_PAST_LIFE, day): change.revisions,
    }

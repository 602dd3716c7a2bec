"""Balance: sums the ledger of a run, and fails a bounded run that lost or doubled a record.

A ledger has two sides: the records that were read, and their outcomes. A stream writes its ledger
repeatedly, and the two sides differ by the number of records that are still being processed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import apache_beam as beam
from apache_beam.coders import BytesCoder
from apache_beam.metrics import Metrics
from apache_beam.transforms.userstate import ReadModifyWriteStateSpec
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.windowed_value import WindowedValue

from schemas.records import LedgerEntry, LedgerTotal
from schemas.tables import BATCH, STREAM
from transforms.counting.ledger import (
    ACCOUNTS,
    LedgerImbalanceError,
    RunningTotals,
    entries_of,
    imbalance,
)
from transforms.policies import Clock, Firings, each_element


class BalanceLedger(beam.PTransform[Any, LedgerTotal]):
    """Sums the ledger entries of a bounded run and checks that they balance.

    In: collections of `LedgerEntry` by name.
    Out: one `LedgerTotal` for each account and reason.
    Windowing: the global window, in and out.
    Guarantees: if the ledger does not balance, the bundle raises `LedgerImbalanceError`, no
    `LedgerTotal` is emitted, and the run fails.

    Args:
      revision: start of the run, microseconds since the epoch. It names the run, and it is also the
        revision of the run's totals.
    """

    def __init__(self, revision: int) -> None:
        super().__init__()
        self._revision = revision

    def expand(
        self, entries: Mapping[str, beam.PCollection[LedgerEntry]]
    ) -> beam.PCollection[LedgerTotal]:
        return (
            tuple(entries.values())
            | "FlattenEntries" >> beam.Flatten()
            | "KeyByAccount" >> beam.Map(_key).with_output_types(tuple[tuple[str, str], int])
            | "SumAccounts" >> beam.CombinePerKey(sum)
            | "GatherAccounts" >> beam.combiners.ToList()
            | "CheckBalance" >> beam.FlatMap(_checked, self._revision)
            .with_output_types(LedgerTotal)
        )  # fmt: skip


class TotalLedger(beam.PTransform[Any, LedgerTotal]):
    """Sums the ledger entries of an unbounded job, for as long as it runs.

    In: collections of `LedgerEntry` by name.
    Out: all `LedgerTotal`s of the run so far, all with the same revision. They are emitted once in
    each firing period in which an entry arrived.
    Windowing: the global window, in and out.
    Guarantees: the totals are part of the state that the runner keeps. So a record that is replayed
    after a failure counts once, and the rows written by a failed attempt are superseded by a later
    revision.
    State: `RunningTotals`, a few hundred bytes. This state is never dropped. It grows by one entry
    for each new day, for each account that counts by day.

    Args:
      firings: when the totals are written.
      clock: gives the revisions.
      run: start of the job, microseconds since the epoch. It names the run, unless the job took
        over the state of an earlier job.
    """

    def __init__(self, firings: Firings, clock: Clock, run: int) -> None:
        super().__init__()
        self._firings = firings
        self._fn = _TotalFn(clock, run)

    def expand(
        self, entries: Mapping[str, beam.PCollection[LedgerEntry]]
    ) -> beam.PCollection[LedgerTotal]:
        at_once = [branch | f"{name}AtOnce" >> each_element() for name, branch in entries.items()]
        return (
            at_once
            | "FlattenEntries" >> beam.Flatten()
            | "UnderOneKey" >> beam.Map(_under_one_key).with_output_types(tuple[bytes, LedgerEntry])
            | "FireByPeriod" >> self._firings.each_period()
            | "GroupEntries" >> beam.GroupByKey()
            | "AddUp" >> beam.ParDo(self._fn).with_output_types(LedgerTotal)
        )


class _TotalFn(beam.DoFn):
    TOTALS = ReadModifyWriteStateSpec("ledger", BytesCoder())

    def __init__(self, clock: Clock, run: int) -> None:
        self._clock = clock
        self._run = run

    def process(
        self,
        keyed: tuple[bytes, Iterable[LedgerEntry]],
        state: Any = beam.DoFn.StateParam(TOTALS),
    ) -> Iterator[LedgerTotal]:
        entries = list(keyed[1])
        if not entries:  # A runner may fire an empty last pane.
            return
        encoded = state.read()
        now_us = self._clock()
        new = RunningTotals(self._run, 0, Counter())
        before = RunningTotals.decode(encoded) if encoded else new
        sums = before.sums.copy()
        for entry in entries:
            sums[entry.account, entry.reason] += entry.records
        revision = max(now_us, before.revision + 1)
        state.write(RunningTotals(before.run, revision, sums).encode())
        for (account, reason), records in sorted(sums.items()):
            yield LedgerTotal(before.run, account, reason, records, revision, STREAM)


def _key(entry: LedgerEntry) -> tuple[tuple[str, str], int]:
    return (entry.account, entry.reason), entry.records


def _under_one_key(entry: LedgerEntry) -> tuple[bytes, LedgerEntry]:
    return b"", entry


def _checked(sums: Iterable[tuple[tuple[str, str], int]], revision: int) -> list[LedgerTotal]:
    totals = [
        LedgerTotal(revision, account, reason, records, revision, BATCH)
        for (account, reason), records in sums
    ]
    problem = imbalance(totals)
    if problem is not None:
        raise LedgerImbalanceError(problem)
    return sorted(totals, key=lambda e: (ACCOUNTS.index(e.account), e.reason))


def at_end_of_bundle(counts: Mapping[tuple[str, str], int]) -> Iterator[WindowedValue]:
    """Yields the ledger entries of a bundle, for a step in the global window."""
    window = GlobalWindow()
    for entry in entries_of(counts):
        yield WindowedValue(entry, window.max_timestamp(), (window,))


def count_metrics(step: str, counts: Mapping[tuple[str, str], int]) -> None:
    """Adds the counts to Beam's counters `<step>/<account>` or `<step>/<account>/<reason>`."""
    for (account, reason), records in counts.items():
        # Beam's counters may go down, because a stream subtracts what it counted too early.
        Metrics.counter(step, f"{account}/{reason}" if reason else account).inc(records)

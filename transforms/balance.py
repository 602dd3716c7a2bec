"""Balance: sums the ledger of a run, and fails a bounded run that lost a record.

A stream writes its totals again and again; the two sides differ by what is under way.
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

    In: collections of `LedgerEntry` by name, in the global window. Out: one `LedgerTotal` for each
    account and reason, run and revision those of the run.
    Raises: `LedgerImbalanceError` while the pipeline runs, so that the run fails.
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

    In: collections of `LedgerEntry` by name. Out: all `LedgerTotal`s of the run so far, once a
    firing period in which one has changed, together under one revision. Windowing: the global
    window.
    Guarantees: the totals are of the state that the runner keeps, so that after a failure they
    count what is replayed once; a later revision supersedes what a lost attempt wrote.
    State: `RunningTotals`, some hundred bytes in all.

    Args:
      run: start of the job, which names a run that begins with it.
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
    TOTALS = ReadModifyWriteStateSpec("totals", BytesCoder())

    def __init__(self, clock: Clock, run: int) -> None:
        self._clock = clock
        self._run = run

    def process(
        self,
        keyed: tuple[bytes, Iterable[LedgerEntry]],
        state: Any = beam.DoFn.StateParam(TOTALS),
    ) -> Iterator[LedgerTotal]:
        entries = list(keyed[1])
        if not entries:  # A runner may fire a last pane of nothing.
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
    """Yields the entries of what a step in the global window counted over a bundle."""
    window = GlobalWindow()
    for entry in entries_of(counts):
        yield WindowedValue(entry, window.max_timestamp(), (window,))


def count_metrics(step: str, counts: Mapping[tuple[str, str], int]) -> None:
    """Adds the counts to Beam's counters `<step>/<account>` or `<step>/<account>/<reason>`."""
    for (account, reason), records in counts.items():
        # Beam's counters may go down: a stream takes back what turned out otherwise.
        Metrics.counter(step, f"{account}/{reason}" if reason else account).inc(records)

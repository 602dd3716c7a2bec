"""Conservation: every record read meets exactly one fate, and the counts must say so.

The entries come from both ends of the job: `read` is counted at the door, the fates where they
befall a record; conversations are counted where messages become them, and again in the finished
totals. What is lost or doubled in between leaves two sides unequal. A bounded run then fails; a
stream writes its totals again and again, and what is under way is the difference.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import apache_beam as beam
import msgspec
from apache_beam.coders import BytesCoder
from apache_beam.metrics import Metrics
from apache_beam.transforms.userstate import ReadModifyWriteStateSpec
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.windowed_value import WindowedValue

from schemas.records import LedgerEntry, LedgerTotal
from schemas.tables import BATCH, STREAM
from transforms.policies import Firings, each_element

READ: Final = "read"
COUNTED: Final = "counted"
"""Messages that stand in a conversation's state, one by one."""
DUPLICATE: Final = "duplicate"
"""More copies of messages that are counted in the same conversation, also copies that differ."""
SAMPLED: Final = "sampled"
"""Messages of conversations too long to hold each, past those held; repeated ones among them."""
SYSTEM_TURN: Final = "system_turn"
LATE: Final = "late"
DEAD_LETTER: Final = "dead_letter"
OUT_OF_RANGE: Final = "out_of_range"
"""Messages that a backfill read and that do not count for the days it was asked for."""

FATES: Final = (COUNTED, DUPLICATE, SAMPLED, SYSTEM_TURN, LATE, DEAD_LETTER, OUT_OF_RANGE)

CONVERSATION: Final = "conversation"
"""Conversations that the messages make up."""
TALLIED: Final = "tallied"
"""Conversations that stand in the totals of the days."""
PAST_LIFE: Final = "past_life"
"""Conversations, by day (the reason), of days that a stream no longer changes: for a backfill."""
OVER_USER_LIMIT: Final = "over_user_limit"
"""Conversations, by day (the reason), past those that count of one user on one day."""
OTHER_DAY: Final = "other_day"
"""Conversations of days that a backfill was not asked for."""
OPEN_AT_DRAIN: Final = "open_at_drain"
"""Conversations, by the day they started (the reason), that a drain may have cut in two: what
comes of them later a new job takes for another conversation, until a backfill of that day."""
OPEN_AT_END: Final = "open_at_end"
"""Conversations, by the day they started (the reason), that may go on after the last message that
a backfill read: a later backfill, or one with a larger margin, may count more of them."""

REVISIONS_PAST_LIFE: Final = "revisions_past_life"
"""Revisions of conversations, by the day they started (the reason), that a stream dropped: it no
longer changes that day. Most leave the number of conversations as it is, so `PAST_LIFE` does not
show them. A backfill of the day counts them."""
LIMIT_SHORTFALL: Final = "limit_shortfall"
"""Conversations, by day (the reason), that are over the user limit in a stream only: others left
the user's day, and the stream no longer remembers which ones come next. A backfill counts them."""
OTHER_VALUE: Final = "other_value"
"""Values of breakdowns that became `other`, by breakdown and why (the reason); the messages that
stated them have a fate like every other."""

PLACES: Final = (TALLIED, OVER_USER_LIMIT, PAST_LIFE, OTHER_DAY)
"""What becomes of a conversation; together they are all."""

ACCOUNTS: Final = (
    READ, *FATES, CONVERSATION, *PLACES, REVISIONS_PAST_LIFE, LIMIT_SHORTFALL, OPEN_AT_DRAIN,
    OPEN_AT_END, OTHER_VALUE,
)  # fmt: skip

Clock = Callable[[], int]
"""Returns microseconds since the epoch."""

_VERSION: Final = 1


class LedgerImbalanceError(RuntimeError):
    """Raised when records were lost or made up on the way."""


def imbalance(entries: Iterable[LedgerEntry | LedgerTotal]) -> str | None:
    """Returns one sentence saying by how much the two sides differ, or None if they agree."""
    sums = dict.fromkeys(ACCOUNTS, 0)
    for entry in entries:
        sums[entry.account] += entry.records
    for whole, parts in ((CONVERSATION, PLACES), (READ, FATES)):
        met = sum(sums[part] for part in parts)
        if met != sums[whole]:
            shown = " + ".join(f"{part} {sums[part]}" for part in parts)
            return f"the ledger does not balance: {whole} {sums[whole]}, but {shown} = {met}"
    return None


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
    State: `_Totals`, some hundred bytes in all.

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


@dataclass(frozen=True)
class _Totals:
    """Everything added up since the run began."""

    run: int
    revision: int
    sums: Counter[tuple[str, str]]

    def encode(self) -> bytes:
        rows = [(*key, records) for key, records in sorted(self.sums.items())]
        return _encode((_VERSION, self.run, self.revision, rows))

    @classmethod
    def decode(cls, encoded: bytes) -> _Totals:
        version, run, revision, rows = _decode(encoded)
        if version != _VERSION:
            raise ValueError(f"ledger state has version {version}, not {_VERSION}")
        return cls(run, revision, Counter({(row[0], row[1]): row[2] for row in rows}))


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[int, int, int, list[tuple[str, str, int]]]).decode


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
        before = _Totals.decode(encoded) if encoded else _Totals(self._run, 0, Counter())
        sums = before.sums.copy()
        for entry in entries:
            sums[entry.account, entry.reason] += entry.records
        revision = max(now_us, before.revision + 1)
        state.write(_Totals(before.run, revision, sums).encode())
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


def entries_of(counts: Mapping[tuple[str, str], int]) -> list[LedgerEntry]:
    """Returns an entry for each (account, reason) that was met at least once."""
    return [LedgerEntry(account, reason, n) for (account, reason), n in counts.items() if n]


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

"""Builds the two graphs that `bench_stream` compares: the job's, and an empty one.

The empty graph has the same shape as `pipelines.graph.count_unbounded`. Its steps are of the same
kinds in the same order, with the same triggers and as many elements between them. A conversation
gives one partial per chunk, one signed change when it is new, and two when it has grown. But the
empty graph decodes, scores, joins, tallies and suppresses nothing. Each state is one byte, and each
element is a key and a small number. So the empty graph costs hardly more than the runner itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import apache_beam as beam
from apache_beam.coders import BytesCoder
from apache_beam.pvalue import TaggedOutput as Tagged
from apache_beam.transforms.timeutil import TimeDomain
from apache_beam.transforms.userstate import ReadModifyWriteStateSpec, TimerSpec, on_timer
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.timestamp import Timestamp
from apache_beam.utils.windowed_value import WindowedValue

from pipelines.graph import assemble
from pipelines.settings import Settings, wall_clock_us
from schemas.records import LedgerTotal, PayloadChunk
from transforms.counting.ledger import CONVERSATION, COUNTED, READ, TALLIED
from transforms.policies import Firings, each_element

Rows = Mapping[str, beam.PCollection[Any]]
"""The rows that a graph would write, by name."""
Build = Callable[[beam.PCollection[PayloadChunk], Settings], Rows]
Entry = tuple[int, int]
"""An entry in the empty graph's ledger: an index into `_ACCOUNTS`, and a number."""

LEDGER: Final = "ledger"
_ACCOUNTS: Final = (READ, COUNTED, CONVERSATION, TALLIED)
_READ, _COUNTED, _CONVERSATION, _TALLIED = range(len(_ACCOUNTS))
_ONE: Final = b"1"
_DAYS: Final = 2


def build_ours(payloads: beam.PCollection[PayloadChunk], settings: Settings) -> Rows:
    """Builds the streaming job itself."""
    outputs = assemble(payloads, settings)
    return {name: rows for name, rows in outputs._asdict().items() if rows is not None}


def build_empty(payloads: beam.PCollection[PayloadChunk], settings: Settings) -> Rows:
    """Builds a graph of the same shape that does no work."""
    firings = settings.firings
    due = Timestamp(micros=wall_clock_us() + settings.life_us)
    decoded = payloads | "DecodeChunks" >> beam.ParDo(_DecodeFn()).with_output_types(
        list[bytes], dead_letters=bytes, ledger=Entry
    ).with_outputs("dead_letters", "ledger", main="messages")
    changes = (
        decoded["messages"]
        | "ScoreBatches" >> beam.Map(_same).with_output_types(list[bytes])
        | "FoldChunks" >> beam.FlatMap(_partials).with_output_types(tuple[bytes, int])
        | "FireByPeriod" >> firings.each_period()
        | "GroupByConversation" >> beam.GroupByKey()
        | "SignChanges" >> beam.ParDo(_SignFn(due))
        .with_output_types(tuple[bytes, int], grown_long=bytes, ledger=Entry)
        .with_outputs("grown_long", "ledger", main="summaries")
    )  # fmt: skip
    counted = (
        changes["summaries"]
        | "WithUser" >> beam.Filter(_has_user).with_output_types(tuple[bytes, int])
        | "KeyByUserAndDay" >> beam.Map(_same_pair).with_output_types(tuple[bytes, int])
        | "CountUserOnce" >> beam.ParDo(_PeopleFn(due)).with_output_types(tuple[int, int])
    )
    anonymous = (
        changes["summaries"]
        | "WithoutUser" >> beam.Filter(_has_no_user).with_output_types(tuple[bytes, int])
        | "CountWithoutUser" >> beam.Map(_on_first_day).with_output_types(tuple[int, int])
    )
    stamped = (
        (counted, anonymous)
        | "FlattenChanges" >> beam.Flatten()
        | "FirePlaces" >> firings.each_counts_period()
        | "SumPlaces" >> beam.CombinePerKey(sum)
        | "KeyByDay" >> beam.Map(_same_pair).with_output_types(tuple[int, int])
        | "StampChanges" >> beam.ParDo(_RegisterFn(due))
        .with_output_types(tuple[int, int], ledger=Entry)
        .with_outputs("ledger", main="changes")
    )  # fmt: skip
    rows = stamped["changes"] | "AddToTotals" >> beam.ParDo(_AddFn(due)).with_output_types(int)
    branches = (decoded["ledger"], changes["ledger"], stamped["ledger"])
    return {
        "counts": rows,
        "dead_letters": decoded["dead_letters"],
        LEDGER: branches | "Ledger" >> _Total(firings),
        "grown_long": changes["grown_long"],
    }


BUILDS: Final[Mapping[str, Build]] = {"ours": build_ours, "empty": build_empty}


def drop(rows: Rows) -> None:
    """Discards all rows that a graph would write."""
    for name, collection in rows.items():
        _ = collection | f"Drop{name}" >> beam.Map(_nothing)


def count_into(rows: Rows, file: Path) -> None:
    """Appends the number of rows in each bundle, and the ledger's totals, to a file."""
    for name, collection in rows.items():
        _ = collection | f"Count{name}" >> beam.ParDo(_CountIntoFn(name, str(file)))


def accounts_in(file: Path) -> dict[str, int]:
    """Returns the newest totals that `count_into` wrote, by account."""
    totals: dict[str, int] = {}
    newest = 0
    lines = file.read_text().splitlines() if file.exists() else []
    for line in lines:
        name, *fields = line.split("\t")
        if name == LEDGER:
            revision, account, records = int(fields[0]), fields[1], int(fields[2])
            if revision > newest:
                newest, totals = revision, {}
            if revision == newest:
                totals[account] = totals.get(account, 0) + records
    return totals


class _DecodeFn(beam.DoFn):
    def process(self, chunk: PayloadChunk) -> Iterator[Any]:
        yield chunk.rows
        yield Tagged("ledger", (_READ, len(chunk.rows)))


def _same(rows: list[bytes]) -> list[bytes]:
    return rows


def _same_pair(keyed: tuple[bytes, int]) -> tuple[bytes, int]:
    return keyed


def _partials(rows: list[bytes]) -> Iterator[tuple[bytes, int]]:
    yield from Counter(map(_conversation_of, rows)).items()


def _conversation_of(row: bytes) -> bytes:
    # The second field of a short protobuf event. A tag and a length come before each field.
    start = 2 + row[1]
    return row[start + 2 : start + 2 + row[start + 1]]


class _SignFn(beam.DoFn):
    HISTORY = ReadModifyWriteStateSpec("history", BytesCoder())
    FORGET = TimerSpec("forget", TimeDomain.WATERMARK)

    def __init__(self, due: Timestamp) -> None:
        self._due = due
        self._messages = self._conversations = 0

    def start_bundle(self) -> None:
        self._messages = self._conversations = 0

    def process(
        self,
        pane: tuple[bytes, Iterable[int]],
        state: Any = beam.DoFn.StateParam(HISTORY),
        forget: Any = beam.DoFn.TimerParam(FORGET),
    ) -> Iterator[Any]:
        key, seen = pane[0], list(pane[1])
        if not seen:
            return
        before = state.read()
        state.write(_ONE)
        forget.set(self._due)
        self._messages += sum(seen)
        if before:
            yield key, -1
        else:
            self._conversations += 1
        yield key, 1

    def finish_bundle(self) -> Iterator[WindowedValue]:
        window = GlobalWindow()
        counts = ((_COUNTED, self._messages), (_CONVERSATION, self._conversations))
        for entry in counts:
            if entry[1]:
                yield Tagged(  # type: ignore[misc]
                    "ledger", WindowedValue(entry, window.max_timestamp(), (window,))
                )

    @on_timer(FORGET)
    def forget(self, state: Any = beam.DoFn.StateParam(HISTORY)) -> None:
        state.clear()


class _PeopleFn(beam.DoFn):
    CELLS = ReadModifyWriteStateSpec("cells", BytesCoder())
    FORGET = TimerSpec("forget", TimeDomain.WATERMARK)

    def __init__(self, due: Timestamp) -> None:
        self._due = due

    def process(
        self,
        keyed: tuple[bytes, int],
        state: Any = beam.DoFn.StateParam(CELLS),
        forget: Any = beam.DoFn.TimerParam(FORGET),
    ) -> Iterator[tuple[int, int]]:
        state.read()
        state.write(_ONE)
        forget.set(self._due)
        yield keyed[0][-1] % _DAYS, keyed[1]

    @on_timer(FORGET)
    def forget(self, state: Any = beam.DoFn.StateParam(CELLS)) -> None:
        state.clear()


class _RegisterFn(beam.DoFn):
    DAY = ReadModifyWriteStateSpec("register", BytesCoder())
    CLOSE = TimerSpec("close", TimeDomain.WATERMARK)

    def __init__(self, due: Timestamp) -> None:
        self._due = due

    def process(
        self,
        day_change: tuple[int, int],
        state: Any = beam.DoFn.StateParam(DAY),
        close: Any = beam.DoFn.TimerParam(CLOSE),
    ) -> Iterator[Any]:
        state.read()
        state.write(_ONE)
        close.set(self._due)
        if day_change[1]:
            yield Tagged("ledger", (_TALLIED, day_change[1]))
        yield day_change

    @on_timer(CLOSE)
    def close(self, state: Any = beam.DoFn.StateParam(DAY)) -> None:
        state.clear()


class _AddFn(beam.DoFn):
    TOTALS = ReadModifyWriteStateSpec("totals", BytesCoder())
    FORGET = TimerSpec("forget", TimeDomain.WATERMARK)

    def __init__(self, due: Timestamp) -> None:
        self._due = due

    def process(
        self,
        day_change: tuple[int, int],
        state: Any = beam.DoFn.StateParam(TOTALS),
        forget: Any = beam.DoFn.TimerParam(FORGET),
    ) -> Iterator[int]:
        state.read()
        state.write(_ONE)
        forget.set(self._due)
        yield day_change[1]

    @on_timer(FORGET)
    def forget(self, state: Any = beam.DoFn.StateParam(TOTALS)) -> None:
        state.clear()


class _Total(beam.PTransform[Any, LedgerTotal]):
    def __init__(self, firings: Firings) -> None:
        super().__init__()
        self._firings = firings

    def expand(self, entries: tuple[beam.PCollection[Entry], ...]) -> Any:
        at_once = (
            branch | f"AtOnce{number}" >> each_element() for number, branch in enumerate(entries)
        )
        return (
            tuple(at_once)
            | "FlattenEntries" >> beam.Flatten()
            | "UnderOneKey" >> beam.Map(_under_one_key).with_output_types(tuple[bytes, Entry])
            | "FireByPeriod" >> self._firings.each_period()
            | "GroupEntries" >> beam.GroupByKey()
            | "AddUp" >> beam.ParDo(_TotalFn()).with_output_types(LedgerTotal)
        )


def _under_one_key(entry: Entry) -> tuple[bytes, Entry]:
    return b"", entry


class _TotalFn(beam.DoFn):
    """The only step of the empty graph that does real work.

    Its totals show when all events are accounted for.
    """

    TOTALS = ReadModifyWriteStateSpec("totals", BytesCoder())

    def process(
        self,
        keyed: tuple[bytes, Iterable[Entry]],
        state: Any = beam.DoFn.StateParam(TOTALS),
    ) -> Iterator[LedgerTotal]:
        encoded = state.read()
        sums = [int(n) for n in encoded.split()] if encoded else [0] * len(_ACCOUNTS)
        for index, number in keyed[1]:
            sums[index] += number
        state.write(" ".join(map(str, sums)).encode())
        revision = wall_clock_us()
        for account, number in zip(_ACCOUNTS, sums, strict=True):
            yield LedgerTotal(0, account, "", number, revision)


class _CountIntoFn(beam.DoFn):
    def __init__(self, name: str, file: str) -> None:
        self._name = name
        self._file = file
        self._count = 0
        self._totals: list[LedgerTotal] = []

    def start_bundle(self) -> None:
        self._count, self._totals = 0, []

    def process(self, row: Any) -> None:
        self._count += 1
        if isinstance(row, LedgerTotal):
            self._totals.append(row)

    def finish_bundle(self) -> None:
        if not self._count:
            return
        lines = [f"{self._name}\t{self._count}"]
        if self._totals:
            lines = [f"{LEDGER}\t{t.revision}\t{t.account}\t{t.records}" for t in self._totals]
        with Path(self._file).open("a") as file:
            file.write("".join(f"{line}\n" for line in lines))


def _has_user(change: tuple[bytes, int]) -> bool:
    return bool(change[0])


def _has_no_user(change: tuple[bytes, int]) -> bool:
    return not change[0]


def _on_first_day(change: tuple[bytes, int]) -> tuple[int, int]:
    return 0, change[1]


def _nothing(row: Any) -> None:
    del row

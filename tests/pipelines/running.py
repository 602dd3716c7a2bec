"""Runs the real graph in tests; only its sources and sinks are replaced."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.direct.direct_runner import BundleBasedDirectRunner
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.test_stream import TestStream

from pipelines.graph import assemble
from pipelines.settings import Settings
from schemas.counts import CountsRow
from schemas.judged import CandidatesRow, SampleRow
from schemas.records import (
    DeadLetter,
    Encoding,
    LedgerTotal,
    LongConversation,
    PayloadChunk,
)
from tests.doubles import LabelReader
from transforms.counting.cells import day_of
from transforms.counting.places import cells_of_text
from transforms.counting.windows import DAY, HOUR
from transforms.facets.registry import SLICES, SUMMING_CHANGE
from transforms.judging.choice import choose
from transforms.policies import Clock

Counts = tuple[int, int, int | None, int | None]
"""Conversations, users, the sum of sentiment changes, and the sum of their squares."""

_COLLECTED: Final[defaultdict[str, list[Any]]] = defaultdict(list)

KEPT: Final[list[str]] = []
"""The sinks that rows have reached, as recorded by `keep`."""

FIRING_S: Final = 5


def stopped_at(at_us: int) -> Clock:
    """Returns a clock that always shows this instant."""
    return lambda: at_us


EXACT: Final = Settings(
    load_classifier=LabelReader,
    classifier_version=LabelReader.version,
    revision=1,
    clock=stopped_at(
        4_102_444_800_000_000
    ),  # The year 2100 is after every timeline, so that none ends in a drain.
)
"""Settings under which every label is known."""


class Result:
    """The outputs of one run of the graph."""

    def __init__(self, collected: Mapping[str, list[Any]]) -> None:
        self.rows: list[CountsRow] = collected["counts"]
        self.candidates: list[CandidatesRow] = collected["candidates"]
        self.dead_letters: list[DeadLetter] = collected["dead_letters"]
        self.ledger: list[LedgerTotal] = collected["ledger"]
        self.grown_long: list[LongConversation] = collected["grown_long"]
        self.order: list[str] = collected["order"]
        """The order in which elements arrived: each is `payloads` or the name of an output."""

    def cells(self, kinds: Collection[str] = (HOUR, DAY)) -> dict[tuple[Any, ...], Counts]:
        """Returns the current cells of some kinds of windows."""
        return {
            (row.window_start_us, row.window_kind, row.breakdown, row.breakdown_value, *SLICES[i]):
            (n, users, *((change, squares) if i in SUMMING_CHANGE else (None, None)))
            for row in current(self.rows)
            if row.window_kind in kinds
            for i, (n, users, _, change, squares) in cells_of_text(row.cells).items()
        }  # fmt: skip

    def sample(self, budget: int) -> list[SampleRow]:
        """Returns the samples of all days, each of at most `budget` conversations."""
        rows = current_candidates(self.candidates)
        days = sorted({day_of(row.window_start_us) for row in rows})
        return [
            each
            for day_us in days
            for each in choose([r for r in rows if day_of(r.window_start_us) == day_us], budget, 0)
        ]

    def accounts(self) -> dict[tuple[str, str], int]:
        """Returns the number of records for each account and reason."""
        newest = sorted(self.ledger, key=lambda total: total.revision)
        return {(t.account, t.reason): t.records for t in newest if t.records}


def current(rows: Iterable[CountsRow]) -> list[CountsRow]:
    """Returns each place's last revision in the last snapshot of its day."""
    snapshots: defaultdict[tuple[Any, ...], int] = defaultdict(int)
    for row in rows:
        snapshots[_scope(row)] = max(snapshots[_scope(row)], row.snapshot)
    latest: dict[tuple[Any, ...], CountsRow] = {}
    for row in sorted(rows, key=lambda r: r.revision):
        if row.snapshot == snapshots[_scope(row)]:
            latest[row.window_kind, row.window_start_us, row.breakdown, row.breakdown_value] = row
    return list(latest.values())


def current_candidates(rows: Iterable[CandidatesRow]) -> list[CandidatesRow]:
    """Returns each hour's last revision in the last snapshot of its day."""
    snapshots: defaultdict[int, int] = defaultdict(int)
    for row in rows:
        day_us = day_of(row.window_start_us)
        snapshots[day_us] = max(snapshots[day_us], row.snapshot)
    latest: dict[int, CandidatesRow] = {}
    for row in sorted(rows, key=lambda r: r.revision):
        if row.snapshot == snapshots[day_of(row.window_start_us)]:
            latest[row.window_start_us] = row
    return list(latest.values())


def _scope(row: CountsRow) -> tuple[Any, ...]:
    if row.window_kind in {HOUR, DAY}:
        return (day_of(row.window_start_us),)
    return row.window_kind, row.window_start_us


def chunk(events: Iterable[dict[str, Any]]) -> PayloadChunk:
    """Returns events as one chunk of an archive."""
    return PayloadChunk(Encoding.AVRO, list(events), None, "test")


def run_bounded(chunks: Sequence[PayloadChunk], settings: Settings = EXACT) -> Result:
    """Runs the graph over a bounded input."""
    pipeline = beam.Pipeline(runner=FnApiRunner())
    return _run(pipeline, beam.Create(chunks, reshuffle=False), settings)


def run_unbounded(
    timeline: Sequence[Sequence[dict[str, Any]] | PayloadChunk | int], settings: Settings = EXACT
) -> Result:
    """Runs the graph over a timeline, and lets the graph fire after each step.

    Args:
      timeline: lists or chunks of events that arrive together, or instants in seconds to which
        the watermark advances.
      settings: the settings of counting.
    """
    stream = TestStream()
    for step in timeline:
        if isinstance(step, int):
            stream.advance_watermark_to(step)
        else:
            stream.add_elements([step if isinstance(step, PayloadChunk) else chunk(step)])
        stream.advance_processing_time(4 * FIRING_S)
    for _ in range(
        3
    ):  # The output of a firing reaches the next step, whose own timer fires one period later.
        stream.advance_processing_time(4 * FIRING_S)
    stream.advance_watermark_to_infinity()
    return run_stream(stream, settings)


def run_stream(stream: TestStream, settings: Settings = EXACT) -> Result:
    """Runs the graph over a stream of chunks, with a firing period of `FIRING_S`."""
    period = timedelta(seconds=FIRING_S)
    firings = replace(settings.firings, early=period, counts=period)
    options = PipelineOptions(["--streaming"])
    pipeline = beam.Pipeline(runner=BundleBasedDirectRunner(), options=options)
    return _run(pipeline, stream, replace(settings, firings=firings))


def _run(
    pipeline: beam.Pipeline, source: beam.PTransform[Any, PayloadChunk], settings: Settings
) -> Result:
    _COLLECTED.clear()
    payloads = pipeline | "Chunks" >> source
    outputs = assemble(payloads, settings)
    for name, rows in {"payloads": payloads, **outputs._asdict()}.items():
        if rows is not None:
            _ = rows | f"Collect{name}" >> beam.Map(_collect, name)
    pipeline.run().wait_until_finish()
    return Result({name: list(_COLLECTED[name]) for name in (*outputs._fields, "order")})


def keep(_: Any, name: str) -> None:
    """Records that a row reached the sink with this name."""
    KEPT.append(name)


def _collect(element: Any, name: str) -> None:
    _COLLECTED[name].append(element)
    _COLLECTED["order"].append(name)

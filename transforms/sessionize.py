"""Sessionize: from scored messages to one state a conversation, by either of two roads.

Both fold messages into one partial a conversation and span, and group the partials by
conversation in the global window; spans no further apart than the gap are one conversation. A
bounded input is grouped once, when all of it is there. An unbounded one is grouped again and
again: each firing hands over what has come since the last, and `changes` joins it to what it
remembers.

Beam's own session windows are not used. They drop what comes behind the watermark without a count,
hold each open session a second time, cost about 19 times as much as a global grouping, and give the
same conversations.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any, NamedTuple

import apache_beam as beam
from apache_beam.pvalue import TaggedOutput as Tagged

from schemas.records import LedgerEntry, ScoredMessage
from transforms.balance import at_end_of_bundle
from transforms.conversation.spans import (
    ConversationId,
    Span,
    fold_chunk,
    merge_spans,
    outcomes_of,
)
from transforms.conversation.state import ConversationState
from transforms.counting import ledger
from transforms.counting.cells import day_of, name_of
from transforms.counting.contribution import Rank, rank_of
from transforms.counting.days import DayRange
from transforms.policies import Firings

NewSpans = tuple[ConversationId, Iterable[Span]]
"""A conversation, and what has come of it since the last firing: partials, each without a gap."""


RankedState = tuple[Rank, ConversationState]
"""The state of a conversation, and its rank among those of the user."""


class SessionizeOutputs(NamedTuple):
    """What bounded sessionizing gives."""

    states: beam.PCollection[RankedState]
    ledger: beam.PCollection[LedgerEntry]


class FoldConversations(beam.PTransform[list[ScoredMessage], Any]):
    """Builds the final state of every conversation of a bounded input.

    In: lists of `ScoredMessage`. Out: `SessionizeOutputs`, one ranked state a conversation (a
    conversation id idle for longer than the gap gives several), and the ledger entries of the
    messages.
    Windowing: the global window. Guarantees: independent of order, of duplicates and of how the
    messages were split into lists and bundles.

    Args:
      gap: idle time after which a conversation id begins a new conversation.
      asked: days of which conversations are wanted; those of others are counted and left out. None
        for all.
    """

    def __init__(self, gap: timedelta, asked: DayRange | None = None) -> None:
        super().__init__()
        self._gap_us = _us(gap)
        self._asked = asked

    def expand(self, scored: beam.PCollection[list[ScoredMessage]]) -> SessionizeOutputs:
        merged = (
            scored
            | "FoldChunks" >> beam.FlatMap(fold_chunk, self._gap_us)
            .with_output_types(tuple[ConversationId, Span])
            | "GroupByConversation" >> beam.GroupByKey()
            | "MergeSpans" >> beam.ParDo(_MergeSpansFn(self._gap_us, self._asked))
            .with_output_types(RankedState, ledger=LedgerEntry)
            .with_outputs("ledger", main="states")
        )  # fmt: skip
        return SessionizeOutputs(merged["states"], merged["ledger"])


class GatherConversations(beam.PTransform[list[ScoredMessage], NewSpans]):
    """Gathers what has newly come of each conversation of an unbounded input.

    In: lists of `ScoredMessage`. Out: `NewSpans`, each conversation once a firing period in
    which it has new messages. Windowing: the global window, discarding panes.
    Guarantees: every message is in exactly one pane; nothing is dropped here as late, for the
    global window has no end to be late for.
    """

    def __init__(self, gap: timedelta, firings: Firings) -> None:
        super().__init__()
        self._gap_us = _us(gap)
        self._firings = firings

    def expand(self, scored: beam.PCollection[list[ScoredMessage]]) -> beam.PCollection[NewSpans]:
        return (
            scored
            | "FoldChunks" >> beam.FlatMap(fold_chunk, self._gap_us)
            .with_output_types(tuple[ConversationId, Span])
            | "FireByPeriod" >> self._firings.each_period()
            | "GroupByConversation" >> beam.GroupByKey()
        )  # fmt: skip


class _MergeSpansFn(beam.DoFn):
    def __init__(self, gap_us: int, asked: DayRange | None) -> None:
        self._gap_us = gap_us
        self._asked = asked
        self._outcomes: Counter[tuple[str, str]] = Counter()

    def start_bundle(self) -> None:
        self._outcomes = Counter()

    def process(self, keyed: NewSpans) -> Iterator[Any]:
        spans = merge_spans(keyed[1], self._gap_us)
        rank = rank_of(keyed[0])
        self._outcomes.update(outcomes_of(spans))
        for span in spans:
            if self._asked is not None:
                if not self._asked.has(span.first_at_us):
                    self._outcomes[ledger.OTHER_DAY, ""] += 1
                    continue
                if self._asked.may_go_on(span.last_at_us):
                    self._outcomes[ledger.OPEN_AT_END, name_of(day_of(span.first_at_us))] += 1
            yield rank, span.state

    def finish_bundle(self) -> Iterator[Any]:
        for entry in at_end_of_bundle(self._outcomes):
            yield Tagged("ledger", entry)


def _us(duration: timedelta) -> int:
    return duration // timedelta(microseconds=1)

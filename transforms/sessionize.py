"""Sessionize: brings the scored messages of each conversation together.

A *span* is a series of messages with the same conversation id and no gap longer than the session
gap. The tables call it a conversation. Both transforms fold each list of messages into spans and
group the spans by conversation id in the global window.

A bounded input is grouped once, when all of it has been read. Then spans are merged if the pause
between them is not longer than the gap. An unbounded input is grouped once per firing period. Each
firing emits the spans that are new since the last one, and `changes` merges them with the spans
that it remembers.

Beam's session windows are not used. They give the same conversations, but they drop late elements
without counting them, store each open session twice, and cost about 19 times as much as a global
grouping.
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
"""The hash of a conversation id, and its new spans.

No span contains a gap longer than the session gap.
"""

RankedState = tuple[Rank, ConversationState]
"""The state of a conversation, and its rank among the conversations of the same user."""


class SessionizeOutputs(NamedTuple):
    """The outputs of `FoldConversations`: ranked states and ledger entries."""

    states: beam.PCollection[RankedState]
    ledger: beam.PCollection[LedgerEntry]


class FoldConversations(beam.PTransform[list[ScoredMessage], Any]):
    """Builds the final state of every conversation of a bounded input.

    In: lists of `ScoredMessage`.
    Out: `SessionizeOutputs`: one ranked state for each conversation, and ledger entries for the
    conversations and their messages. A conversation id that is idle for longer than the gap yields
    several conversations.
    Windowing: the global window, in and out.
    Guarantees: the states do not depend on the order of the messages, on duplicates, or on how the
    messages are divided into lists and bundles.

    Args:
      gap: the session gap. After a pause longer than this, the same id begins a new conversation.
      asked: the days of a backfill; None for all days. Conversations of other days are left out,
        and the ledger counts them.
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
    """Gathers the new messages of each conversation of an unbounded input, once per firing period.

    In: lists of `ScoredMessage`.
    Out: `NewSpans`, for each conversation id with new messages in the firing period.
    Windowing: the global window, with discarding panes.
    Guarantees: every message is in exactly one pane. Nothing is dropped here as late, because the
    global window has no end.

    Args:
      gap: the session gap. After a pause longer than this, the same id begins a new conversation.
      firings: when panes fire.
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

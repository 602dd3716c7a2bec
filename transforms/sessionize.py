"""Sessionize: from scored messages to one state a conversation, by either of two roads.

Bounded input folds chunk by chunk, groups by conversation in the global window and merges spans no
further apart than the gap. Unbounded input goes through Beam's session windows. Both build the same
`ConversationState` by the same join, so they agree to the byte; the local runner's session windows
are about 19 times dearer than a global grouping, which is why there are two.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from datetime import timedelta
from functools import reduce
from typing import Any, NamedTuple

import apache_beam as beam
from apache_beam import window
from apache_beam.pvalue import TaggedOutput as Tagged
from apache_beam.transforms.window import GlobalWindow
from apache_beam.typehints import with_input_types, with_output_types
from apache_beam.utils.timestamp import Duration, Timestamp
from apache_beam.utils.windowed_value import WindowedValue

from schemas.records import LedgerEntry, ScoredMessage
from transforms import ledger
from transforms.coders import CanonicalCoder
from transforms.conversation import ZERO, ConversationState, Observed, fold, merge_spans
from transforms.policies import Firings

ConversationId = bytes
"""16-byte hash of the conversation id."""


class Conversations(NamedTuple):
    """What bounded sessionizing gives."""

    states: beam.PCollection[ConversationState]
    ledger: beam.PCollection[LedgerEntry]


class FoldConversations(beam.PTransform[list[ScoredMessage], Any]):
    """Builds the final state of every conversation of a bounded input.

    In: lists of `ScoredMessage`. Out: `Conversations`, one state a conversation (a conversation id
    idle for longer than the gap gives several), and the ledger entries of the messages.
    Windowing: the global window. Guarantees: independent of order, of duplicates and of how the
    messages were split into lists and bundles.
    """

    def __init__(self, gap: timedelta) -> None:
        super().__init__()
        self._gap_us = _us(gap)

    def expand(self, scored: beam.PCollection[list[ScoredMessage]]) -> Conversations:
        merged = (
            scored
            | "FoldChunks" >> beam.FlatMap(fold_chunk, self._gap_us)
            .with_output_types(tuple[ConversationId, Observed])
            | "GroupByConversation" >> beam.GroupByKey()
            | "MergeSpans" >> beam.ParDo(_MergeSpansFn(self._gap_us))
            .with_output_types(ConversationState, ledger=LedgerEntry)
            .with_outputs("ledger", main="states")
        )  # fmt: skip
        return Conversations(merged["states"], merged["ledger"])


class JoinSessions(beam.PTransform[list[ScoredMessage], tuple[ConversationId, ConversationState]]):
    """Joins the messages of an unbounded input, conversation by conversation, as they arrive.

    In: lists of `ScoredMessage`. Out: (conversation, state of one session so far), each time the
    session fires; panes accumulate, so a later pane of a session has seen all of an earlier one.
    Windowing: out in the global window, firing on every element. It must not stay in sessions: a
    second grouping there merges the windows of different keys (apache/beam#20438).
    Guarantees: nothing is dropped here as late; `Decode` has decided that before.
    """

    def __init__(self, gap: timedelta, firings: Firings) -> None:
        super().__init__()
        self._gap_us = _us(gap)
        self._firings = firings

    def expand(
        self, scored: beam.PCollection[list[ScoredMessage]]
    ) -> beam.PCollection[tuple[ConversationId, ConversationState]]:
        # Beam's sessions end before start + gap; METRICS still joins at exactly the gap.
        gap = Duration(micros=self._gap_us + 1)
        return (
            scored
            | "StampEventTimes" >> beam.FlatMap(_stamp)
            .with_output_types(tuple[ConversationId, ConversationState])
            | "WindowIntoSessions" >> self._firings.sessions(gap)
            | "JoinPerConversation" >> beam.CombinePerKey(_JoinStatesFn())
            | "LeaveSessions" >> self._firings.each_element()
        )  # fmt: skip


def fold_chunk(
    messages: Iterable[ScoredMessage], gap_us: int
) -> Iterator[tuple[ConversationId, Observed]]:
    """Folds a list of messages into one partial a conversation and span."""
    by_conversation: defaultdict[bytes, list[ScoredMessage]] = defaultdict(list)
    for message in messages:
        by_conversation[message.conversation].append(message)
    for conversation, group in by_conversation.items():
        for partial in fold(group, gap_us):
            yield conversation, partial


def fates_of(messages: int, spans: Iterable[ConversationState]) -> Counter[tuple[str, str]]:
    """Returns what became of a conversation id's messages, duplicates counted each time."""
    held = 0
    is_sampled = False
    for span in spans:
        held += span.held_messages
        is_sampled |= span.is_sampled
    rest = ledger.SAMPLED if is_sampled else ledger.DUPLICATE
    return Counter({(ledger.COUNTED, ""): held, (rest, ""): messages - held})


class _MergeSpansFn(beam.DoFn):
    def __init__(self, gap_us: int) -> None:
        self._gap_us = gap_us
        self._fates: Counter[tuple[str, str]] = Counter()

    def start_bundle(self) -> None:
        self._fates = Counter()

    def process(self, keyed: tuple[ConversationId, Iterable[Observed]]) -> Iterator[Any]:
        partials = list(keyed[1])
        spans = merge_spans((p.state for p in partials), self._gap_us)
        self._fates.update(fates_of(sum(p.messages for p in partials), spans))
        self._fates[ledger.CONVERSATION, ""] += len(spans)
        yield from spans

    def finish_bundle(self) -> Iterator[Any]:
        window_ = GlobalWindow()
        for entry in ledger.entries_of(self._fates):
            at_end = WindowedValue(entry, window_.max_timestamp(), (window_,))
            yield Tagged("ledger", at_end)


@with_input_types(ConversationState)
@with_output_types(ConversationState)
class _JoinStatesFn(beam.CombineFn):
    def create_accumulator(self) -> ConversationState:
        return ZERO

    def add_input(self, joined: ConversationState, seen: ConversationState) -> ConversationState:
        return joined + seen

    def merge_accumulators(self, joined: Iterable[ConversationState]) -> ConversationState:
        return reduce(ConversationState.__add__, joined, ZERO)

    def extract_output(self, joined: ConversationState) -> ConversationState:
        return joined

    def get_accumulator_coder(self) -> CanonicalCoder:
        return CanonicalCoder(ConversationState)


def _stamp(
    messages: Iterable[ScoredMessage],
) -> Iterator[window.TimestampedValue[tuple[ConversationId, ConversationState]]]:
    for message in messages:
        keyed = (message.conversation, ConversationState.of([message]))
        yield window.TimestampedValue(keyed, Timestamp(micros=message.sent_at_us))


def _us(duration: timedelta) -> int:
    return duration // timedelta(microseconds=1)

"""Spans: the messages of one conversation id without a gap longer than the session gap.

The tables call a span a conversation.

This module does not use Beam.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any, Protocol, TypeVar

from schemas.records import ScoredMessage
from transforms.conversation.state import ConversationState
from transforms.counting import ledger


class _IsSent(Protocol):
    @property
    def sent_at_us(self) -> int: ...


class _HasExtent(Protocol):
    @property
    def first_at_us(self) -> int: ...
    @property
    def last_at_us(self) -> int: ...
    def __add__(self, other: Any, /) -> Any: ...


MessageT = TypeVar("MessageT", bound=_IsSent)
SpanT = TypeVar("SpanT", bound=_HasExtent)


@dataclass(frozen=True, slots=True)
class Span:
    """The state of a span, and the number of its messages including duplicates.

    When two spans merge, their states are joined, so duplicates disappear from the state. Their
    numbers of messages are added, so the ledger can work out how many duplicates there were.
    """

    messages: int
    state: ConversationState

    @property
    def first_at_us(self) -> int:
        """Time of the earliest message seen."""
        return self.state.first_at_us

    @property
    def last_at_us(self) -> int:
        """Time of the latest message seen."""
        return self.state.last_at_us

    def __add__(self, other: Span) -> Span:
        """Returns the sum of two parts of the same span that were built from different messages."""
        return Span(self.messages + other.messages, self.state + other.state)

    def encode(self) -> bytes:
        """Returns the canonical bytes."""
        return self.messages.to_bytes(4, "big") + self.state.encode()

    @classmethod
    def decode(cls, encoded: bytes) -> Span:
        """Reads what `encode` wrote."""
        return cls(int.from_bytes(encoded[:4], "big"), ConversationState.decode(encoded[4:]))


def fold(messages: Sequence[ScoredMessage], gap_us: int) -> list[Span]:
    """Returns the spans of the messages of one conversation id, in time order."""
    return [Span(len(span), ConversationState.of(span)) for span in split(messages, gap_us)]


def split(messages: Iterable[MessageT], gap_us: int) -> list[list[MessageT]]:
    """Splits the messages of one conversation id at every gap longer than `gap_us`.

    The lists are in time order, and so are the messages of each. No list is empty.
    """
    spans: list[list[MessageT]] = []
    last_at_us: int | None = None
    for message in sorted(messages, key=lambda m: m.sent_at_us):
        if last_at_us is None or message.sent_at_us - last_at_us > gap_us:
            spans.append([])
        spans[-1].append(message)
        last_at_us = message.sent_at_us
    return spans


def merge_spans(spans: Iterable[SpanT], gap_us: int) -> list[SpanT]:
    """Merges spans of one conversation id if the pause between them is not longer than `gap_us`.

    No input span may contain a gap longer than `gap_us`. The result is in time order. It depends
    only on the messages, not on how they were divided among the input spans.
    """
    groups: list[list[SpanT]] = []
    last_at_us = 0
    for span in sorted(spans, key=lambda s: s.first_at_us):
        if groups and span.first_at_us - last_at_us <= gap_us:
            groups[-1].append(span)
            last_at_us = max(last_at_us, span.last_at_us)
        else:
            groups.append([span])
            last_at_us = span.last_at_us
    return [reduce(add, group) for group in groups]


ConversationId = bytes
"""Hash of the conversation id, 24 bytes; see `Pseudonyms.conversation`."""


def fold_chunk(
    messages: Iterable[ScoredMessage], gap_us: int
) -> Iterator[tuple[ConversationId, Span]]:
    """Splits a list of messages into spans, and returns each with its hashed conversation id."""
    by_conversation: defaultdict[bytes, list[ScoredMessage]] = defaultdict(list)
    for message in messages:
        by_conversation[message.conversation].append(message)
    for conversation, group in by_conversation.items():
        for partial in fold(group, gap_us):
            yield conversation, partial


def outcomes_of(spans: Iterable[Span]) -> Counter[tuple[str, str]]:
    """Returns the number of conversations, and the number of messages by outcome.

    Each duplicate is counted. If a conversation is too long for its state to hold every message,
    duplicates cannot be distinguished from messages that are not held, so both count as sampled.
    """
    outcomes: Counter[tuple[str, str]] = Counter()
    for span in spans:
        held = span.state.held_messages
        rest = ledger.SAMPLED if span.state.is_sampled else ledger.DUPLICATE
        outcomes[ledger.CONVERSATION, ""] += 1
        outcomes[ledger.COUNTED, ""] += held
        outcomes[rest, ""] += span.messages - held
    return outcomes

"""Computes the changes when a conversation grows: adds the new summary, takes back the old one.

Beam has no retractions and guarantees no order of panes. So the job remembers for each conversation
id the spans that it has seen and the summaries that it has emitted. For each user and day it
remembers which conversations count (see `counting.user_day`). Both are stored as plain values.

This module does not use Beam; `transforms.changes` keeps the values in Beam's state.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

import msgspec

from schemas.records import ConversationSummary, LongConversation, SignedSummary
from transforms.classifiers.interface import Classifier
from transforms.conversation.layout import STATED_IDS, check_layout
from transforms.conversation.pseudonyms import shown
from transforms.conversation.spans import Span, merge_spans
from transforms.conversation.summary import LONG_OVER, summarize

_VERSION: Final = 4


class HistoryUpdate(NamedTuple):
    """A history after new spans were added, and the resulting changes.

    Attributes:
      history: the history with the new spans.
      changes: signed summaries, which add up to the new summaries minus the summaries emitted
        before.
      grown_long: the spans that have just become long. A span with a part that was already long is
        not included.
    """

    history: ConversationHistory
    changes: list[SignedSummary]
    grown_long: list[Span]


@dataclass(frozen=True, slots=True)
class ConversationHistory:
    """What is known about one conversation id: its spans, and the summary last emitted for each.

    The tables call a span a conversation.

    Attributes:
      spans: the spans in time order.
      published: the summary last emitted for each span, in the same order.
    """

    spans: tuple[Span, ...] = ()
    published: tuple[ConversationSummary, ...] = ()

    def join(self, seen: Iterable[Span], classifier: Classifier, gap_us: int) -> HistoryUpdate:
        """Joins new spans to the history.

        Guarantees: the summaries depend only on the messages seen, not on their order or on
        repetition. A conversation is reported in `grown_long` at most once.

        Args:
          seen: the new spans; none may contain a gap longer than the session gap.
          classifier: judges the conversations.
          gap_us: the session gap.
        """
        spans = tuple(merge_spans([*self.spans, *seen], gap_us))
        if [s.state for s in spans] == [s.state for s in self.spans]:
            return HistoryUpdate(ConversationHistory(spans, self.published), [], [])
        summaries = tuple(summarize([s.state for s in spans], classifier))
        before, after = Counter(self.published), Counter(summaries)
        changes = [SignedSummary(-1, s) for s in (before - after).elements()]
        changes += [SignedSummary(1, s) for s in (after - before).elements()]
        return HistoryUpdate(
            ConversationHistory(spans, summaries), changes, self._grown_long(spans)
        )

    def _grown_long(self, spans: Iterable[Span]) -> list[Span]:
        # Spans merge and never split, so each span that was long is part of one that is long now.
        long_before = [s.first_at_us for s in self.spans if s.state.human_messages > LONG_OVER]
        return [
            span
            for span in spans
            if span.state.human_messages > LONG_OVER
            and not any(span.first_at_us <= at <= span.last_at_us for at in long_before)
        ]

    def forget_before(self, instant_us: int) -> ConversationHistory:
        """Returns the history without the spans that ended before an instant."""
        both = zip(self.spans, self.published, strict=True)
        kept = [(span, summary) for span, summary in both if span.last_at_us >= instant_us]
        return ConversationHistory(tuple(s for s, _ in kept), tuple(p for _, p in kept))

    @property
    def last_at_us(self) -> int:
        """Time of the last message seen."""
        return max(span.last_at_us for span in self.spans)

    def encode(self) -> bytes:
        """Returns the canonical bytes."""
        spans = [span.encode() for span in self.spans]
        return _encode((_VERSION, STATED_IDS, spans, self.published))

    @classmethod
    def decode(cls, encoded: bytes) -> ConversationHistory:
        """Reads what `encode` wrote.

        Raises:
          ValueError: if the bytes were written by a version with a different layout or different
            breakdowns.
        """
        version, ids, spans, published = _decode(encoded)
        check_layout("conversation history", version, _VERSION, ids)
        return cls(tuple(map(Span.decode, spans)), tuple(published))


def long_conversation(conversation: bytes, span: Span) -> LongConversation:
    """Returns the alert about a conversation that has grown long."""
    return LongConversation(
        shown(conversation), span.first_at_us, span.last_at_us, span.state.human_messages
    )


_encode = msgspec.msgpack.Encoder().encode
_Encoded = tuple[int, tuple[int, ...], list[bytes], list[ConversationSummary]]
_decode = msgspec.msgpack.Decoder(_Encoded).decode

"""What changes in the tables when a conversation grows: the new is added, the old taken back.

Beam has no retractions, and does not promise the order of panes. So the job remembers, for each
conversation, what it has seen and said, and for each user and day, which cells the user is in. Both
memories are values here; `changes` keeps them in Beam's state. No Beam here.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

import msgspec

from schemas.records import ConversationSummary, SignedSummary
from transforms.classifiers.interface import Classifier
from transforms.conversation import ConversationState, merge_spans
from transforms.summary import summarize
from transforms.tally import ONE_USER, Cell, Sheet, cells_of

_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class ConversationHistory:
    """What is known of one conversation id: its spans, and the summary last published of each.

    A span is what METRICS calls a conversation: messages with no longer gap than the session gap.
    """

    spans: tuple[ConversationState, ...] = ()
    published: tuple[ConversationSummary, ...] = ()

    def join(
        self, seen: ConversationState, classifier: Classifier, gap_us: int
    ) -> tuple[ConversationHistory, list[SignedSummary]]:
        """Joins what a pane has seen; returns the new history and the signed changes.

        The changes add up to the summaries of the joined spans less what was published before,
        whatever the order of the panes and however often one is seen.
        """
        spans = tuple(merge_spans([*self.spans, seen], gap_us))
        if spans == self.spans:
            return self, []
        summaries = tuple(summarize(spans, classifier))
        before, after = Counter(self.published), Counter(summaries)
        changes = [SignedSummary(-1, s) for s in (before - after).elements()]
        changes += [SignedSummary(1, s) for s in (after - before).elements()]
        return ConversationHistory(spans, summaries), changes

    def forget_before(self, instant_us: int) -> ConversationHistory:
        """Returns the history without the spans that ended before an instant."""
        both = zip(self.spans, self.published, strict=True)
        kept = [(span, summary) for span, summary in both if span.last_at_us >= instant_us]
        return ConversationHistory(tuple(s for s, _ in kept), tuple(p for _, p in kept))

    @property
    def last_at_us(self) -> int:
        """Time of the last message seen."""
        return max(span.last_at_us for span in self.spans)

    @property
    def held_messages(self) -> int:
        """Number of distinct messages held one by one."""
        return sum(span.held_messages for span in self.spans)

    def encode(self) -> bytes:
        """Returns the canonical bytes."""
        return _encode((_VERSION, [span.encode() for span in self.spans], self.published))

    @classmethod
    def decode(cls, encoded: bytes) -> ConversationHistory:
        """Reads what `encode` wrote; raises ValueError for a version unknown to this one."""
        version, spans, published = _decode_history(encoded)
        if version != _VERSION:
            raise ValueError(f"conversation history has version {version}, not {_VERSION}")
        return cls(tuple(map(ConversationState.decode, spans)), tuple(published))


@dataclass(frozen=True, slots=True)
class UserDay:
    """How many conversations of one user, started on one day, are in each cell."""

    conversations: dict[Cell, int]

    def apply(self, change: SignedSummary) -> tuple[UserDay, Sheet]:
        """Applies one signed summary of this user and day; returns what the sheet gains by it.

        The user is added to a cell with the first conversation in it, and taken away with the last.
        A retraction may come before what it retracts: the sums are right once both have come.
        """
        counts = dict(self.conversations)
        gain = Sheet()
        for cell, tally in cells_of(change.summary):
            before = counts.get(cell, 0)
            after = before + change.sign
            counts[cell] = after
            if after == 0:
                del counts[cell]
            user = (after > 0) - (before > 0)
            gain.add(cell, tally, change.sign)
            gain.add(cell, ONE_USER, user)
        return UserDay(counts), gain

    def encode(self) -> bytes:
        """Returns the canonical bytes."""
        rows = [(*cell, count) for cell, count in sorted(self.conversations.items())]
        return _encode((_VERSION, rows))

    @classmethod
    def decode(cls, encoded: bytes) -> UserDay:
        """Reads what `encode` wrote; raises ValueError for a version unknown to this one."""
        version, rows = _decode_user_day(encoded)
        if version != _VERSION:
            raise ValueError(f"user-day state has version {version}, not {_VERSION}")
        return cls({Cell(*row[:4]): row[4] for row in rows})


_encode = msgspec.msgpack.Encoder().encode
_decode_history = msgspec.msgpack.Decoder(tuple[int, list[bytes], list[ConversationSummary]]).decode
_decode_user_day = msgspec.msgpack.Decoder(tuple[int, list[tuple[int, int, str, int, int]]]).decode

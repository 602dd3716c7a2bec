"""Builds samples and archives for the tests of judging."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Final

from schemas.judged import SampleRow, joined_names
from schemas.labels import NO_TYPE, PUSHBACK_REASONS, TYPES, USES
from schemas.records import ConversationSummary, Encoding, PayloadChunk
from tests.builders import GAP_US, PSEUDONYMS
from tests.doubles import LabelReader
from transforms.classifiers.scoring import score_messages
from transforms.conversation.messages import decode_chunk
from transforms.conversation.spans import Span, fold_chunk, merge_spans
from transforms.conversation.summary import summarize
from transforms.counting.cells import day_of
from transforms.counting.contribution import rank_of
from transforms.judging.identity import sample_id

GAP: Final = timedelta(microseconds=GAP_US)


def counted(events: Iterable[dict[str, Any]]) -> list[tuple[bytes, Span, ConversationSummary]]:
    """Counts events as the job does; returns each conversation with its hash and its summary."""
    from tests.schemas.payloads import LIMITS  # noqa: PLC0415 (shared with the readers' tests)

    chunk = PayloadChunk(Encoding.AVRO, list(events), None, "test")
    messages, _, _ = decode_chunk(chunk, LIMITS, PSEUDONYMS)
    reader = LabelReader()
    spans: defaultdict[bytes, list[Span]] = defaultdict(list)
    for conversation, span in fold_chunk(score_messages(messages, reader), GAP_US):
        spans[conversation].append(span)
    merged = [(c, span) for c, parts in spans.items() for span in merge_spans(parts, GAP_US)]
    summaries = summarize([span.state for _, span in merged], reader)
    return [(c, span, summary) for (c, span), summary in zip(merged, summaries, strict=True)]


def name_of(conversation: bytes) -> str:
    """Returns the name in the sample of the conversation with this hash."""
    return sample_id(rank_of(conversation)).hex()


def sample_row(
    conversation: str = "c0", summary: ConversationSummary | None = None, **other: Any
) -> SampleRow:
    """Builds a sampled conversation; by default one that is counted from a single message.

    Args:
      conversation: the conversation id, before it is hashed.
      summary: what was counted.
      other: fields that replace the others.
    """
    fields: dict[str, Any] = {
        "conversation": name_of(PSEUDONYMS.conversation(conversation)),
        "started_at_us": 0, "breakdowns": "{}", "probability": 1.0, "gate_logit": 0,
        "human_messages": 1,
        "assistant_messages": 0, "types": "", "use": "other", "opening_type": NO_TYPE,
        "closing_type": NO_TYPE, "pushback_reasons": "", "sentiment_change_300ths": None,
        "key_id": PSEUDONYMS.key_id, "metrics_version": "2", "classifier_version": "labels",
        "attempt": 1,
    }  # fmt: skip
    if summary is not None:
        fields |= _decided(summary)
    fields |= other
    fields.setdefault("day_us", day_of(fields["started_at_us"]))
    return SampleRow(**fields)


def _decided(summary: ConversationSummary) -> dict[str, Any]:
    def named(names: tuple[str, ...], bits: int) -> str:
        return joined_names(tuple(name for i, name in enumerate(names) if bits >> i & 1))

    return {
        "started_at_us": summary.started_at_us,
        "human_messages": summary.human_messages,
        "assistant_messages": summary.assistant_messages,
        "types": named(TYPES, summary.types),
        "use": USES[summary.use],
        "opening_type": _type(summary.opening_type),
        "closing_type": _type(summary.closing_type),
        "pushback_reasons": named(PUSHBACK_REASONS, summary.pushback_reasons),
        "sentiment_change_300ths": summary.sentiment_change_300ths,
    }


def _type(index: int) -> str:
    return TYPES[index] if index >= 0 else NO_TYPE

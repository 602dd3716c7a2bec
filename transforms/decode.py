"""Decode: bytes to valid messages, once, at the door; what fails becomes a dead letter."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import apache_beam as beam
from apache_beam.metrics import Metrics
from apache_beam.pvalue import TaggedOutput as Tagged

from schemas.failures import Reason
from schemas.records import DeadLetter, LedgerEntry, Message, PayloadChunk
from schemas.wire.event import payload_size_and_sha256, read_event
from schemas.wire.validate import Limits, Rejection, SystemTurn
from transforms import ledger
from transforms.counting.days import DayRange
from transforms.logs import log_event

STAGE: Final = "decode"
_DEAD_LETTERS: Final = "dead_letters"
_LEDGER: Final = "ledger"
_ROWS: Final = Metrics.distribution(STAGE, "rows_per_chunk")


class DecodeOutputs(NamedTuple):
    """What `Decode` gives: lists of messages, dead letters, ledger entries."""

    messages: beam.PCollection[list[Message]]
    dead_letters: beam.PCollection[DeadLetter]
    ledger: beam.PCollection[LedgerEntry]


class Decode(beam.PTransform[PayloadChunk, Any]):
    """Decodes chunks of payloads into lists of valid messages.

    In: `PayloadChunk`. Out: `DecodeOutputs`; a chunk gives one list, shorter or missing if rows are
    refused.
    Windowing: any; outputs keep the chunk's timestamp, the messages' own times stay inside.
    Guarantees: every row of a chunk is a message, a system turn, a dead letter or, where days are
    asked for, a message that does not count for them; and counted. A value that a breakdown can't
    have becomes `other`, and is counted too.
    Dead letters: every `failures.Reason`; `late` is one of them and has an account of its own.
    Metrics: `decode/<account>` and `decode/dead_letter/<reason>`, records; distribution
    `decode/rows_per_chunk`.
    """

    def __init__(self, limits: Limits, asked: DayRange | None = None) -> None:
        super().__init__()
        self._fn = _DecodeFn(limits, asked)

    def expand(self, chunks: beam.PCollection[PayloadChunk]) -> DecodeOutputs:
        decoded = chunks | "DecodeChunks" >> beam.ParDo(self._fn).with_output_types(
            list[Message], dead_letters=DeadLetter, ledger=LedgerEntry
        ).with_outputs(_DEAD_LETTERS, _LEDGER, main="messages")
        return DecodeOutputs(decoded["messages"], decoded[_DEAD_LETTERS], decoded[_LEDGER])


class _DecodeFn(beam.DoFn):
    def __init__(self, limits: Limits, asked: DayRange | None) -> None:
        self._limits = limits
        self._asked = asked

    def process(self, chunk: PayloadChunk) -> Iterator[Any]:
        messages, dead_letters, counts = decode_chunk(chunk, self._limits, self._asked)
        ledger.count_metrics(STAGE, counts)
        _ROWS.update(len(chunk.rows))
        if messages:
            yield messages
        for letter in dead_letters:
            log_event("dead_letter", key=letter.reason, reason=letter.reason, source=letter.source)
            yield Tagged(_DEAD_LETTERS, letter)
        for entry in ledger.entries_of(counts):
            yield Tagged(_LEDGER, entry)


def decode_chunk(
    chunk: PayloadChunk, limits: Limits, asked: DayRange | None = None
) -> tuple[list[Message], list[DeadLetter], Counter[tuple[str, str]]]:
    """Decodes a chunk; returns messages, dead letters, and records by (account, reason).

    Args:
      chunk: of records.
      limits: what is valid.
      asked: days that messages must count for; None for any.
    """
    messages: list[Message] = []
    dead_letters: list[DeadLetter] = []
    counts: Counter[tuple[str, str]] = Counter({(ledger.READ, ""): len(chunk.rows)})
    unsaid = [None] * len(chunk.rows)
    times = zip(chunk.published_at_us or unsaid, chunk.received_at_us or unsaid, strict=True)
    for row, (published_at_us, received_at_us) in zip(chunk.rows, times, strict=True):
        decoded = read_event(chunk.encoding, row, published_at_us, limits, received_at_us)
        if type(decoded) is Message:
            if asked is None or asked.is_said_in_time(decoded.sent_at_us):
                messages.append(decoded)
                if decoded.others:
                    counts.update((ledger.OTHER_VALUE, why) for why in decoded.others)
            else:
                counts[ledger.OUT_OF_RANGE, ""] += 1
        elif isinstance(decoded, Rejection):
            dead_letters.append(_dead_letter(chunk, row, decoded))
            is_late = decoded.reason == Reason.LATE
            fate = (ledger.LATE, "") if is_late else (ledger.DEAD_LETTER, str(decoded.reason))
            counts[fate] += 1
        else:
            assert isinstance(decoded, SystemTurn)
            counts[ledger.SYSTEM_TURN, ""] += 1
    return messages, dead_letters, counts


def _dead_letter(chunk: PayloadChunk, row: Any, rejection: Rejection) -> DeadLetter:
    size_bytes, sha256 = payload_size_and_sha256(chunk.encoding, row)
    return DeadLetter(
        STAGE,
        str(rejection.reason),
        chunk.source,
        rejection.event_id,
        rejection.conversation_id,
        rejection.sent_at_us,
        rejection.published_at_us,
        size_bytes,
        sha256,
    )

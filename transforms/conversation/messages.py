"""Turns valid records into messages, and invalid records into dead letters.

This module does not use Beam.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from schemas.failures import Reason
from schemas.records import DeadLetter, Message, PayloadChunk
from schemas.wire.event import payload_size_and_sha256, read_event
from schemas.wire.validate import Limits, Rejection, SystemTurn
from transforms.counting import ledger
from transforms.counting.days import DayRange

STAGE: Final = "decode"


def decode_chunk(
    chunk: PayloadChunk, limits: Limits, asked: DayRange | None = None
) -> tuple[list[Message], list[DeadLetter], Counter[tuple[str, str]]]:
    """Decodes the records of a chunk.

    Args:
      chunk: the records.
      limits: the limits that a valid message must keep to.
      asked: the days of a backfill; None for all days.

    Returns:
      The messages in the order of their rows, the dead letters, and the number of records by
      (account, reason).

    Raises:
      ValueError: if the chunk has publish times but their number differs from the number of rows.
    """
    messages: list[Message] = []
    dead_letters: list[DeadLetter] = []
    counts: Counter[tuple[str, str]] = Counter({(ledger.READ, ""): len(chunk.rows)})
    no_times = [None] * len(chunk.rows)
    times = zip(chunk.published_at_us or no_times, chunk.received_at_us or no_times, strict=True)
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
            outcome = (ledger.LATE, "") if is_late else (ledger.DEAD_LETTER, str(decoded.reason))
            counts[outcome] += 1
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

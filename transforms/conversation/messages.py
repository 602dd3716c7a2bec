"""Turns valid records into messages, and invalid records into dead letters.

Both contain keyed hashes in place of ids.

This module does not use Beam.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from schemas.failures import Reason
from schemas.records import DeadLetter, Message, PayloadChunk, PseudonymousMessage
from schemas.wire.event import bytes_of_row, read_event
from schemas.wire.validate import Limits, Rejection, SystemTurn
from transforms.conversation.pseudonyms import Pseudonyms, shown
from transforms.counting import ledger
from transforms.counting.days import DayRange

STAGE: Final = "decode"


def decode_chunk(
    chunk: PayloadChunk, limits: Limits, pseudonyms: Pseudonyms, asked: DayRange | None = None
) -> tuple[list[PseudonymousMessage], list[DeadLetter], Counter[tuple[str, str]]]:
    """Decodes the records of a chunk.

    Args:
      chunk: the records.
      limits: the limits that a valid message must keep to.
      pseudonyms: hashes the ids.
      asked: the days of a backfill; None for all days.

    Returns:
      The messages in the order of their rows, the dead letters, and the number of records by
      (account, reason).

    Raises:
      ValueError: if the chunk has publish times but their number differs from the number of rows.
    """
    messages: list[PseudonymousMessage] = []
    dead_letters: list[DeadLetter] = []
    counts: Counter[tuple[str, str]] = Counter({(ledger.READ, ""): len(chunk.rows)})
    no_times = [None] * len(chunk.rows)
    times = zip(chunk.published_at_us or no_times, chunk.received_at_us or no_times, strict=True)
    for row, (published_at_us, received_at_us) in zip(chunk.rows, times, strict=True):
        decoded = read_event(chunk.encoding, row, published_at_us, limits, received_at_us)
        if type(decoded) is Message:
            if asked is None or asked.is_said_in_time(decoded.sent_at_us):
                messages.append(_pseudonymous(decoded, pseudonyms))
                if decoded.others:
                    counts.update((ledger.OTHER_VALUE, why) for why in decoded.others)
            else:
                counts[ledger.OUT_OF_RANGE, ""] += 1
        elif isinstance(decoded, Rejection):
            dead_letters.append(_dead_letter(chunk, row, decoded, pseudonyms))
            is_late = decoded.reason == Reason.LATE
            outcome = (ledger.LATE, "") if is_late else (ledger.DEAD_LETTER, str(decoded.reason))
            counts[outcome] += 1
        else:
            assert isinstance(decoded, SystemTurn)
            counts[ledger.SYSTEM_TURN, ""] += 1
    return messages, dead_letters, counts


def _pseudonymous(message: Message, pseudonyms: Pseudonyms) -> PseudonymousMessage:
    return PseudonymousMessage(
        pseudonyms.conversation(message.conversation_id),
        pseudonyms.event(message.event_id),
        pseudonyms.user(message.user_id) if message.user_id else "",
        message.is_human,
        message.text,
        message.sent_at_us,
        message.attributes,
    )


def _dead_letter(
    chunk: PayloadChunk, row: Any, rejection: Rejection, pseudonyms: Pseudonyms
) -> DeadLetter:
    event_id, conversation_id = rejection.event_id, rejection.conversation_id
    payload = bytes_of_row(chunk.encoding, row)
    return DeadLetter(
        STAGE,
        str(rejection.reason),
        chunk.source,
        pseudonyms.event(event_id).hex() if event_id else None,
        shown(pseudonyms.conversation(conversation_id)) if conversation_id else None,
        rejection.sent_at_us,
        rejection.published_at_us,
        rounded(len(payload)),
        pseudonyms.payload(payload),
    )


def rounded(size_bytes: int) -> int:
    """Rounds a size to two digits. An exact size may tell which message it is."""
    return int(float(f"{size_bytes:.2g}"))

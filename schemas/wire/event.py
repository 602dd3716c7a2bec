"""Reads one row from any source as a valid message, a rejection or a system turn."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from schemas.failures import Reason
from schemas.records import Encoding, Message
from schemas.wire.avro import AVRO_FIELDS, read_avro
from schemas.wire.json import json_conversation_id, json_instants, read_json
from schemas.wire.protobuf import (
    protobuf_conversation_id,
    protobuf_sent_at_us,
    read_protobuf,
)
from schemas.wire.validate import Decoded, Limits, Rejection, id_or_none, int64_or_none

PROTOBUF_TYPE: Final = "application/protobuf"
JSON_TYPE: Final = "application/json"
CONTENT_TYPES: Final[Mapping[str, Encoding]] = {
    PROTOBUF_TYPE: Encoding.PROTOBUF,
    "application/x-protobuf": Encoding.PROTOBUF,
    JSON_TYPE: Encoding.JSON,
}
"""Values of the Pub/Sub attribute `content-type`. A message without it is protobuf."""

_DECIMAL: Final = re.compile(r"-?[0-9]{1,19}")


def encoding_of(content_type: str | None) -> Encoding:
    """Returns the encoding for a Pub/Sub message's `content-type` attribute."""
    if content_type is None:
        return Encoding.PROTOBUF
    return CONTENT_TYPES.get(content_type.split(";")[0].strip().lower(), Encoding.UNKNOWN)


def read_event(
    encoding: Encoding,
    row: Any,
    published_at_us: int | None,
    limits: Limits,
    received_at_us: int | None = None,
) -> Decoded:
    """Reads and validates one row.

    Args:
      encoding: how the row is encoded.
      row: the payload as bytes or, for AVRO, as the dict that was read by fastavro.
      published_at_us: publish time from outside the row; it overrides the time in the row.
      limits: the bounds of a valid event.
      received_at_us: when a live source received the row. A publish time later than this is
        replaced by it.

    Returns:
      The valid message, a `Rejection` with the reason, or a `SystemTurn`.
    """
    if received_at_us is not None and published_at_us is not None:
        published_at_us = min(published_at_us, received_at_us)
    decoded = _read(encoding, row, published_at_us, limits)
    if type(decoded) is Message and received_at_us is not None:
        reason = _refuse_receipt(decoded.sent_at_us, received_at_us, limits)
        if reason is not None:
            return Rejection(
                reason,
                id_or_none(decoded.event_id),
                id_or_none(decoded.conversation_id),
                decoded.sent_at_us,
                published_at_us,
            )
    return decoded


def _refuse_receipt(sent_at_us: int, received_at_us: int, limits: Limits) -> Reason | None:
    age_us = received_at_us - sent_at_us
    if age_us > limits.max_age_us:
        return Reason.PAST_LIFE
    return Reason.FROM_THE_FUTURE if -age_us > limits.max_future_us else None


def _read(encoding: Encoding, row: Any, published_at_us: int | None, limits: Limits) -> Decoded:
    if encoding == Encoding.AVRO:
        return read_avro(row, published_at_us, limits)
    if len(row) > limits.max_event_bytes:
        return Rejection(Reason.OVERSIZE, published_at_us=published_at_us)
    if encoding == Encoding.JSON:
        return read_json(row, published_at_us, limits)
    if encoding == Encoding.PROTOBUF:
        return read_protobuf(row, published_at_us, limits)
    return Rejection(Reason.UNSUPPORTED_CONTENT_TYPE, published_at_us=published_at_us)


def instants_of(encoding: Encoding, row: Any) -> tuple[int | None, int | None]:
    """Returns the sent time and the publish time from a row, in microseconds.

    A time is None if it is missing or is not an int64, or if the row can't be read. The row is not
    validated.
    """
    sent_at_us: int | None = None
    published_at_us: int | None = None
    if encoding == Encoding.AVRO:
        sent_at_us, published_at_us = row.get("sent_at_us"), row.get("published_at_us")
    elif encoding == Encoding.JSON:
        sent_at_us, published_at_us = json_instants(row)
    elif encoding == Encoding.PROTOBUF:
        sent_at_us = protobuf_sent_at_us(row)
    return int64_or_none(sent_at_us), int64_or_none(published_at_us)


def conversation_id_of(encoding: Encoding, row: Any) -> str | None:
    """Returns the conversation id from a row, much faster than `read_event`.

    It is None if it is missing or is not text, or if the row can't be read. The row is not
    validated. If `read_event` reads a message, that message has this conversation id.
    """
    conversation_id: Any = None
    if encoding == Encoding.AVRO:
        conversation_id = row.get("conversation_id")
    elif encoding == Encoding.JSON:
        conversation_id = json_conversation_id(row)
    elif encoding == Encoding.PROTOBUF:
        conversation_id = protobuf_conversation_id(row)
    return conversation_id if isinstance(conversation_id, str) and conversation_id else None


def instant_of(microseconds: str | None) -> int | None:
    """Parses an attribute's decimal digits as an instant; returns None for any other text."""
    if microseconds is None or not _DECIMAL.fullmatch(microseconds):
        return None
    return int64_or_none(int(microseconds))


def bytes_of_row(encoding: Encoding, row: Any) -> bytes:
    """Returns the bytes that stand for a row in its size and its hash.

    A dict becomes JSON that contains only the fields that are read.
    """
    if encoding == Encoding.AVRO:
        row = {name: row[name] for name in AVRO_FIELDS if name in row}
        return json.dumps(row, sort_keys=True, default=str).encode("utf-8", "surrogatepass")
    return bytes(row)

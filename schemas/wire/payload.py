"""Rows of an archive as payloads of Pub/Sub messages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from schemas.failures import Reason
from schemas.records import Encoding
from schemas.wire.avro import archive_fields, read_avro
from schemas.wire.event import JSON_TYPE, PROTOBUF_TYPE
from schemas.wire.protobuf import protobuf_of
from schemas.wire.validate import MAX_ID_BYTES, Limits, Rejection

_NO_LIMITS: Final = Limits(allowed_lateness_us=2**63, max_event_bytes=2**63 - 1)
_NO_UTF8: Final = "\uffff" * (MAX_ID_BYTES + 1)
"""Replaces an id, role or attribute that is not UTF-8, and meets the same fate: too long for an id,
no role, no value of a breakdown."""


def payload_of(row: Mapping[str, Any], encoding: Encoding) -> tuple[bytes, str]:
    """Writes a row of an archive as the payload of a Pub/Sub message.

    `read_event` makes of the payload what it makes of the row: the same message, or a rejection
    for the same reason. Hence it is JSON, whatever was asked, where protobuf can't say what the row
    says: no text (against an empty one), the instant 0, a role or number outside its types, or
    what is no UTF-8. Two things the payload alone can't keep. The size limit holds for a whole
    payload, but in an archive for its text. And a protobuf event has no publish time: it has to go
    beside it, as an attribute that `instant_of` reads.

    Args:
      row: as fastavro reads it, with lone surrogates for what is no UTF-8.
      encoding: PROTOBUF or JSON.

    Returns:
      The payload, and the content type that tells `encoding_of` how to read it.
    """
    said = {name: row[name] for name in archive_fields() if row.get(name) is not None}
    if type(said.get("message_index")) is not int:  # Nobody reads it, so any type may stand there.
        said.pop("message_index", None)
    payload = protobuf_of(said) if encoding == Encoding.PROTOBUF else None
    return (_json_of(said), JSON_TYPE) if payload is None else (payload, PROTOBUF_TYPE)


def _json_of(said: Mapping[str, Any]) -> bytes:
    text = json.dumps(said, ensure_ascii=False)
    if _encodes(text):
        return text.encode()
    read = read_avro(said, None, _NO_LIMITS)
    if isinstance(read, Rejection) and read.reason == Reason.INVALID_UTF8:
        return text.encode("utf-8", "surrogatepass")
    # Another field is refused before the text is looked at, or an attribute becomes `other`. As
    # bytes that are not UTF-8 the event would be refused as a whole.
    readable = {
        name: value
        if not isinstance(value, str) or _encodes(value)
        else ("" if name == "text" else _NO_UTF8)
        for name, value in said.items()
    }
    return json.dumps(readable, ensure_ascii=False).encode()


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True

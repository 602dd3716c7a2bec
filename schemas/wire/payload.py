"""Writes rows of an archive as payloads of Pub/Sub messages."""

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
_NOT_UTF8: Final = "\uffff" * (MAX_ID_BYTES + 1)
"""Replaces an id, role or attribute that is not UTF-8. The outcome is the same: it is too long for
an id, not a role, and not a value of a breakdown."""


def payload_of(row: Mapping[str, Any], encoding: Encoding) -> tuple[bytes, str]:
    """Writes a row of an archive as the payload of a Pub/Sub message.

    `read_event` reads the payload as it reads the row: as the same message, or as a rejection for
    the same reason. So the payload is JSON, whatever `encoding` says, if protobuf can't express it:
    a missing text (in protobuf it is empty), the instant 0, a role or number outside its type, or
    text that is not UTF-8.

    Two things differ. The size limit applies to the whole payload, but in an archive only to the
    text. And a protobuf event has no publish time: publish it beside the payload, as an attribute
    that `instant_of` reads.

    Args:
      row: as fastavro reads it, with lone surrogates for bytes that are not UTF-8.
      encoding: PROTOBUF or JSON.

    Returns:
      The payload, and the content type that tells `encoding_of` how to read it.
    """
    said = {name: row[name] for name in archive_fields() if row.get(name) is not None}
    if type(said.get("message_index")) is not int:  # No reader uses it, so it may have any type.
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
    # Another field is refused before the text is checked, or an attribute becomes `other`. With
    # bytes that are not UTF-8 the event would be INVALID_UTF8 instead.
    readable = {
        name: value
        if not isinstance(value, str) or _encodes(value)
        else ("" if name == "text" else _NOT_UTF8)
        for name, value in said.items()
    }
    return json.dumps(readable, ensure_ascii=False).encode()


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True

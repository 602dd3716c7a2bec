"""Converts rows of an archive to payloads of Pub/Sub messages."""

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
"""Replaces an id, role or attribute that is not UTF-8. The replacement is refused in the same way:
it is too long for an id, is not a role, and is not a valid value of any breakdown."""


def payload_of(row: Mapping[str, Any], encoding: Encoding) -> tuple[bytes, str]:
    """Converts a row of an archive to the payload of a Pub/Sub message.

    `read_event` gives the same result for the payload as for the row: the same message, or a
    rejection for the same reason. To guarantee this, the payload is JSON whenever protobuf can't
    express the row, even if `encoding` is PROTOBUF. Protobuf can't express a missing text (which it
    would make empty), an instant of 0, a role or number that does not fit its type, or text that is
    not UTF-8.

    The payload differs from the row in two ways. The size limit applies to the whole payload, but
    in an archive only to the text. And a protobuf event has no publish time. The publish time must
    be sent as an attribute of the message, which can be read with `instant_of`.

    Args:
      row: the row as read by fastavro, with lone surrogates for bytes that are not UTF-8.
      encoding: the preferred encoding, PROTOBUF or JSON.

    Returns:
      The payload and its content type, from which `encoding_of` finds the encoding.
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
    # With the replacement, a bad field is refused before the text is checked, or a bad attribute
    # becomes `other`. With bytes that are not UTF-8, the event would be INVALID_UTF8 instead.
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

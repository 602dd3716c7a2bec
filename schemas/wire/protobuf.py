"""Reads and writes events in protobuf."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any, Final

from google.protobuf.message import DecodeError

from schemas.breakdowns import ATTRIBUTES
from schemas.conversation_event_pb2 import ConversationEvent
from schemas.failures import Reason
from schemas.wire.validate import Decoded, Limits, Rejection, int64_or_none, validate

_ROLES: Final = {
    ConversationEvent.HUMAN: "HUMAN",
    ConversationEvent.ASSISTANT: "ASSISTANT",
    ConversationEvent.SYSTEM: "SYSTEM",
}
_ROLE_NUMBERS: Final = {role: number for number, role in _ROLES.items()}
_attributes_of: Callable[[ConversationEvent], tuple[str, ...]] = attrgetter(*ATTRIBUTES)


def read_protobuf(row: bytes, published_at_us: int | None, limits: Limits) -> Decoded:
    """Reads an event; a protobuf event does not state its publish time."""
    try:
        event = ConversationEvent.FromString(row)
    except DecodeError:
        return Rejection(Reason.UNDECODABLE, published_at_us=published_at_us)
    return validate(
        limits,
        event.event_id,
        event.conversation_id,
        event.user_id,
        _ROLES.get(event.role),
        event.text,
        event.sent_at_us or None,
        _attributes_of(event),
        event.schema_version,
        published_at_us,
    )


def protobuf_sent_at_us(row: bytes) -> int | None:
    """Returns the sent time from a row; None if it is missing or the row can't be read."""
    try:
        return ConversationEvent.FromString(row).sent_at_us or None
    except DecodeError:
        return None


def protobuf_conversation_id(row: bytes) -> str | None:
    """Returns the conversation id from a row; None if it is missing or the row can't be read."""
    try:
        return ConversationEvent.FromString(row).conversation_id or None
    except DecodeError:
        return None


def protobuf_of(said: Mapping[str, Any]) -> bytes | None:
    """Encodes an event in protobuf; returns None if it would be read back as a different event."""
    fields = dict(said)
    role = fields.pop("role", None)
    published_at_us = fields.pop("published_at_us", None)
    if role is not None:
        fields["role"] = _ROLE_NUMBERS.get(role.upper())
        if fields["role"] is None:
            return None
    # The publish time is sent as a message attribute, and only as an int64.
    if "text" not in fields or fields.get("sent_at_us") == 0:
        return None
    if int64_or_none(published_at_us) != published_at_us:
        return None
    try:
        return ConversationEvent(**fields).SerializeToString()
    except ValueError:  # A number does not fit its type, or a text has a lone surrogate.
        return None

"""Reads events in JSON, with the field names of the protobuf.

Instants may be given in RFC 3339 or in microseconds.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from operator import attrgetter
from typing import Final, cast

import msgspec

from schemas.breakdowns import ATTRIBUTES
from schemas.failures import Reason
from schemas.wire.validate import SCHEMA_VERSION, Decoded, Limits, Rejection, validate

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class _Event(msgspec.Struct, frozen=True):
    """The fields of an event except `ATTRIBUTES`."""

    event_id: str | None = None
    conversation_id: str | None = None
    user_id: str | None = None
    role: str | None = None
    text: str | None = None
    sent_at: datetime | None = None
    sent_at_us: int | None = None
    message_index: int | None = None
    schema_version: int = SCHEMA_VERSION
    published_at: datetime | None = None
    published_at_us: int | None = None


JsonEvent: Final = msgspec.defstruct(
    "JsonEvent",
    [(name, str | None, None) for name in ATTRIBUTES],
    bases=(_Event,),
    frozen=True,
)
"""All fields of an event."""


class _Named(msgspec.Struct, frozen=True, gc=False):
    """The only field of an event that tells which conversation it belongs to."""

    conversation_id: str | None = None


_decode_named: Final = msgspec.json.Decoder(_Named).decode
_decode = cast("Callable[[bytes], _Event]", msgspec.json.Decoder(JsonEvent).decode)
_attributes_of: Callable[[_Event], tuple[str | None, ...]] = attrgetter(*ATTRIBUTES)
_ERRORS: Final = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)


def read_json(row: bytes, published_at_us: int | None, limits: Limits) -> Decoded:
    """Reads an event; `published_at_us`, if given, overrides the publish time in the row."""
    try:
        event = _decode(row)
    except _ERRORS:
        reason = Reason.UNDECODABLE if _is_utf8(row) else Reason.INVALID_UTF8
        return Rejection(reason, published_at_us=published_at_us)
    if published_at_us is None:
        published_at_us = _instant_us(event.published_at, event.published_at_us)
    return validate(
        limits,
        event.event_id,
        event.conversation_id,
        event.user_id,
        event.role,
        event.text,
        _instant_us(event.sent_at, event.sent_at_us),
        _attributes_of(event),
        event.schema_version,
        published_at_us,
    )


def json_instants(row: bytes) -> tuple[int | None, int | None]:
    """Returns the sent time and the publish time from a row."""
    try:
        event = _decode(row)
    except _ERRORS:
        return None, None
    return (
        _instant_us(event.sent_at, event.sent_at_us),
        _instant_us(event.published_at, event.published_at_us),
    )


def json_conversation_id(row: bytes) -> str | None:
    """Returns the conversation id from a row; None if it is missing or the row can't be read."""
    try:
        return _decode_named(row).conversation_id
    except _ERRORS:
        return None


def _instant_us(instant: datetime | None, instant_us: int | None) -> int | None:
    if instant_us is not None or instant is None:
        return instant_us
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)
    since = instant - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _is_utf8(row: bytes) -> bool:
    try:
        row.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True

"""Validates events. Fields are checked in the same order for every encoding."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

import msgspec

from schemas.failures import Reason
from schemas.records import Message
from schemas.wire.values import ANY_VALUE, AllowedValues, clean_values

SCHEMA_VERSION: Final = 1
MAX_ID_BYTES: Final = 256

_EARLIEST_US: Final = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000
_LATEST_US: Final = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000
_LOOKS_LIKE_AN_ID: Final = re.compile(r"[A-Za-z0-9._:/+=\-]{1,256}")
_IS_HUMAN: Final = {"HUMAN": True, "ASSISTANT": False, "SYSTEM": None}


class Limits(msgspec.Struct, frozen=True):
    """The bounds of a valid event.

    Attributes:
      allowed_lateness_us: the longest time from sending to publishing. An event that was published
        later than that is late.
      max_future_us: how far the sent time may be ahead of the time at which the event was
        published, or received by a live source. An event further ahead is from the future.
      max_event_bytes: a payload (in an Avro archive, a text) that is larger than this is refused.
      max_age_us: an event is refused if a live source received it more than this after it was sent,
        because the state that it would change may have been deleted.
      allowed_values: the operator's lists; a breakdown's value that is not on the list for that
        breakdown becomes `other`.
    """

    allowed_lateness_us: int
    max_future_us: int = 5 * 60 * 1_000_000
    max_event_bytes: int = 4_000_000
    max_age_us: int = 2**63 - 1
    allowed_values: AllowedValues = ANY_VALUE


class Rejection(msgspec.Struct, frozen=True):
    """A refused row: the reason and the row's readable fields, but never its text."""

    reason: Reason
    event_id: str | None = None
    conversation_id: str | None = None
    sent_at_us: int | None = None
    published_at_us: int | None = None


class SystemTurn(msgspec.Struct, frozen=True):
    """A valid event with the system role. It is counted as read, but it is not a message."""


_SYSTEM_TURN: Final = SystemTurn()

Decoded = Message | Rejection | SystemTurn


def validate(
    limits: Limits,
    event_id: str | None,
    conversation_id: str | None,
    user_id: str | None,
    role: str | None,
    text: str | None,
    sent_at_us: int | None,
    attributes: tuple[str | None, ...],
    schema_version: int,
    published_at_us: int | None,
) -> Decoded:
    """Checks the fields in a fixed order; the first that fails decides the reason."""
    reason: Reason | None = None
    is_human = _IS_HUMAN.get(role.upper(), role) if isinstance(role, str) else role
    if not event_id:
        reason = Reason.MISSING_EVENT_ID
    elif not conversation_id:
        reason = Reason.MISSING_CONVERSATION_ID
    elif not (_id_fits(event_id) and _id_fits(conversation_id) and _id_fits(user_id or "")):
        reason = Reason.INVALID_ID
    elif schema_version > SCHEMA_VERSION or schema_version < 0:
        reason = Reason.UNSUPPORTED_SCHEMA_VERSION
    elif sent_at_us is None:
        reason = Reason.MISSING_SENT_AT
    elif not is_in_range(sent_at_us):
        reason = Reason.SENT_AT_OUT_OF_RANGE
    elif role is None or isinstance(is_human, str):
        reason = Reason.INVALID_ROLE
    else:
        reason = _refuse_text(text, limits) or _refuse_time(sent_at_us, published_at_us, limits)
    if reason is not None:
        return Rejection(
            reason,
            id_or_none(event_id),
            id_or_none(conversation_id),
            int64_or_none(sent_at_us),
            int64_or_none(published_at_us),
        )
    if is_human is None:
        return _SYSTEM_TURN
    assert event_id is not None
    assert conversation_id is not None
    assert sent_at_us is not None
    assert text is not None
    assert isinstance(is_human, bool)
    values, others = clean_values(attributes, limits.allowed_values)
    return Message(
        event_id, conversation_id, user_id or None, is_human, text, sent_at_us, values, others
    )


def is_in_range(instant_us: int | None) -> bool:
    """Returns whether an instant is within the range that is allowed for events."""
    return instant_us is not None and _EARLIEST_US <= instant_us < _LATEST_US


def id_or_none(value: str | None) -> str | None:
    """Returns an id, or None if it may be a sentence, because dead letters contain no text."""
    return value if value and _LOOKS_LIKE_AN_ID.fullmatch(value) else None


def int64_or_none(value: int | None) -> int | None:
    """Returns the number, or None if it is not an int64."""
    return value if value is not None and -(2**63) <= value < 2**63 else None


def _refuse_text(text: str | None, limits: Limits) -> Reason | None:
    if text is None:
        return Reason.UNDECODABLE
    size = len(text)
    if not text.isascii():
        try:
            size = len(text.encode())
        except UnicodeEncodeError:
            return Reason.INVALID_UTF8
    return Reason.OVERSIZE if size > limits.max_event_bytes else None


def _refuse_time(sent_at_us: int, published_at_us: int | None, limits: Limits) -> Reason | None:
    if published_at_us is None:
        return None
    lag_us = published_at_us - sent_at_us
    if lag_us > limits.allowed_lateness_us:
        return Reason.LATE
    return Reason.FROM_THE_FUTURE if -lag_us > limits.max_future_us else None


def _id_fits(value: str) -> bool:
    if len(value) > MAX_ID_BYTES:
        return False
    if value.isascii():
        return True
    try:
        return len(value.encode()) <= MAX_ID_BYTES
    except UnicodeEncodeError:
        return False

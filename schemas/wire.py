"""All knowledge of the wire: how an event looks in protobuf, JSON and Avro, and when it is valid.

Past this module every message is a valid, frozen `Message`. What is refused comes back as a
`Rejection`, never as an exception, and carries no text.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache, lru_cache
from importlib import resources
from typing import Any, Final

import msgspec
from google.protobuf.message import DecodeError as ProtobufDecodeError

from schemas.conversation_event_pb2 import ConversationEvent
from schemas.failures import Reason
from schemas.records import Encoding, Message

SCHEMA_VERSION: Final = 1
MAX_ID_BYTES: Final = 256
MAX_ATTRIBUTE_CHARS: Final = 64
MAX_ATTRIBUTE_WORDS: Final = 4
"""A breakdown is named in a few words; more look like something that somebody said."""
RESERVED_ATTRIBUTE_VALUES: Final = frozenset({"all", "not_published"})
"""Words that the tables use for cells of their own."""
UNKNOWN: Final = "unknown"

CONTENT_TYPES: Final[Mapping[str, Encoding]] = {
    "application/protobuf": Encoding.PROTOBUF,
    "application/x-protobuf": Encoding.PROTOBUF,
    "application/json": Encoding.JSON,
}
"""Values of the Pub/Sub attribute `content-type`; without it a payload is protobuf."""

_EARLIEST_US: Final = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000
_LATEST_US: Final = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LOOKS_LIKE_AN_ID: Final = re.compile(r"[A-Za-z0-9._:/+=\-]{1,256}")
_IS_HUMAN: Final = {"HUMAN": True, "ASSISTANT": False, "SYSTEM": None}
_PROTOBUF_ROLES: Final = {
    ConversationEvent.HUMAN: "HUMAN",
    ConversationEvent.ASSISTANT: "ASSISTANT",
    ConversationEvent.SYSTEM: "SYSTEM",
}


class Limits(msgspec.Struct, frozen=True):
    """What a valid event may be.

    Attributes:
      allowed_lateness_us: an event published later than this after it was said is late.
      max_future_us: an event said later than this after it was published is from the future.
      max_event_bytes: a larger payload (in an Avro archive: text) is refused.
    """

    allowed_lateness_us: int
    max_future_us: int = 5 * 60 * 1_000_000
    max_event_bytes: int = 4_000_000


class Rejection(msgspec.Struct, frozen=True):
    """Why a row is no message, with what could be read of it besides its text."""

    reason: Reason
    event_id: str | None = None
    conversation_id: str | None = None
    sent_at_us: int | None = None
    published_at_us: int | None = None


class SystemTurn(msgspec.Struct, frozen=True):
    """A valid event of the system role: counted as read, but no message."""


_SYSTEM_TURN: Final = SystemTurn()

Decoded = Message | Rejection | SystemTurn


class _JsonEvent(msgspec.Struct, frozen=True):
    """JSON mapping: the protobuf field names; the instant in RFC 3339 or in microseconds."""

    event_id: str | None = None
    conversation_id: str | None = None
    user_id: str | None = None
    role: str | None = None
    text: str | None = None
    sent_at: datetime | None = None
    sent_at_us: int | None = None
    platform: str | None = None
    plan: str | None = None
    country: str | None = None
    language: str | None = None
    model: str | None = None
    message_index: int | None = None
    schema_version: int = SCHEMA_VERSION
    published_at: datetime | None = None
    published_at_us: int | None = None


_decode_json = msgspec.json.Decoder(_JsonEvent).decode


@cache
def avro_schema() -> dict[str, Any]:
    """Returns the archive schema, parsed from the packaged `conversation_event.avsc`."""
    text = resources.files("schemas").joinpath("conversation_event.avsc").read_text("utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def encoding_of(content_type: str | None) -> Encoding:
    """Returns the encoding that a Pub/Sub message's `content-type` attribute names."""
    if content_type is None:
        return Encoding.PROTOBUF
    return CONTENT_TYPES.get(content_type.split(";")[0].strip().lower(), Encoding.UNKNOWN)


def read_event(
    encoding: Encoding, row: Any, published_at_us: int | None, limits: Limits
) -> Decoded:
    """Reads one row into a valid message.

    Args:
      encoding: how the row is encoded.
      row: bytes, or for AVRO the dict that fastavro read.
      published_at_us: publish time known from outside the row; it wins over the row's own.
      limits: what is valid.

    Returns:
      The message; or the rejection with its reason; or `SystemTurn`.
    """
    if encoding == Encoding.AVRO:
        return _read_avro(row, published_at_us, limits)
    if len(row) > limits.max_event_bytes:
        return Rejection(Reason.OVERSIZE, published_at_us=published_at_us)
    if encoding == Encoding.JSON:
        return _read_json(row, published_at_us, limits)
    if encoding == Encoding.PROTOBUF:
        return _read_protobuf(row, published_at_us, limits)
    return Rejection(Reason.UNSUPPORTED_CONTENT_TYPE, published_at_us=published_at_us)


def payload_size_and_sha256(encoding: Encoding, row: Any) -> tuple[int, str]:
    """Returns size in bytes and SHA-256 of a row, of its canonical JSON where it is a dict."""
    if encoding == Encoding.AVRO:
        row = json.dumps(row, sort_keys=True, default=str).encode("utf-8", "surrogatepass")
    return len(row), hashlib.sha256(row).hexdigest()


def _read_avro(row: Mapping[str, Any], published_at_us: int | None, limits: Limits) -> Decoded:
    get = row.get
    if published_at_us is None:
        published_at_us = get("published_at_us")
    return _validate(
        limits,
        get("event_id"),
        get("conversation_id"),
        get("user_id"),
        get("role"),
        get("text"),
        get("sent_at_us"),
        (get("platform"), get("country"), get("language"), get("plan"), get("model")),
        get("schema_version", SCHEMA_VERSION),
        published_at_us,
    )


def _read_json(row: bytes, published_at_us: int | None, limits: Limits) -> Decoded:
    try:
        event = _decode_json(row)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        reason = Reason.UNDECODABLE if _is_utf8(row) else Reason.INVALID_UTF8
        return Rejection(reason, published_at_us=published_at_us)
    if published_at_us is None:
        published_at_us = _instant_us(event.published_at, event.published_at_us)
    return _validate(
        limits,
        event.event_id,
        event.conversation_id,
        event.user_id,
        event.role,
        event.text,
        _instant_us(event.sent_at, event.sent_at_us),
        (event.platform, event.country, event.language, event.plan, event.model),
        event.schema_version,
        published_at_us,
    )


def _read_protobuf(row: bytes, published_at_us: int | None, limits: Limits) -> Decoded:
    try:
        event = ConversationEvent.FromString(row)
    except ProtobufDecodeError:
        return Rejection(Reason.UNDECODABLE, published_at_us=published_at_us)
    return _validate(
        limits,
        event.event_id,
        event.conversation_id,
        event.user_id,
        _PROTOBUF_ROLES.get(event.role),
        event.text,
        event.sent_at_us or None,
        (event.platform, event.country, event.language, event.plan, event.model),
        event.schema_version,
        published_at_us,
    )


def _validate(
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
    """Checks the fields in a fixed order; the first that fails names the reason."""
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
    elif not _EARLIEST_US <= sent_at_us < _LATEST_US:
        reason = Reason.SENT_AT_OUT_OF_RANGE
    elif role is None or isinstance(is_human, str):
        reason = Reason.INVALID_ROLE
    else:
        reason = _refuse_text(text, limits) or _refuse_time(sent_at_us, published_at_us, limits)
    if reason is None:
        try:
            attributes = _clean_attributes(attributes)
        except ValueError:
            reason = Reason.INVALID_ATTRIBUTE
    if reason is not None:
        return Rejection(
            reason,
            _id_or_none(event_id),
            _id_or_none(conversation_id),
            _int64_or_none(sent_at_us),
            _int64_or_none(published_at_us),
        )
    if is_human is None:
        return _SYSTEM_TURN
    assert event_id is not None
    assert conversation_id is not None
    assert sent_at_us is not None
    assert text is not None
    assert isinstance(is_human, bool)
    return Message(
        event_id, conversation_id, user_id or None, is_human, text, sent_at_us, attributes
    )


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


def _clean_attribute(value: str | None) -> str | None:
    """Returns the value, stripped; None for an unsaid one; raises on one that is not allowed."""
    value = value or ""
    # Before stripping: the cache of `_clean_attributes` keeps the value with its blanks.
    if len(value) > MAX_ATTRIBUTE_CHARS:
        raise ValueError("too long for an attribute value")
    value = value.strip()
    if not value.isprintable() or value.count(" ") >= MAX_ATTRIBUTE_WORDS:
        raise ValueError("not an attribute value")
    if value.lower() in RESERVED_ATTRIBUTE_VALUES:
        raise ValueError("a reserved word")
    return None if not value or value.lower() == UNKNOWN else value


@lru_cache(maxsize=4096)
def _clean_attributes(attributes: tuple[str | None, ...]) -> tuple[str | None, ...]:
    """Returns the attributes, normalised; raises ValueError where one is not allowed.

    Few combinations recur in millions of events, so a look-up is nearly all it costs.
    """
    platform, country, language, plan, model = (_clean_attribute(a) for a in attributes)
    # What normalising leaves may be a reserved word, too long, or nothing: `all-US`.
    if country is not None:
        country = _clean_attribute(country.upper())
    if language is not None:
        language = _clean_attribute(language.replace("_", "-").split("-")[0].lower())
    return platform, country, language, plan, model


def _id_fits(value: str) -> bool:
    if len(value) > MAX_ID_BYTES:
        return False
    if value.isascii():
        return True
    try:
        return len(value.encode()) <= MAX_ID_BYTES
    except UnicodeEncodeError:
        return False


def _id_or_none(value: str | None) -> str | None:
    """A dead letter repeats an id only where it can't be a sentence."""
    return value if value and _LOOKS_LIKE_AN_ID.fullmatch(value) else None


def _int64_or_none(value: int | None) -> int | None:
    return value if value is not None and -(2**63) <= value < 2**63 else None


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

"""All knowledge of the wire: how an event looks in protobuf, JSON and Avro, and when it is valid.

Past this module every message is a valid, frozen `Message`. What is refused comes back as a
`Rejection`, never as an exception, and carries no text.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache, lru_cache
from importlib import resources
from typing import Any, Final

import msgspec
from google.protobuf.message import DecodeError as ProtobufDecodeError

from schemas.conversation_event_pb2 import ConversationEvent
from schemas.failures import Reason
from schemas.records import ATTRIBUTES, Encoding, Message

SCHEMA_VERSION: Final = 1
MAX_ID_BYTES: Final = 256
MAX_ATTRIBUTE_CHARS: Final = 64
MAX_ATTRIBUTE_WORDS: Final = 4
"""A breakdown is named in a few words; more look like something that somebody said."""
RESERVED_ATTRIBUTE_VALUES: Final = frozenset({"all", "not_published"})
"""Words that the tables use for cells of their own."""
UNKNOWN: Final = "unknown"

PROTOBUF_TYPE: Final = "application/protobuf"
JSON_TYPE: Final = "application/json"
CONTENT_TYPES: Final[Mapping[str, Encoding]] = {
    PROTOBUF_TYPE: Encoding.PROTOBUF,
    "application/x-protobuf": Encoding.PROTOBUF,
    JSON_TYPE: Encoding.JSON,
}
"""Values of the Pub/Sub attribute `content-type`; without it a payload is protobuf."""

_EARLIEST_US: Final = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000
_LATEST_US: Final = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LOOKS_LIKE_AN_ID: Final = re.compile(r"[A-Za-z0-9._:/+=\-]{1,256}")
_AVRO_FIELDS: Final = (
    "event_id", "conversation_id", "user_id", "role", "text", "sent_at_us", *ATTRIBUTES,
    "schema_version", "published_at_us",
)  # fmt: skip
"""What is read of an archive's row; its other fields may hold anything, however deeply nested."""
_IS_HUMAN: Final = {"HUMAN": True, "ASSISTANT": False, "SYSTEM": None}
_PROTOBUF_ROLES: Final = {
    ConversationEvent.HUMAN: "HUMAN",
    ConversationEvent.ASSISTANT: "ASSISTANT",
    ConversationEvent.SYSTEM: "SYSTEM",
}
_ROLE_NUMBERS: Final = {role: number for number, role in _PROTOBUF_ROLES.items()}
_DECIMAL: Final = re.compile(r"-?[0-9]{1,19}")
_NO_UTF8: Final = "\uffff" * (MAX_ID_BYTES + 1)
"""Stands for an id, role or attribute that is no UTF-8, and is refused for the same reason: too
long for an id, not printable, no role."""


class Limits(msgspec.Struct, frozen=True):
    """What a valid event may be.

    Attributes:
      allowed_lateness_us: an event published later than this after it was said is late.
      max_future_us: an event said later than this after it was published, or after a live source
        got it, is from the future.
      max_event_bytes: a larger payload (in an Avro archive: text) is refused.
      max_age_us: an event that a live source got later than this after it was said is refused: what
        it would change may be forgotten already.
    """

    allowed_lateness_us: int
    max_future_us: int = 5 * 60 * 1_000_000
    max_event_bytes: int = 4_000_000
    max_age_us: int = 2**63 - 1


_NO_LIMITS: Final = Limits(allowed_lateness_us=2**63, max_event_bytes=2**63 - 1)


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
_JSON_ERRORS: Final = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)


@cache
def avro_schema() -> dict[str, Any]:
    """Returns the archive schema, parsed from the packaged `conversation_event.avsc`."""
    text = resources.files("schemas").joinpath("conversation_event.avsc").read_text("utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


@cache
def _archive_fields() -> tuple[str, ...]:
    return tuple(field["name"] for field in avro_schema()["fields"])


def encoding_of(content_type: str | None) -> Encoding:
    """Returns the encoding that a Pub/Sub message's `content-type` attribute names."""
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
    """Reads one row into a valid message.

    Args:
      encoding: how the row is encoded.
      row: bytes, or for AVRO the dict that fastavro read.
      published_at_us: publish time known from outside the row; it wins over the row's own.
      limits: what is valid.
      received_at_us: when a live source got it. No publish time counts as later than that.

    Returns:
      The message; or the rejection with its reason; or `SystemTurn`.
    """
    if received_at_us is not None and published_at_us is not None:
        published_at_us = min(published_at_us, received_at_us)
    decoded = _read(encoding, row, published_at_us, limits)
    if type(decoded) is Message and received_at_us is not None:
        reason = _refuse_receipt(decoded.sent_at_us, received_at_us, limits)
        if reason is not None:
            return Rejection(
                reason,
                _id_or_none(decoded.event_id),
                _id_or_none(decoded.conversation_id),
                decoded.sent_at_us,
                published_at_us,
            )
    return decoded


def _read(encoding: Encoding, row: Any, published_at_us: int | None, limits: Limits) -> Decoded:
    if encoding == Encoding.AVRO:
        return _read_avro(row, published_at_us, limits)
    if len(row) > limits.max_event_bytes:
        return Rejection(Reason.OVERSIZE, published_at_us=published_at_us)
    if encoding == Encoding.JSON:
        return _read_json(row, published_at_us, limits)
    if encoding == Encoding.PROTOBUF:
        return _read_protobuf(row, published_at_us, limits)
    return Rejection(Reason.UNSUPPORTED_CONTENT_TYPE, published_at_us=published_at_us)


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
    said = {name: row[name] for name in _archive_fields() if row.get(name) is not None}
    if type(said.get("message_index")) is not int:  # Nobody reads it, so any type may stand there.
        said.pop("message_index", None)
    payload = _protobuf_of(said) if encoding == Encoding.PROTOBUF else None
    return (_json_of(said), JSON_TYPE) if payload is None else (payload, PROTOBUF_TYPE)


def instants_of(encoding: Encoding, row: Any) -> tuple[int | None, int | None]:
    """Returns when a row was said, and when it says itself that it was published.

    Each in microseconds, and None where the row does not say, can't be read, or says what is no
    int64. A row may be invalid for all that.
    """
    sent_at_us: int | None = None
    published_at_us: int | None = None
    if encoding == Encoding.AVRO:
        sent_at_us, published_at_us = row.get("sent_at_us"), row.get("published_at_us")
    elif encoding == Encoding.JSON:
        with suppress(*_JSON_ERRORS):
            event = _decode_json(row)
            sent_at_us = _instant_us(event.sent_at, event.sent_at_us)
            published_at_us = _instant_us(event.published_at, event.published_at_us)
    elif encoding == Encoding.PROTOBUF:
        with suppress(ProtobufDecodeError):
            sent_at_us = ConversationEvent.FromString(row).sent_at_us or None
    return _int64_or_none(sent_at_us), _int64_or_none(published_at_us)


def instant_of(microseconds: str | None) -> int | None:
    """Returns the instant that an attribute says in decimal digits; None for nonsense."""
    if microseconds is None or not _DECIMAL.fullmatch(microseconds):
        return None
    return _int64_or_none(int(microseconds))


def is_in_range(instant_us: int | None) -> bool:
    """Tells whether an instant is one that a valid event may have."""
    return instant_us is not None and _EARLIEST_US <= instant_us < _LATEST_US


def payload_size_and_sha256(encoding: Encoding, row: Any) -> tuple[int, str]:
    """Returns size in bytes and SHA-256 of a row; of a dict those of the fields read, as JSON."""
    if encoding == Encoding.AVRO:
        row = {name: row[name] for name in _AVRO_FIELDS if name in row}
        row = json.dumps(row, sort_keys=True, default=str).encode("utf-8", "surrogatepass")
    return len(row), hashlib.sha256(row).hexdigest()


def _protobuf_of(said: Mapping[str, Any]) -> bytes | None:
    """Returns an event in protobuf; None where it would be read as another."""
    fields = dict(said)
    role = fields.pop("role", None)
    published_at_us = fields.pop("published_at_us", None)
    if role is not None:
        fields["role"] = _ROLE_NUMBERS.get(role.upper())
        if fields["role"] is None:
            return None
    # Beside the payload goes only a publish time that is an int64.
    if "text" not in fields or fields.get("sent_at_us") == 0:
        return None
    if _int64_or_none(published_at_us) != published_at_us:
        return None
    try:
        return ConversationEvent(**fields).SerializeToString()
    except ValueError:  # A number out of its range, or a lone surrogate.
        return None


def _json_of(said: Mapping[str, Any]) -> bytes:
    text = json.dumps(said, ensure_ascii=False)
    if _encodes(text):
        return text.encode()
    read = _read_avro(said, None, _NO_LIMITS)
    if isinstance(read, Rejection) and read.reason == Reason.INVALID_UTF8:
        return text.encode("utf-8", "surrogatepass")
    # It is refused for another field before its text is looked at, or for an attribute after that.
    # As bytes that are no UTF-8 it would be refused as a whole, and for that.
    readable = {
        name: value
        if not isinstance(value, str) or _encodes(value)
        else ("" if name == "text" else _NO_UTF8)
        for name, value in said.items()
    }
    return json.dumps(readable, ensure_ascii=False).encode()


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
    except _JSON_ERRORS:
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
    elif not is_in_range(sent_at_us):
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


def _refuse_receipt(sent_at_us: int, received_at_us: int, limits: Limits) -> Reason | None:
    age_us = received_at_us - sent_at_us
    if age_us > limits.max_age_us:
        return Reason.PAST_LIFE
    return Reason.FROM_THE_FUTURE if -age_us > limits.max_future_us else None


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


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_utf8(row: bytes) -> bool:
    try:
        row.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True

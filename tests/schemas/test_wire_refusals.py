"""Tests every reason to refuse an event in every encoding, and the bounds of valid events."""

from __future__ import annotations

from typing import Any, Final

import pytest

from schemas.failures import Reason
from schemas.records import Encoding, Message
from schemas.wire.event import read_event
from schemas.wire.validate import Limits, Rejection
from tests.builders import MONDAY_US, SECOND_US, avro_event
from tests.schemas.payloads import (
    LATENESS_US,
    LIMITS,
    SECRET,
    WIRE_ENCODINGS,
    betrays_secret,
    encoded,
    json_event,
)
from tests.schemas.reading import EACH_ENCODING, FUTURE_US, TOO_LONG, message_of, reason_of

_BY_FIELDS: Final[dict[Reason, dict[str, Any]]] = {
    Reason.MISSING_EVENT_ID: {"event_id": ""},
    Reason.MISSING_CONVERSATION_ID: {"conversation_id": ""},
    Reason.INVALID_ID: {"event_id": "x" * 257},
    Reason.UNSUPPORTED_SCHEMA_VERSION: {"schema_version": 2},
    Reason.MISSING_SENT_AT: {"sent_at_us": None},
    Reason.SENT_AT_OUT_OF_RANGE: {"sent_at_us": 1},
    Reason.INVALID_ROLE: {"role": None},
    Reason.OVERSIZE: {"text": TOO_LONG},
    Reason.LATE: {"sent_at_us": MONDAY_US - LATENESS_US - 1},
    Reason.FROM_THE_FUTURE: {"sent_at_us": MONDAY_US + FUTURE_US + 1},
}
"""Wrong fields that every encoding can have, in events published at MONDAY_US."""

_BY_BYTES: Final[list[tuple[Encoding, Any, Reason]]] = [
    (Encoding.PROTOBUF, b"\x0a\xff", Reason.UNDECODABLE),
    (Encoding.PROTOBUF, encoded(Encoding.PROTOBUF)[:-1], Reason.UNDECODABLE),
    (Encoding.PROTOBUF, b"\x2a\x02\xff\xfe", Reason.UNDECODABLE),
    (Encoding.PROTOBUF, b"\x7b" * 1_900, Reason.UNDECODABLE),
    (Encoding.PROTOBUF, b"", Reason.MISSING_EVENT_ID),
    (Encoding.PROTOBUF, b"\x08\x01\x10\x01\x28\x01", Reason.MISSING_EVENT_ID),
    (Encoding.PROTOBUF, encoded(Encoding.PROTOBUF) + b"\x20\x07", Reason.INVALID_ROLE),
    (Encoding.JSON, b"", Reason.UNDECODABLE),
    (Encoding.JSON, b"null", Reason.UNDECODABLE),
    (Encoding.JSON, b"[]", Reason.UNDECODABLE),
    (Encoding.JSON, b"{}", Reason.MISSING_EVENT_ID),
    (Encoding.JSON, json_event(text="@").replace(b"@", b"\xff"), Reason.INVALID_UTF8),
    (Encoding.JSON, json_event(text="@").replace(b"@", b"\xed\xa0\x80"), Reason.INVALID_UTF8),
    (Encoding.JSON, json_event(text="\ud800"), Reason.UNDECODABLE),
    (Encoding.JSON, json_event(event_id="\udc00"), Reason.UNDECODABLE),
    (Encoding.JSON, b"[" * 1_900, Reason.UNDECODABLE),
    (Encoding.JSON, b'{"x":' + b'{"a":' * 350, Reason.UNDECODABLE),
    (Encoding.JSON, json_event(sent_at_us=float("nan")), Reason.UNDECODABLE),
    (Encoding.JSON, json_event(sent_at_us=1.5), Reason.UNDECODABLE),
    (Encoding.JSON, json_event(sent_at_us="1"), Reason.UNDECODABLE),
    (Encoding.JSON, json_event(sent_at_us=2**70), Reason.SENT_AT_OUT_OF_RANGE),
    (Encoding.JSON, json_event(sent_at_us=-(2**70)), Reason.SENT_AT_OUT_OF_RANGE),
    (Encoding.JSON, json_event(schema_version=2**70), Reason.UNSUPPORTED_SCHEMA_VERSION),
    (Encoding.JSON, json_event(schema_version=-1), Reason.UNSUPPORTED_SCHEMA_VERSION),
    (Encoding.JSON, json_event(text=5), Reason.UNDECODABLE),
    (Encoding.JSON, json_event(text=["a"]), Reason.UNDECODABLE),
    (Encoding.JSON, json_event(text=None), Reason.UNDECODABLE),
    (Encoding.JSON, json_event(event_id=7), Reason.UNDECODABLE),
    (Encoding.JSON, json_event(role="robot"), Reason.INVALID_ROLE),
    (Encoding.JSON, json_event() + b"{}", Reason.UNDECODABLE),
    (Encoding.JSON, b'{"text":1,' + json_event()[1:], Reason.UNDECODABLE),
    (Encoding.AVRO, avro_event(text=None), Reason.UNDECODABLE),
    (Encoding.AVRO, avro_event(text="\udcff"), Reason.INVALID_UTF8),
    (Encoding.AVRO, avro_event(event_id=None), Reason.MISSING_EVENT_ID),
    (Encoding.AVRO, avro_event(role="\udcff"), Reason.INVALID_ROLE),
    (Encoding.AVRO, avro_event(sent_at_us=-(2**63)), Reason.SENT_AT_OUT_OF_RANGE),
    (Encoding.UNKNOWN, b"", Reason.UNSUPPORTED_CONTENT_TYPE),
    (Encoding.UNKNOWN, b"\xff" * 3_000, Reason.OVERSIZE),
]
"""Payloads that are wrong in one encoding, and the reasons for refusing them."""


@EACH_ENCODING
@pytest.mark.parametrize("reason", _BY_FIELDS)
def test_a_wrong_field_is_refused_for_the_same_reason(encoding: Encoding, reason: Reason) -> None:
    """A wrong field gives the same reason in every encoding."""
    assert reason_of(encoding, encoded(encoding, **_BY_FIELDS[reason])) == reason


@pytest.mark.parametrize(("encoding", "row", "reason"), _BY_BYTES)
def test_wrong_bytes_are_refused(encoding: Encoding, row: Any, reason: Reason) -> None:
    """Bytes that are not an event are refused for a reason that fits their encoding."""
    assert reason_of(encoding, row) == reason


def test_every_reason_is_reached() -> None:
    """Every reason that is defined can occur and is tested here."""
    reached = {*_BY_FIELDS, *(reason for _, _, reason in _BY_BYTES), Reason.PAST_LIFE}
    assert reached == set(Reason) - {Reason.REFUSED_BY_TABLE}


def test_an_event_past_its_life_is_refused() -> None:
    """A live source refuses an event that is older than `max_age_us`; a file has no such bound."""
    row, limits = encoded(Encoding.JSON), Limits(SECOND_US, max_age_us=30 * SECOND_US)
    bound_us = MONDAY_US + limits.max_age_us
    decoded = [
        read_event(Encoding.JSON, row, MONDAY_US, limits, received_at_us)
        for received_at_us in (None, bound_us, bound_us + 1)
    ]
    assert [type(each) for each in decoded] == [Message, Message, Rejection]
    assert decoded[-1] == Rejection(Reason.PAST_LIFE, "e0", "c0", MONDAY_US, MONDAY_US)


@pytest.mark.parametrize("published_at_us", [None, MONDAY_US - 1, MONDAY_US, 2**63 - 1])
def test_an_event_from_the_future_is_refused_by_when_it_was_received(
    published_at_us: int | None,
) -> None:
    """An event's send time may be up to five minutes after its receipt, at any publish time."""
    row = encoded(Encoding.JSON, published_at_us=MONDAY_US)
    bound_us = MONDAY_US - FUTURE_US
    decoded = [
        read_event(Encoding.JSON, row, published_at_us, LIMITS, received_at_us)
        for received_at_us in (bound_us, bound_us - 1)
    ]
    assert isinstance(decoded[0], Message)
    assert isinstance(decoded[1], Rejection)
    assert decoded[1].reason == Reason.FROM_THE_FUTURE


@EACH_ENCODING
def test_a_late_system_turn_is_late(encoding: Encoding) -> None:
    """A system turn is checked like a message, so a late one is refused."""
    row = encoded(encoding, role="SYSTEM", **_BY_FIELDS[Reason.LATE])
    assert reason_of(encoding, row) == Reason.LATE


@EACH_ENCODING
@pytest.mark.parametrize("lead_us", [FUTURE_US, -LATENESS_US])
def test_bounds_of_time_are_valid(encoding: Encoding, lead_us: int) -> None:
    """An event exactly five minutes ahead, or exactly as late as is allowed, is still valid."""
    row = encoded(encoding, sent_at_us=MONDAY_US + lead_us)
    assert reason_of(encoding, row) is None


@EACH_ENCODING
def test_an_event_without_a_publish_time_is_neither_late_nor_early(encoding: Encoding) -> None:
    """Without a publish time, an event of any year is accepted."""
    assert reason_of(encoding, encoded(encoding, sent_at_us=4_000_000_000_000_000), None) is None


@pytest.mark.parametrize("encoding", [Encoding.JSON, Encoding.AVRO])
def test_the_rows_own_publish_time_counts_if_no_other_is_known(encoding: Encoding) -> None:
    """The publish time in a row decides whether the row is late, unless the envelope has one."""
    row = encoded(encoding, published_at_us=MONDAY_US + LATENESS_US + 1)
    assert reason_of(encoding, row, None) == Reason.LATE
    assert reason_of(encoding, row, MONDAY_US) is None


@EACH_ENCODING
@pytest.mark.parametrize(
    ("sent_at_us", "is_valid"),
    [
        (946_684_799_999_999, False),
        (946_684_800_000_000, True),
        (4_102_444_799_999_999, True),
        (4_102_444_800_000_000, False),
        (2**63 - 1, False),
        (-(2**63), False),
    ],
)
def test_years_2000_to_2099_are_valid(encoding: Encoding, sent_at_us: int, is_valid: bool) -> None:
    """Send times in the years 2000 to 2099 are valid, to the microsecond."""
    reason = reason_of(encoding, encoded(encoding, sent_at_us=sent_at_us), None)
    assert reason == (None if is_valid else Reason.SENT_AT_OUT_OF_RANGE)


@pytest.mark.parametrize(
    ("sent_at", "reason"),
    [
        ("0001-01-01T00:00:00+23:59", Reason.SENT_AT_OUT_OF_RANGE),
        ("9999-12-31T23:59:59.999999-23:59", Reason.SENT_AT_OUT_OF_RANGE),
        ("9999-12-31T23:59:59.9999999Z", Reason.UNDECODABLE),
        ("0000-01-01T00:00:00Z", Reason.UNDECODABLE),
        ("2025-02-29T00:00:00Z", Reason.UNDECODABLE),
        ("2025-06-02T24:00:00Z", Reason.UNDECODABLE),
        ("2016-12-31T23:59:60Z", Reason.UNDECODABLE),
        ("2025-06-02", Reason.UNDECODABLE),
    ],
)
def test_impossible_json_instants_are_refused(sent_at: str, reason: Reason) -> None:
    """An instant that does not exist or is out of range is refused without an exception."""
    assert reason_of(Encoding.JSON, json_event(sent_at=sent_at, sent_at_us=None)) == reason


def test_a_field_of_another_wire_type_is_missing() -> None:
    """Protobuf treats a field of the wrong wire type as an unknown field."""
    row = encoded(Encoding.PROTOBUF, role=None) + b"\x25abcd"
    assert reason_of(Encoding.PROTOBUF, row) == Reason.INVALID_ROLE


@EACH_ENCODING
@pytest.mark.parametrize("field", ["event_id", "conversation_id", "user_id"])
@pytest.mark.parametrize(
    ("value", "is_valid"),
    [("x" * 256, True), ("x" * 257, False), ("é" * 128, True), ("é" * 128 + "x", False),
     ("日" * 85, True), ("日" * 86, False), ("\U0001f600" * 65, False), ("a b", True)],
)  # fmt: skip
def test_ids_have_at_most_256_bytes(
    encoding: Encoding, field: str, value: str, is_valid: bool
) -> None:
    """The length of an id is counted in bytes of UTF-8."""
    reason = reason_of(encoding, encoded(encoding, **{field: value, "text": ""}))
    assert reason == (None if is_valid else Reason.INVALID_ID)


@pytest.mark.parametrize("field", ["event_id", "conversation_id", "user_id"])
def test_an_id_that_is_not_utf8_is_refused(field: str) -> None:
    """An id is refused if its bytes are not UTF-8 and are therefore read as lone surrogates."""
    assert reason_of(Encoding.AVRO, avro_event(**{field: "a\udcff"})) in {
        Reason.INVALID_UTF8,
        Reason.INVALID_ID,
    }


@EACH_ENCODING
def test_size_limit_is_inclusive(encoding: Encoding) -> None:
    """A payload of exactly the allowed size is read; in Avro the limit applies to the text."""
    whole = TOO_LONG if encoding == Encoding.AVRO else encoded(encoding, text=TOO_LONG)
    spare = len(whole) - len(TOO_LONG)
    text = "x" * (LIMITS.max_event_bytes - spare)
    assert message_of(encoding, encoded(encoding, text=text)).text == text
    assert reason_of(encoding, encoded(encoding, text=text + "x")) == Reason.OVERSIZE


def test_size_of_text_is_counted_in_bytes() -> None:
    """A text with few characters but too many bytes is too large."""
    text = "日" * (LIMITS.max_event_bytes // 3 + 1)
    assert reason_of(Encoding.AVRO, avro_event(text=text)) == Reason.OVERSIZE


@pytest.mark.parametrize("value", [SECRET, "a b", "x" * 257, "日本", "a\nb", 'a"b', "\udcff"])
def test_a_rejection_repeats_no_id_that_may_be_a_sentence(value: str) -> None:
    """A rejection leaves out an id that does not look like an id."""
    row = avro_event(event_id=value, conversation_id=value, role="robot")
    read = read_event(Encoding.AVRO, row, MONDAY_US, LIMITS)
    assert isinstance(read, Rejection)
    assert (read.event_id, read.conversation_id) == (None, None)


def test_a_rejection_repeats_no_address() -> None:
    """An id that is an e-mail address is left out of a rejection."""
    row = json_event(event_id="jane@example.org", role="NOBODY")
    read = read_event(Encoding.JSON, row, None, LIMITS)
    assert isinstance(read, Rejection)
    assert read.event_id is None


@pytest.mark.parametrize("encoding", WIRE_ENCODINGS)
def test_a_rejection_has_the_readable_fields(encoding: Encoding) -> None:
    """A rejection has the event's ids and instants, but never its text."""
    row = encoded(encoding, event_id="e-1:x/y", role=None, text=SECRET)
    read = read_event(encoding, row, MONDAY_US + 1, LIMITS)
    assert read == Rejection(Reason.INVALID_ROLE, "e-1:x/y", "c0", MONDAY_US, MONDAY_US + 1)
    assert not betrays_secret(read)

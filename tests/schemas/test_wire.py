"""The wire as an enemy writes it: every reason in every encoding, and what stays valid."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.breakdowns import ATTRIBUTES
from schemas.failures import Reason
from schemas.records import Encoding, Message
from schemas.wire.avro import avro_schema
from schemas.wire.event import encoding_of, payload_size_and_sha256, read_event
from schemas.wire.validate import Limits, Rejection, SystemTurn
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

FUTURE_US: Final = 5 * 60 * SECOND_US
TOO_LONG: Final = "x" * (LIMITS.max_event_bytes + 1)
EACH_ENCODING = pytest.mark.parametrize("encoding", WIRE_ENCODINGS)

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
"""What every encoding can say, published at MONDAY_US."""

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
"""What only the bytes of one encoding can get wrong."""


def reason_of(encoding: Encoding, row: Any, published_at_us: int | None = MONDAY_US) -> Any:
    """Returns the reason for which a row is refused, None for a message."""
    read = read_event(encoding, row, published_at_us, LIMITS)
    return read.reason if isinstance(read, Rejection) else None


def message_of(encoding: Encoding, row: Any, published_at_us: int | None = None) -> Message:
    """Returns the message that a row must be."""
    read = read_event(encoding, row, published_at_us, LIMITS)
    assert isinstance(read, Message), read
    return read


@EACH_ENCODING
@pytest.mark.parametrize("reason", _BY_FIELDS)
def test_refuses_a_field_for_its_reason(encoding: Encoding, reason: Reason) -> None:
    """A field that is wrong gives the same reason in every encoding."""
    assert reason_of(encoding, encoded(encoding, **_BY_FIELDS[reason])) == reason


@pytest.mark.parametrize(("encoding", "row", "reason"), _BY_BYTES)
def test_refuses_bytes_for_their_reason(encoding: Encoding, row: Any, reason: Reason) -> None:
    """Bytes that are no event are refused by the reason of their encoding."""
    assert reason_of(encoding, row) == reason


def test_every_reason_is_reached() -> None:
    """No reason of the contract is dead, and none is untested."""
    reached = {*_BY_FIELDS, *(reason for _, _, reason in _BY_BYTES), Reason.PAST_LIFE}
    assert reached == set(Reason) - {Reason.REFUSED_BY_TABLE}


def test_an_event_past_its_life_is_refused() -> None:
    """An old event that a live source gets now is refused, one at the bound or in a file is not."""
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
    """An event may be five minutes ahead of its receipt, no more, for any claimed publish time."""
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
def test_every_encoding_gives_the_same_message(encoding: Encoding) -> None:
    """An event with every field is the same message however it is encoded."""
    fields = {"platform": "web", "country": "de", "language": "pt-BR", "plan": "pro"}
    read = message_of(encoding, encoded(encoding, **fields, model="m-1", text=SECRET))
    said = {"platform": "web", "country": "DE", "language": "pt", "plan": "pro", "model": "m-1"}
    assert read == Message(
        "e0", "c0", "ada", True, SECRET, MONDAY_US, tuple(map(said.get, ATTRIBUTES))
    )


@EACH_ENCODING
def test_what_an_event_does_not_say_is_none(encoding: Encoding) -> None:
    """A user and attributes that are not stated are None, never an empty string."""
    read = message_of(encoding, encoded(encoding, user_id=None))
    assert (read.user_id, read.attributes) == (None, (None,) * len(ATTRIBUTES))


@EACH_ENCODING
@pytest.mark.parametrize(("role", "is_human"), [("HUMAN", True), ("ASSISTANT", False)])
def test_reads_the_role(encoding: Encoding, role: str, is_human: bool) -> None:
    """The two roles that speak are told apart."""
    assert message_of(encoding, encoded(encoding, role=role)).is_human is is_human


@EACH_ENCODING
def test_system_turn_is_no_message(encoding: Encoding) -> None:
    """A system turn is neither a message nor refused."""
    read = read_event(encoding, encoded(encoding, role="SYSTEM"), MONDAY_US, LIMITS)
    assert isinstance(read, SystemTurn)


@EACH_ENCODING
def test_a_late_system_turn_is_late(encoding: Encoding) -> None:
    """A system turn must be as valid as a message to be counted as one."""
    row = encoded(encoding, role="SYSTEM", **_BY_FIELDS[Reason.LATE])
    assert reason_of(encoding, row) == Reason.LATE


@EACH_ENCODING
@pytest.mark.parametrize("lead_us", [FUTURE_US, -LATENESS_US])
def test_bounds_of_time_are_valid(encoding: Encoding, lead_us: int) -> None:
    """Five minutes ahead and the allowed lateness behind are still in time, to the microsecond."""
    row = encoded(encoding, sent_at_us=MONDAY_US + lead_us)
    assert reason_of(encoding, row) is None


@EACH_ENCODING
def test_an_event_never_published_is_neither_late_nor_early(encoding: Encoding) -> None:
    """Without a time of publishing an event of any year is in time."""
    assert reason_of(encoding, encoded(encoding, sent_at_us=4_000_000_000_000_000), None) is None


@pytest.mark.parametrize("encoding", [Encoding.JSON, Encoding.AVRO])
def test_the_rows_own_publish_time_counts_where_no_other_is_known(encoding: Encoding) -> None:
    """The publish time in the row decides lateness, but yields to that of the envelope."""
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
def test_calendar_ends(encoding: Encoding, sent_at_us: int, is_valid: bool) -> None:
    """The years 2000 to 2099 are valid, to the microsecond."""
    reason = reason_of(encoding, encoded(encoding, sent_at_us=sent_at_us), None)
    assert reason == (None if is_valid else Reason.SENT_AT_OUT_OF_RANGE)


@pytest.mark.parametrize(
    "sent_at",
    ["2025-06-02T00:00:00Z", "2025-06-02T00:00:00", "2025-06-02T02:00:00+02:00",
     "2025-06-01T12:00:00.000000-12:00"],
)  # fmt: skip
def test_json_instant_with_and_without_zone(sent_at: str) -> None:
    """An RFC 3339 instant is read in its zone, and in UTC where it names none."""
    row = json_event(sent_at=sent_at, sent_at_us=None)
    assert message_of(Encoding.JSON, row).sent_at_us == MONDAY_US


def test_json_instant_keeps_its_microseconds() -> None:
    """Every microsecond of an RFC 3339 instant counts."""
    row = json_event(sent_at="2040-06-02T00:00:00.123457Z", sent_at_us=None)
    assert message_of(Encoding.JSON, row).sent_at_us % SECOND_US == 123_457


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
def test_json_instants_at_the_ends_of_the_calendar(sent_at: str, reason: Reason) -> None:
    """An instant that no calendar or no conversation has is refused and raises nothing."""
    assert reason_of(Encoding.JSON, json_event(sent_at=sent_at, sent_at_us=None)) == reason


def test_the_last_of_two_equal_json_keys_holds() -> None:
    """A repeated key is read as most JSON readers do, so that producers agree with us."""
    row = b'{"text":"first",' + json_event(text="second")[1:]
    assert message_of(Encoding.JSON, row).text == "second"


def test_json_keeps_characters_beyond_the_basic_plane() -> None:
    """An escaped surrogate pair is one character."""
    assert message_of(Encoding.JSON, json_event(text="\U0001f600")).text == "\U0001f600"


def test_unknown_fields_are_ignored() -> None:
    """A producer that is ahead of us by a field is still understood."""
    assert reason_of(Encoding.JSON, json_event(mood="fine")) is None
    later = b"\xf2\x01\x04fine"  # Field 30, a string.
    assert reason_of(Encoding.PROTOBUF, encoded(Encoding.PROTOBUF) + later) is None


def test_a_field_of_another_wire_type_is_not_read() -> None:
    """Protobuf takes a field of another wire type for unknown; the event stands without it."""
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
    """An id's length is counted in bytes of UTF-8, whatever its letters."""
    reason = reason_of(encoding, encoded(encoding, **{field: value, "text": ""}))
    assert reason == (None if is_valid else Reason.INVALID_ID)


@pytest.mark.parametrize("field", ["event_id", "conversation_id", "user_id"])
def test_an_id_that_is_no_utf8_is_no_id(field: str) -> None:
    """Bytes that are no UTF-8, which fastavro shows as lone surrogates, make no message."""
    assert reason_of(Encoding.AVRO, avro_event(**{field: "a\udcff"})) in {
        Reason.INVALID_UTF8,
        Reason.INVALID_ID,
    }


@EACH_ENCODING
def test_size_limit_is_inclusive(encoding: Encoding) -> None:
    """A payload of just the allowed size is read; in Avro it is the text that is measured."""
    whole = TOO_LONG if encoding == Encoding.AVRO else encoded(encoding, text=TOO_LONG)
    spare = len(whole) - len(TOO_LONG)
    text = "x" * (LIMITS.max_event_bytes - spare)
    assert message_of(encoding, encoded(encoding, text=text)).text == text
    assert reason_of(encoding, encoded(encoding, text=text + "x")) == Reason.OVERSIZE


def test_size_of_text_is_counted_in_bytes() -> None:
    """A text of few characters and many bytes is too large."""
    text = "日" * (LIMITS.max_event_bytes // 3 + 1)
    assert reason_of(Encoding.AVRO, avro_event(text=text)) == Reason.OVERSIZE


@pytest.mark.parametrize("value", [SECRET, "a b", "x" * 257, "日本", "a\nb", 'a"b', "\udcff"])
def test_rejection_repeats_no_id_that_may_be_a_sentence(value: str) -> None:
    """What does not look like an id is left out of a rejection."""
    row = avro_event(event_id=value, conversation_id=value, role="robot")
    read = read_event(Encoding.AVRO, row, MONDAY_US, LIMITS)
    assert isinstance(read, Rejection)
    assert (read.event_id, read.conversation_id) == (None, None)


@pytest.mark.parametrize("encoding", WIRE_ENCODINGS)
def test_rejection_names_what_could_be_read(encoding: Encoding) -> None:
    """A rejection holds ids and instants, and never the text."""
    row = encoded(encoding, event_id="e-1:x/y", role=None, text=SECRET)
    read = read_event(encoding, row, MONDAY_US + 1, LIMITS)
    assert read == Rejection(Reason.INVALID_ROLE, "e-1:x/y", "c0", MONDAY_US, MONDAY_US + 1)
    assert not betrays_secret(read)


@pytest.mark.parametrize(
    ("content_type", "encoding"),
    [
        (None, Encoding.PROTOBUF), ("application/protobuf", Encoding.PROTOBUF),
        ("application/x-protobuf", Encoding.PROTOBUF), ("application/json", Encoding.JSON),
        (" Application/JSON ; charset=utf-8", Encoding.JSON), ("", Encoding.UNKNOWN),
        ("text/plain", Encoding.UNKNOWN), ("\udcff", Encoding.UNKNOWN),
    ],
)  # fmt: skip
def test_content_types(content_type: str | None, encoding: Encoding) -> None:
    """A content type is read as HTTP reads it; none at all means protobuf."""
    assert encoding_of(content_type) == encoding


def test_size_and_hash_of_a_row() -> None:
    """Bytes are hashed as they are, and a dict whatever the order of its keys."""
    assert payload_size_and_sha256(Encoding.JSON, b"abc") == (
        3,
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    )
    row = avro_event(text="\udcff")
    again = dict(reversed(row.items()))
    assert payload_size_and_sha256(Encoding.AVRO, row) == payload_size_and_sha256(
        Encoding.AVRO, again
    )


def test_archive_schema_is_the_packaged_one() -> None:
    """The schema comes with the package and is JSON of a record."""
    assert json.loads(json.dumps(avro_schema()))["name"] == "ConversationEvent"


@settings(deadline=None, max_examples=500)
@given(st.sampled_from([Encoding.PROTOBUF, Encoding.JSON, Encoding.UNKNOWN]), st.binary())
def test_random_bytes_raise_nothing(encoding: Encoding, row: bytes) -> None:
    """Whatever arrives, reading it gives a result and no exception."""
    assert isinstance(read_event(encoding, row, None, LIMITS), Message | Rejection | SystemTurn)


_JSON_VALUES: Final = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**80), 2**80), st.floats(), st.text(max_size=8),
    st.lists(st.integers(), max_size=2),
)  # fmt: skip


@settings(deadline=None, max_examples=1000)
@given(st.dictionaries(st.sampled_from([*avro_event(), "sent_at", "published_at"]), _JSON_VALUES))
def test_any_json_value_in_any_field_raises_nothing(fields: dict[str, Any]) -> None:
    """Whatever type and size a field of JSON has, the event is read or refused."""
    read = read_event(Encoding.JSON, json_event(**fields), None, LIMITS)
    assert isinstance(read, Message | Rejection | SystemTurn)


def test_an_address_is_not_repeated_as_an_id() -> None:
    """A dead letter does not repeat an id that is an e-mail address."""
    row = json_event(event_id="jane@example.org", role="NOBODY")
    read = read_event(Encoding.JSON, row, None, LIMITS)
    assert isinstance(read, Rejection)
    assert read.event_id is None

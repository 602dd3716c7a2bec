"""Tests that valid events are read the same in every encoding, and that no row raises an error."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.breakdowns import ATTRIBUTES
from schemas.records import Encoding, Message
from schemas.wire.avro import avro_schema
from schemas.wire.event import bytes_of_row, encoding_of, read_event
from schemas.wire.validate import Rejection, SystemTurn
from tests.builders import MONDAY_US, SECOND_US, avro_event
from tests.schemas.payloads import LIMITS, SECRET, encoded, json_event
from tests.schemas.reading import EACH_ENCODING, message_of, reason_of


@EACH_ENCODING
def test_every_encoding_gives_the_same_message(encoding: Encoding) -> None:
    """An event with every field is the same message in every encoding."""
    fields = {"platform": "web", "country": "de", "language": "pt-BR", "plan": "pro"}
    read = message_of(encoding, encoded(encoding, **fields, model="m-1", text=SECRET))
    said = {"platform": "web", "country": "DE", "language": "pt", "plan": "pro", "model": "m-1"}
    assert read == Message(
        "e0", "c0", "ada", True, SECRET, MONDAY_US, tuple(map(said.get, ATTRIBUTES))
    )


@EACH_ENCODING
def test_missing_values_are_none(encoding: Encoding) -> None:
    """A missing user or attribute is None, never an empty string."""
    read = message_of(encoding, encoded(encoding, user_id=None))
    assert (read.user_id, read.attributes) == (None, (None,) * len(ATTRIBUTES))


@EACH_ENCODING
@pytest.mark.parametrize(("role", "is_human"), [("HUMAN", True), ("ASSISTANT", False)])
def test_reads_the_role(encoding: Encoding, role: str, is_human: bool) -> None:
    """The role of a message is read: human or assistant."""
    assert message_of(encoding, encoded(encoding, role=role)).is_human is is_human


@EACH_ENCODING
def test_system_turn_is_not_a_message(encoding: Encoding) -> None:
    """A system turn is not a message, but it is not refused either."""
    read = read_event(encoding, encoded(encoding, role="SYSTEM"), MONDAY_US, LIMITS)
    assert isinstance(read, SystemTurn)


@pytest.mark.parametrize(
    "sent_at",
    ["2025-06-02T00:00:00Z", "2025-06-02T00:00:00", "2025-06-02T02:00:00+02:00",
     "2025-06-01T12:00:00.000000-12:00"],
)  # fmt: skip
def test_json_instant_with_and_without_zone(sent_at: str) -> None:
    """An RFC 3339 instant is read in its zone, or in UTC if it has no zone."""
    row = json_event(sent_at=sent_at, sent_at_us=None)
    assert message_of(Encoding.JSON, row).sent_at_us == MONDAY_US


def test_json_instant_keeps_its_microseconds() -> None:
    """An RFC 3339 instant is read to the microsecond."""
    row = json_event(sent_at="2040-06-02T00:00:00.123457Z", sent_at_us=None)
    assert message_of(Encoding.JSON, row).sent_at_us % SECOND_US == 123_457


def test_the_last_of_two_equal_json_keys_counts() -> None:
    """The last of two equal keys is read, as in most JSON readers and as producers expect."""
    row = b'{"text":"first",' + json_event(text="second")[1:]
    assert message_of(Encoding.JSON, row).text == "second"


def test_json_keeps_characters_beyond_the_basic_plane() -> None:
    """An escaped surrogate pair in JSON is read as one character."""
    assert message_of(Encoding.JSON, json_event(text="\U0001f600")).text == "\U0001f600"


def test_unknown_fields_are_ignored() -> None:
    """An event with a field of a newer schema is still read."""
    assert reason_of(Encoding.JSON, json_event(mood="fine")) is None
    later = b"\xf2\x01\x04fine"  # Field 30, a string.
    assert reason_of(Encoding.PROTOBUF, encoded(Encoding.PROTOBUF) + later) is None


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
    """A content type is parsed as in HTTP; if it is missing, the payload is protobuf."""
    assert encoding_of(content_type) == encoding


def test_bytes_of_a_row() -> None:
    """Bytes stay unchanged; in a dict, the order of the keys does not matter."""
    assert bytes_of_row(Encoding.JSON, b"abc") == b"abc"
    row = avro_event(text="\udcff")
    again = dict(reversed(row.items()))
    assert bytes_of_row(Encoding.AVRO, row) == bytes_of_row(Encoding.AVRO, again)


def test_archive_schema_is_the_packaged_one() -> None:
    """The archive schema is part of the package, and is valid JSON."""
    assert json.loads(json.dumps(avro_schema()))["name"] == "ConversationEvent"


@settings(deadline=None, max_examples=500)
@given(st.sampled_from([Encoding.PROTOBUF, Encoding.JSON, Encoding.UNKNOWN]), st.binary())
def test_random_bytes_raise_nothing(encoding: Encoding, row: bytes) -> None:
    """Reading random bytes gives a result and never an exception."""
    assert isinstance(read_event(encoding, row, None, LIMITS), Message | Rejection | SystemTurn)


_JSON_VALUES: Final = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**80), 2**80), st.floats(), st.text(max_size=8),
    st.lists(st.integers(), max_size=2),
)  # fmt: skip


@settings(deadline=None, max_examples=1000)
@given(st.dictionaries(st.sampled_from([*avro_event(), "sent_at", "published_at"]), _JSON_VALUES))
def test_any_json_value_in_any_field_raises_nothing(fields: dict[str, Any]) -> None:
    """An event with any JSON value in any field is read or refused."""
    read = read_event(Encoding.JSON, json_event(**fields), None, LIMITS)
    assert isinstance(read, Message | Rejection | SystemTurn)

"""Tests that an archive row gives the same message when it is published to Pub/Sub."""

from __future__ import annotations

from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.breakdowns import ATTRIBUTES
from schemas.failures import Reason
from schemas.records import Encoding, Message
from schemas.wire.event import encoding_of, instant_of, instants_of, read_event
from schemas.wire.payload import payload_of
from schemas.wire.validate import Limits, Rejection, SystemTurn
from tests.builders import MONDAY_US, SECOND_US, avro_event
from tests.schemas.payloads import LATENESS_US, encoded, json_event

LIMITS: Final = Limits(allowed_lateness_us=LATENESS_US)
LATE_US: Final = MONDAY_US + LATENESS_US + 1
_BOTH: Final = pytest.mark.parametrize("encoding", [Encoding.PROTOBUF, Encoding.JSON])

_TEXTS: Final = st.one_of(
    st.text(max_size=8),
    st.text(st.characters(categories=["Cs", "Ll", "Cc"]), max_size=4),
    st.sampled_from(["", " ", "\udcff", "\ud83d\ude00", "\x00", "\uffff", "日本", "x" * 65]),
)
_IDS: Final = st.one_of(
    st.none(), _TEXTS, st.sampled_from(["x" * 256, "x" * 257, "é" * 128, "é" * 129])
)
_INTS: Final = st.one_of(
    st.integers(-2, 3),
    st.integers(-(2**80), 2**80),
    st.sampled_from([2**31 - 1, 2**31, -(2**31) - 1, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1]),
)
_INSTANTS: Final = st.one_of(
    st.none(),
    _INTS,
    st.integers(MONDAY_US - 2 * LATENESS_US, MONDAY_US + 2 * LATENESS_US),
    st.sampled_from([946_684_799_999_999, 946_684_800_000_000, 4_102_444_800_000_000, LATE_US]),
)
_ROLES: Final = st.one_of(
    st.none(),
    st.sampled_from(["HUMAN", "human", "Assistant", "SYSTEM", "ſystem", "NARRATOR", "HUMAN\udcff"]),
    _TEXTS,
)
_STATED: Final = st.one_of(
    st.none(),
    _TEXTS,
    st.sampled_from(["all", " All ", "unknown", "a b c d e", "x" * 64, "zh-Hant", "all-US", "a\n"]),
)
_FIELDS: Final[dict[str, st.SearchStrategy[Any]]] = {
    **dict.fromkeys(("event_id", "conversation_id", "user_id"), _IDS),
    "role": _ROLES,
    "text": st.one_of(st.none(), _TEXTS),
    **dict.fromkeys(("sent_at_us", "published_at_us"), _INSTANTS),
    **dict.fromkeys(ATTRIBUTES, _STATED),
    "message_index": st.one_of(st.none(), _INTS, _TEXTS),
    "schema_version": _INTS,
}


@st.composite
def rows(draw: st.DrawFn) -> dict[str, Any]:
    """Draws a row in which a few fields are random and some optional fields may be missing."""
    names = draw(st.lists(st.sampled_from(list(_FIELDS)), max_size=4, unique=True))
    row = avro_event(**{name: draw(_FIELDS[name]) for name in names})
    for name in draw(st.lists(st.sampled_from(["user_id", "plan", "schema_version"]), max_size=2)):
        row.pop(name, None)
    return row


def outcome(encoding: Encoding, row: Any, published_at_us: int | None = None) -> Any:
    """Returns the message or the system turn that is read, or the reason for a rejection."""
    read = read_event(encoding, row, published_at_us, LIMITS)
    return read.reason if isinstance(read, Rejection) else read


def sent(row: dict[str, Any], encoding: Encoding) -> Any:
    """Returns the result of publishing a row and reading it as a subscriber."""
    payload, content_type = payload_of(row, encoding)
    return outcome(encoding_of(content_type), payload, instants_of(Encoding.AVRO, row)[1])


@_BOTH
@settings(deadline=None, max_examples=1000)
@given(row=rows())
def test_the_payload_is_read_as_the_row_is(encoding: Encoding, row: dict[str, Any]) -> None:
    """The payload of any row gives the same message, or is refused for the same reason."""
    assert sent(row, encoding) == outcome(Encoding.AVRO, row)


@settings(deadline=None, max_examples=500)
@given(rows())
def test_the_rejection_of_an_ascii_row_is_the_same(row: dict[str, Any]) -> None:
    """If all text is ASCII, the rejections are equal, including their ids and instants."""
    text = "".join(value for value in row.values() if isinstance(value, str))
    read = read_event(Encoding.AVRO, row, None, LIMITS)
    if text.isascii() and isinstance(read, Rejection):
        payload, content_type = payload_of(row, Encoding.PROTOBUF)
        published_at_us = instants_of(Encoding.AVRO, row)[1]
        assert read_event(encoding_of(content_type), payload, published_at_us, LIMITS) == read


@_BOTH
def test_an_event_is_written_as_asked(encoding: Encoding) -> None:
    """A valid event with every field is written as requested, and read as the same message."""
    said = {"platform": "web", "country": "de", "language": "pt-BR", "plan": "pro", "model": "m-1"}
    row = avro_event(**said, message_index=3, published_at_us=MONDAY_US)
    payload, content_type = payload_of(row, encoding)
    assert content_type == f"application/{encoding}"
    read = outcome(encoding, payload)
    assert isinstance(read, Message)
    assert read == outcome(Encoding.AVRO, row)


@pytest.mark.parametrize(
    "fields",
    [
        {"text": None}, {"role": "NARRATOR"}, {"role": ""}, {"sent_at_us": 0},
        {"sent_at_us": 2**63}, {"schema_version": 2**31}, {"published_at_us": 2**63},
        {"text": "\udcff"}, {"event_id": "\udcff"}, {"model": "\ud800"}, {"message_index": 2**31},
    ],
    ids=str,
)  # fmt: skip
def test_what_protobuf_can_not_express_is_json(fields: dict[str, Any]) -> None:
    """An event that protobuf would change is written as JSON."""
    assert payload_of(avro_event(**fields), Encoding.PROTOBUF)[1] == "application/json"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"text": "a\udcff"}, Reason.INVALID_UTF8),
        ({"text": "a\udcff", "model": "\udcff"}, Reason.INVALID_UTF8),
        ({"text": "a\udcff", "event_id": ""}, Reason.MISSING_EVENT_ID),
        ({"text": "a\udcff", "role": "\udcff"}, Reason.INVALID_ROLE),
        ({"text": "a\udcff", "published_at_us": LATE_US}, Reason.INVALID_UTF8),
        ({"event_id": "\udcff"}, Reason.INVALID_ID),
        ({"user_id": "a\ud800"}, Reason.INVALID_ID),
        ({"country": "\udcff", "published_at_us": LATE_US}, Reason.LATE),
    ],
    ids=str,
)
@_BOTH
def test_text_that_is_not_utf8_is_refused_for_the_same_reason(
    encoding: Encoding, fields: dict[str, Any], reason: Reason
) -> None:
    """Lone surrogates in any field are refused for the same reason as in the archive."""
    row = avro_event(**fields)
    assert sent(row, encoding) == outcome(Encoding.AVRO, row) == reason


@_BOTH
def test_a_breakdown_that_is_not_utf8_is_other(encoding: Encoding) -> None:
    """A lone surrogate in an attribute gives the same value as in the archive."""
    row = avro_event(country="\udcff")
    read = sent(row, encoding)
    assert read == outcome(Encoding.AVRO, row)
    assert read.others == ("country/invalid",)


def test_a_lone_surrogate_in_a_text_is_written_as_its_bytes() -> None:
    """A lone surrogate is written as three bytes that no reader accepts as UTF-8."""
    payload, _ = payload_of(avro_event(text="a\udcff"), Encoding.PROTOBUF)
    assert b"a\xed\xb3\xbf" in payload


def test_the_size_limit_is_for_the_whole_payload() -> None:
    """Only an event whose text fits the limit, but whose payload does not, is read differently."""
    row = avro_event(text="x" * LIMITS.max_event_bytes)
    assert isinstance(outcome(Encoding.AVRO, row), Message)
    assert sent(row, Encoding.PROTOBUF) == Reason.OVERSIZE


def test_a_role_in_lower_case_is_known() -> None:
    """A role in lower case in the archive is written as the same role in protobuf."""
    payload, content_type = payload_of(avro_event(role="system"), Encoding.PROTOBUF)
    assert content_type == "application/protobuf"
    assert isinstance(outcome(Encoding.PROTOBUF, payload), SystemTurn)


@pytest.mark.parametrize(
    ("digits", "instant_us"),
    [
        ("0", 0), ("-5", -5), (str(MONDAY_US), MONDAY_US), (str(2**63 - 1), 2**63 - 1),
        (str(-(2**63)), -(2**63)), (None, None), ("", None), (str(2**63), None), ("1.5", None),
        (" 5", None), ("5\n", None), ("+5", None), ("1_000", None), ("٥", None), ("nan", None),
        ("9" * 5000, None), ("2025-06-02T00:00:00Z", None),
    ],
)  # fmt: skip
def test_an_instant_is_an_int64_in_decimal(digits: str | None, instant_us: int | None) -> None:
    """An instant in an attribute counts as missing unless it is an int64 in decimal."""
    assert instant_of(digits) == instant_us


@pytest.mark.parametrize(
    ("encoding", "row", "instants"),
    [
        (Encoding.AVRO, avro_event(published_at_us=LATE_US), (MONDAY_US, LATE_US)),
        (Encoding.AVRO, avro_event(sent_at_us=None), (None, None)),
        (Encoding.AVRO, avro_event(sent_at_us=2**63), (None, None)),
        (Encoding.AVRO, avro_event(event_id=""), (MONDAY_US, None)),
        (Encoding.JSON, json_event(published_at_us=LATE_US), (MONDAY_US, LATE_US)),
        (Encoding.JSON, json_event(sent_at="2025-06-02T00:00:01Z", sent_at_us=None),
         (MONDAY_US + SECOND_US, None)),
        (Encoding.JSON, json_event(sent_at_us=2**63), (None, None)),
        (Encoding.JSON, b"{", (None, None)),
        (Encoding.JSON, b"\xff", (None, None)),
        (Encoding.JSON, b"[" * 100_000, (None, None)),
        (Encoding.PROTOBUF, encoded(Encoding.PROTOBUF), (MONDAY_US, None)),
        (Encoding.PROTOBUF, b"", (None, None)),
        (Encoding.PROTOBUF, b"\x0a\xff", (None, None)),
        (Encoding.UNKNOWN, b"", (None, None)),
    ],
)  # fmt: skip
def test_instants_of_any_row(
    encoding: Encoding, row: Any, instants: tuple[int | None, int | None]
) -> None:
    """Sent and publish times of any event, even an invalid one, are read without an exception."""
    assert instants_of(encoding, row) == instants

"""Tests hostile input: 200,000 mutated events are read, or refused without being quoted."""

from __future__ import annotations

import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Final

import pytest

from schemas.breakdowns import ATTRIBUTES
from schemas.failures import Reason
from schemas.records import Encoding, PayloadChunk, PseudonymousMessage
from schemas.wire.event import encoding_of
from schemas.wire.validate import Limits
from tests.builders import MONDAY_US, PSEUDONYMS, avro_event
from tests.schemas.mutants import (
    CANARY,
    HOSTILE_LIMITS,
    betrays_canary,
    mutants,
    nested_list,
    sized,
    tag,
    varint,
)
from tests.schemas.payloads import LATENESS_US, encoded, json_event
from transforms.conversation.messages import decode_chunk

SEEDS: Final = range(8)
MUTANTS_A_SEED: Final = 6_400
"""Mutants per seed, for 3 encodings and mixed content types: 8 × 4 × 6,400 = 204,800 in all."""
_ROWS_A_CHUNK: Final = 400

_POSSIBLE: Final = set(Reason) - {Reason.PAST_LIFE, Reason.REFUSED_BY_TABLE}
"""The reasons for which a payload alone can be refused."""
_ELSEWHERE: Final = {Reason.UNSUPPORTED_CONTENT_TYPE}
_REACHED: Final = {
    # A protobuf string that is not UTF-8 makes the whole payload undecodable.
    Encoding.PROTOBUF: _POSSIBLE - _ELSEWHERE - {Reason.INVALID_UTF8},
    Encoding.JSON: _POSSIBLE - _ELSEWHERE,
    Encoding.AVRO: _POSSIBLE - _ELSEWHERE,
}
_CONTENT_TYPES: Final = (
    *("application/json", "Application/JSON; charset=utf-16", "application/x-protobuf", None) * 2,
    "", ";", "text/plain", "application/json,", "\x00", "\udcff", CANARY,
)  # fmt: skip

_EVENT: Final = re.compile("[0-9a-f]{16}")
_HASH: Final = re.compile("[0-9a-f]{32}")
_VALUE_OF: Final = {"country": "[A-Z]{2}", "language": "[a-z]{2,3}"}


@pytest.fixture
def betrayals(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> Iterator[None]:
    """Asserts at the end that nothing logged or printed contains a piece of the canary."""
    with caplog.at_level("DEBUG"):
        yield
    # pytest empties `caplog.text` before this line.
    logged = [caplog.handler.format(record) for record in caplog.get_records("call")]
    assert not betrays_canary(*logged, *capfd.readouterr())


def _as_surrogates(word: str) -> str:
    return word.encode().decode("ascii", "surrogateescape")


def check_message(said: PseudonymousMessage, limits: Limits, published_at_us: int | None) -> None:
    """Asserts what every later step expects of a message."""
    assert (len(said.event), len(said.conversation)) == (8, 24)
    assert said.user == "" or _EVENT.fullmatch(said.user)
    assert type(said.is_human) is bool
    assert len(said.text.encode()) <= limits.max_event_bytes
    assert 946_684_800_000_000 <= said.sent_at_us < 4_102_444_800_000_000
    if published_at_us is not None:
        lag_us = published_at_us - said.sent_at_us
        assert -limits.max_future_us <= lag_us <= limits.allowed_lateness_us
    check_attributes(said.attributes)


def check_attributes(attributes: tuple[str | None, ...]) -> None:
    """Asserts that each value is None, `other`, or a well-formed value that is not reserved."""
    assert len(attributes) == len(ATTRIBUTES)
    for name, value in zip(ATTRIBUTES, attributes, strict=True):
        if value not in {None, "other"}:
            assert re.fullmatch(_VALUE_OF.get(name, "[A-Za-z0-9._-]{1,40}"), value or "")
            assert value not in {"all", "unknown"}


def check_chunk(
    encoding: Encoding, rows: list[Any], published_at_us: int | None, limits: Limits
) -> Counter[str]:
    """Asserts that each row has one outcome and is never quoted; counts the rows by outcome."""
    times = [published_at_us] * len(rows)
    messages, letters, counts = decode_chunk(
        PayloadChunk(encoding, rows, times, "f"), limits, PSEUDONYMS
    )
    again = decode_chunk(PayloadChunk(encoding, rows[::-1], times, "f"), limits, PSEUDONYMS)
    assert again == (messages[::-1], letters[::-1], counts)
    for said in messages:
        check_message(said, limits, published_at_us)
    for letter in letters:
        assert (letter.stage, letter.source) == ("decode", "f")
        assert letter.event is None or _EVENT.fullmatch(letter.event)
        assert letter.conversation is None or _HASH.fullmatch(letter.conversation)
        for at_us in (letter.sent_at_us, letter.published_at_us):
            assert at_us is None or (type(at_us) is int and -(2**63) <= at_us < 2**63)
        assert _HASH.fullmatch(letter.payload_hash)
    assert not betrays_canary(letters, counts)
    refused = Counter(str(Reason(letter.reason)) for letter in letters)
    turns = counts["system_turn", ""]
    assert len(messages) + len(letters) + turns == counts["read", ""] == len(rows)
    late = refused[Reason.LATE]
    accounts = {("dead_letter", reason): n for reason, n in refused.items() if reason != "late"}
    others = Counter({each: n for each, n in counts.items() if each[0] == "other_value"})
    assert sum(said.attributes.count("other") for said in messages) >= others.total()
    assert +counts == others + Counter(
        {("read", ""): len(rows), ("late", ""): late, ("system_turn", ""): turns, **accounts}
    )
    return +Counter({**refused, "message": len(messages), "system_turn": turns})


def check_mutants(encoding: Encoding, rows: Iterator[Any]) -> Counter[str]:
    """Checks chunks of rows, every other chunk with publish times; counts the rows by outcome."""
    outcomes: Counter[str] = Counter()
    published_at_us: int | None = MONDAY_US
    while chunk := list(islice(rows, _ROWS_A_CHUNK)):
        outcomes += check_chunk(encoding, chunk, published_at_us, HOSTILE_LIMITS)
        published_at_us = None if published_at_us else MONDAY_US
    return outcomes


@pytest.mark.parametrize("show", [str, ascii, str.upper, str.encode, _as_surrogates])
def test_every_rare_word_of_the_canary_is_found(show: Callable[[str], object]) -> None:
    """The search finds each rare word of the canary in every form that may appear in a log."""
    assert all(betrays_canary(show(word)) for word in CANARY.split()[:5])
    assert not betrays_canary("e-2:x/y", MONDAY_US, *Reason, None)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("encoding", _REACHED)
@pytest.mark.usefixtures("betrayals")
def test_mutants_are_read_or_refused(encoding: Encoding, seed: int) -> None:
    """Each mutated event is read, or is refused for a reason and not quoted."""
    outcomes = check_mutants(encoding, mutants(encoding, seed, MUTANTS_A_SEED))
    assert outcomes.total() == MUTANTS_A_SEED
    assert outcomes.keys() == _REACHED[encoding] | {"message", "system_turn"}
    assert outcomes["message"] > MUTANTS_A_SEED / 6


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.usefixtures("betrayals")
def test_mutants_under_any_content_type_are_read_or_refused(seed: int) -> None:
    """Under a wrong or unknown content type too, a mutant is read, or is refused and not quoted."""
    rng = random.Random(seed)
    rows: defaultdict[Encoding, list[Any]] = defaultdict(list)
    for encoding in (Encoding.PROTOBUF, Encoding.JSON):
        for row in mutants(encoding, seed + len(SEEDS), MUTANTS_A_SEED // 2):
            rows[encoding_of(rng.choice(_CONTENT_TYPES))].append(row)
    checked = [check_mutants(claimed, iter(claimants)) for claimed, claimants in rows.items()]
    outcomes = sum(checked, Counter[str]())
    assert outcomes.total() == MUTANTS_A_SEED
    assert outcomes.keys() == _POSSIBLE | {"message", "system_turn"}
    assert outcomes["message"] > MUTANTS_A_SEED / 30


_JSON_MONSTERS: Final[dict[str, tuple[Callable[[], bytes], Reason]]] = {
    "closed brackets": (lambda: b"[" * 100_000 + b"]" * 100_000, Reason.UNDECODABLE),
    "open brackets": (lambda: b"[" * 3_000_000, Reason.UNDECODABLE),
    "braces": (lambda: b'{"":' * 100_000 + b"1" + b"}" * 100_000, Reason.UNDECODABLE),
    "array": (lambda: b"[" + b"1," * 1_000_000 + b"1]", Reason.INVALID_ROLE),
    "digits": (lambda: b"9" * 1_000_000, Reason.INVALID_ROLE),
    "escapes": (lambda: b'"' + b"\\u10d0" * 500_000 + b'"', Reason.INVALID_ROLE),
    "blanks": (lambda: b" " * 3_000_000 + b"1", Reason.INVALID_ROLE),
    "NULs": (lambda: b"\x00" * 3_000_000, Reason.UNDECODABLE),
    "no UTF-8": (lambda: b'1,"text":"' + b"\xff" * 3_000_000 + b'"', Reason.INVALID_UTF8),
    "whole": (lambda: b'"' + b"x" * 4_000_000 + b'"', Reason.OVERSIZE),
    "time": (lambda: b'1,"sent_at_us":' + b"9" * 1_000_000, Reason.UNDECODABLE),
    "short time": (lambda: b'1,"sent_at_us":' + b"9" * 4_300, Reason.SENT_AT_OUT_OF_RANGE),
    "exponent": (lambda: b'1,"sent_at_us":1e' + b"9" * 1_000_000, Reason.UNDECODABLE),
    "instant": (lambda: b'1,"sent_at":"' + b"2" * 1_000_000 + b'"', Reason.UNDECODABLE),
    "repeated keys": (lambda: b"1" + b',"text":"a"' * 300_000, Reason.INVALID_ROLE),
    "key": (lambda: b'1,"' + b"k" * 1_000_000 + b'":1', Reason.INVALID_ROLE),
    "id": (lambda: b'1,"event_id":"' + b"x" * 1_000_000 + b'"', Reason.INVALID_ID),
}
"""Values of an unknown member in an event without a valid role; some add more members."""

_PROTOBUF_MONSTERS: Final[dict[str, tuple[Callable[[], bytes], Reason]]] = {
    "groups": (lambda: tag(15, 3) * 1_000_000 + tag(15, 4) * 1_000_000, Reason.UNDECODABLE),
    "open groups": (lambda: tag(15, 3) * 1_000_000, Reason.UNDECODABLE),
    "unknown fields": (lambda: (tag(15, 2) + sized(b"")) * 1_000_000, Reason.INVALID_ROLE),
    "repeated text": (lambda: (tag(5, 2) + sized(b"a")) * 1_000_000, Reason.INVALID_ROLE),
    "varint": (lambda: tag(6, 0) + b"\xff" * 1_000_000, Reason.UNDECODABLE),
    "two gigabytes": (lambda: tag(5, 2) + varint(2**31 - 1), Reason.UNDECODABLE),
    "eight exabytes": (lambda: tag(5, 2) + varint(2**63 - 1), Reason.UNDECODABLE),
    "id": (lambda: tag(1, 2) + sized(b"x" * 1_000_000), Reason.INVALID_ID),
    "whole": (lambda: tag(15, 2) + sized(b"x" * 4_000_000), Reason.OVERSIZE),
}
"""Bytes that are appended to an event without a valid role, and the reason for refusing it."""

_AVRO_MONSTERS: Final = {
    "event_id": Reason.INVALID_ID,
    "conversation_id": Reason.INVALID_ID,
    "user_id": Reason.INVALID_ID,
    "role": Reason.INVALID_ROLE,
    "text": Reason.OVERSIZE,
}
"""Fields of an archive row that are made megabytes long, and the reasons for refusing the row."""


def check_monster(encoding: Encoding, row: Any, reason: Reason) -> None:
    """Asserts that a row is refused for the given reason under the limits of a real job."""
    limits = Limits(allowed_lateness_us=LATENESS_US)
    assert check_chunk(encoding, [row], MONDAY_US, limits) == {reason: 1}


@pytest.mark.parametrize("name", _JSON_MONSTERS)
@pytest.mark.usefixtures("betrayals")
def test_monsters_of_json_are_refused(name: str) -> None:
    """Megabytes of one element, or 100,000 levels of nesting, become an ordinary dead letter."""
    value, reason = _JSON_MONSTERS[name]
    event = json_event(text=CANARY, role="robot")
    check_monster(Encoding.JSON, event[:-1] + b',"x":' + value() + b"}", reason)


@pytest.mark.parametrize("name", _PROTOBUF_MONSTERS)
@pytest.mark.usefixtures("betrayals")
def test_monsters_of_protobuf_are_refused(name: str) -> None:
    """Endless groups, fields or varints, and lengths of exabytes, become ordinary dead letters."""
    more, reason = _PROTOBUF_MONSTERS[name]
    event = encoded(Encoding.PROTOBUF, text=CANARY, role=None)
    check_monster(Encoding.PROTOBUF, event + more(), reason)


@pytest.mark.parametrize("name", _AVRO_MONSTERS)
@pytest.mark.usefixtures("betrayals")
def test_monsters_of_avro_are_refused(name: str) -> None:
    """An archive row with a field of several megabytes becomes an ordinary dead letter."""
    row = avro_event(**{"text": CANARY, name: CANARY * 60_000})
    check_monster(Encoding.AVRO, row, _AVRO_MONSTERS[name])


@pytest.mark.parametrize("name", ATTRIBUTES)
@pytest.mark.usefixtures("betrayals")
def test_monsters_of_breakdowns_are_other(name: str) -> None:
    """A value of several megabytes in a breakdown becomes `other`, and the message still counts."""
    row = avro_event(**{"text": CANARY, name: CANARY * 60_000})
    assert check_chunk(Encoding.AVRO, [row], MONDAY_US, HOSTILE_LIMITS) == {"message": 1}


@pytest.mark.parametrize("name", ["mood", "message_index"])
@pytest.mark.usefixtures("betrayals")
def test_a_field_of_avro_that_is_not_read_may_have_any_value(name: str) -> None:
    """The hash of a refused row leaves out fields that are not read, however deeply nested."""
    row = avro_event(text=CANARY, role="robot")
    check_monster(Encoding.AVRO, {**row, name: nested_list(100_000)}, Reason.INVALID_ROLE)

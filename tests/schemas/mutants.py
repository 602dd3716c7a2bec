"""Generates mutants from a seed: valid events with hostile changes, in every encoding.

A mutant may have hostile values in some fields. Some of its parts may be doubled, dropped, shuffled
or inserted, and some of its bytes may be damaged. Each mutant contains `CANARY`.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Any, Final

from schemas.breakdowns import ATTRIBUTES
from schemas.conversation_event_pb2 import ConversationEvent
from schemas.records import Encoding
from schemas.wire.validate import Limits
from tests.builders import MONDAY_US
from tests.schemas.payloads import LATENESS_US

HOSTILE_LIMITS: Final = Limits(allowed_lateness_us=LATENESS_US, max_event_bytes=8_000)

CANARY: Final = "ღამით zymurgists სიზმარში sousaphones ჩუმად my husband must never know"
"""A sentence of words found nowhere else. An id can't have a letter of the Georgian words.

The Latin words are longer than any piece that `_damage` copies, so none can become an id.
"""

_FRAGMENT: Final = re.compile(
    r"[\u10a0-\u10ff\u1c90-\u1cbf]|\\u10|\\udce1|\\xe1|\\341|zymurg|sousaph|husband", re.IGNORECASE
)

_EARLIEST_US: Final = 946_684_800_000_000
_LATEST_US: Final = 4_102_444_800_000_000
_FUTURE_US: Final = HOSTILE_LIMITS.max_future_us

_AT_THE_LIMITS: Final = (
    MONDAY_US + _FUTURE_US, MONDAY_US + _FUTURE_US + 1,
    MONDAY_US - LATENESS_US, MONDAY_US - LATENESS_US - 1,
)  # fmt: skip
_INTEGERS: Final = (
    -(2**63), -(2**31), -1, 0, 1, 2, 2**31 - 1, 2**31, 2**53 + 1, 2**63 - 1, _EARLIEST_US - 1,
    _EARLIEST_US, _LATEST_US - 1, _LATEST_US, MONDAY_US, *_AT_THE_LIMITS * 3,
)  # fmt: skip
_STRINGS: Final = (
    "", " ", CANARY, "x" * 256, "x" * 257, "é" * 128, "é" * 129, "日" * 86, "\U0001f600" * 65,
    "\x00", "a\nb", "a\u202eb", "\ufeff", "İ" * 64, "\ufb03" * 64, "all", "Not_Published", "all-US",
    " unknown ", "a b c d", "a b c d e", "en_US", "-", "jane@example.org", "日" * 9_000,
)  # fmt: skip
_INSTANTS: Final = (
    "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "0000-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999-23:59", "9999-12-31T23:59:59.9999999Z", "10000-01-01T00:00:00Z",
    "2016-12-31T23:59:60Z", "2025-06-02T00:00:00Z", "2025-06-02T00:00:00", "2025-06-02t00:00:00z",
    "2025-06-02T24:00:00Z", "2025-06-02T00:00:00+24:00", "2025-06-02T00:00:00-00:00",
    "2025-02-29T00:00:00Z", "2025-06-02", "2025-06-02T00:00:00.1234567890123Z", "1969-12-31", "",
    CANARY,
)  # fmt: skip

_TEXT_FIELDS: Final = ("event_id", "conversation_id", "user_id", *ATTRIBUTES)
_VALUES: Final[dict[str, Sequence[Any]]] = {
    **dict.fromkeys(_TEXT_FIELDS, (None, *_STRINGS)),
    "text": (None, "", "\x00", "x" * 7_000, "x" * 8_001, "日" * 2_667, CANARY * 200),
    "role": (None, "SYSTEM", "human", "robot", "", CANARY),
    "sent_at_us": (None, *_INTEGERS),
    "schema_version": (-(2**31), -1, 0, 2, 2**31 - 1),
    "message_index": (None, -(2**31), 2**31 - 1),
}
_PUBLISHED: Final = {"published_at_us": _VALUES["sent_at_us"]}
_VALUES_OF: Final[Mapping[Encoding, Mapping[str, Sequence[Any]]]] = {
    Encoding.PROTOBUF: _VALUES,
    Encoding.AVRO: _VALUES | _PUBLISHED,
    Encoding.JSON: _VALUES | _PUBLISHED | dict.fromkeys(("sent_at", "published_at"), _INSTANTS),
}
"""Hostile values of each field, all allowed by the field's type; None leaves the field out."""


def betrays_canary(*things: object) -> bool:
    """Returns whether the string or the repr of any argument contains a piece of `CANARY`."""
    return any(_FRAGMENT.search(f"{thing} {thing!r}") for thing in things)


def mutants(encoding: Encoding, seed: int, count: int) -> Iterator[Any]:
    """Yields `count` mutants. For bytes, the first mutants are one event, cut at each byte."""
    rng = random.Random(f"{encoding} {seed}")
    left = count
    if encoding != Encoding.AVRO:
        whole = _MUTATE[encoding](rng, _fields(rng, encoding, 0), "")[:count]
        yield from (whole[:size] for size in range(len(whole)))
        left -= len(whole)
    for _ in range(left):
        steps = "".join(rng.choices("ffsb", k=rng.choice((1, 1, 2, 3))))
        yield _MUTATE[encoding](rng, _fields(rng, encoding, steps.count("f")), steps)


def varint(value: int) -> bytes:
    """Encodes a number of any size as a varint."""
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def tag(number: int, wire_type: int) -> bytes:
    """Encodes the tag of a protobuf field, even if such a field cannot exist."""
    return varint(number << 3 | wire_type)


def sized(value: bytes) -> bytes:
    """Encodes bytes as their length, followed by the bytes themselves."""
    return varint(len(value)) + value


def nested_list(depth: int) -> list[Any]:
    """Returns the canary in a list that is nested `depth` deep."""
    inside: list[Any] = [CANARY]
    for _ in range(depth):
        inside = [inside]
    return inside


def _fields(rng: random.Random, encoding: Encoding, hostile: int) -> dict[str, Any]:
    """Returns the fields of a valid event, with `hostile` fields given hostile values."""
    fields = {
        "event_id": rng.choice(("e1", "e-2:x/y", CANARY)),
        "conversation_id": f"c{rng.randrange(9)}",
        "user_id": rng.choice(("ada", CANARY)),
        "role": rng.choice(("HUMAN", "HUMAN", "ASSISTANT", "SYSTEM")),
        "text": CANARY,
        "sent_at_us": MONDAY_US,
        "platform": "web",
        "country": rng.choice((None, "de")),
        "language": rng.choice(("pt-BR", "ka")),
        "schema_version": 1,
    }
    values = _VALUES_OF[encoding]
    for name in rng.choices([*values], k=hostile):
        fields[name] = rng.choice(values[name])
        if name in ("sent_at", "published_at"):  # Otherwise the field in microseconds would count.
            fields.pop(f"{name}_us", None)
    return fields


def _rearrange(rng: random.Random, parts: list[bytes], odd: bytes) -> None:
    """Doubles or drops a part, shuffles all parts, or, twice as likely, inserts `odd`."""
    at = rng.randrange(len(parts))
    match rng.randrange(5):
        case 0:
            parts.insert(rng.randrange(len(parts)), parts[at])
        case 1:
            del parts[at]
        case 2:
            rng.shuffle(parts)
        case _:
            parts.insert(at, odd)


def _damage(rng: random.Random, valid: bytes) -> bytes:
    """Flips a bit, inserts or copies at most six bytes, removes bytes, or cuts off the end."""
    payload = bytearray(valid)
    at = rng.randrange(len(payload) + 1)
    match rng.randrange(6):
        case 0:
            payload[at:at] = rng.randbytes(rng.randint(1, 6))
        case 1:
            start = rng.randrange(len(payload) + 1)
            payload[at:at] = payload[start : start + rng.randint(1, 6)]
        case 2:
            del payload[at : at + rng.randint(1, 20)]
        case 3:
            del payload[at:]
        case _ if at < len(payload):
            payload[at] ^= 1 << rng.randrange(8)
    return bytes(payload)


# Protobuf: the parts of an event are its fields.

_NUMBERS: Final = (*range(1, 16), 0, 2**29 - 1, 2**29, 2**40)
"""Field numbers of the contract, and unused, reserved and impossible ones."""

_ODD_FIELDS: Final[tuple[Callable[[random.Random, int], bytes], ...]] = (
    lambda rng, n: tag(n, 0) + varint(rng.choice(_INTEGERS) % 2**64),
    lambda rng, n: tag(n, 0) + varint(1 << rng.randrange(28, 80)),
    lambda rng, n: tag(n, 0) + b"\xff" * rng.randint(8, 12) + b"\x01",
    lambda rng, n: tag(n, 0) + b"\x80" * rng.randint(1, 12) + b"\x00",
    lambda _, n: tag(n, 1) + CANARY.encode()[:8],
    lambda _, n: tag(n, 5) + CANARY.encode()[:4],
    lambda rng, n: tag(n, rng.choice((6, 7))) + CANARY.encode(),
    lambda _, n: tag(n, 2) + sized(CANARY.encode()),
    lambda rng, n: tag(n, 2) + sized(rng.choice((b"\xff", b"\xed\xa0\x80", b"\xc0\x80", b"\0"))),
    lambda rng, n: tag(n, 2) + varint(1 << rng.randrange(7, 70)) + CANARY.encode(),
    lambda rng, n: _groups(n, rng.choice((1, 2, 50, 99, 100, 101, 2_000)), rng.choice((0, 0, -1))),
    lambda _, n: tag(n, 4),
    lambda rng, n: _nested(n, rng.randint(1, 200)),
    lambda rng, _: b"\xff" * rng.randint(1, 12),
)


def _groups(number: int, depth: int, unclosed: int) -> bytes:
    inside = tag(1, 2) + sized(CANARY.encode())
    return tag(number, 3) * depth + inside + tag(number, 4) * (depth + unclosed)


def _nested(number: int, depth: int) -> bytes:
    inside = CANARY.encode()
    for _ in range(depth):
        inside = tag(number, 2) + sized(inside)
    return inside


@cache
def _protobuf_field(name: str, value: str | int) -> bytes:
    number = ConversationEvent.DESCRIPTOR.fields_by_name[name].number
    if name == "role":
        known = ConversationEvent.Role.items()
        return tag(number, 0) + varint(dict(known).get(str(value), 7))
    if isinstance(value, str):
        return tag(number, 2) + sized(value.encode())
    return tag(number, 0) + varint(value % 2**64)


def _protobuf(rng: random.Random, fields: Mapping[str, Any], steps: str) -> bytes:
    parts = [_protobuf_field(name, v) for name, v in fields.items() if v is not None]
    for _ in range(steps.count("s")):
        _rearrange(rng, parts, rng.choice(_ODD_FIELDS)(rng, rng.choice(_NUMBERS)))
    return _damaged(rng, b"".join(parts), steps)


# JSON: the parts of an event are its members.

_ODD_KEYS: Final = (*_VALUES_OF[Encoding.JSON], "mood", CANARY, "", "__proto__", "k" * 5_000)
_ODD_VALUES: Final = (
    b"1e400", b"-1e400", b"1e-400", b"%d" % 2**70, b"-%d" % 2**70, b"-0", b"-0.0", b"1.0", b"1.5",
    b"1e3", b"01", b"+1", b".5", b"0x10", b"1_0", b"9" * 400, b"9" * 5_000, b"0." + b"9" * 400,
    b"NaN", b"Infinity", b"-Infinity", b"nan", b"null", b"true", b"nul", b"", b"[]", b"{}", b"''",
    b'"\\ud800"', b'"\\udc00\\ud800"', b'"\\ud83d\\ude00"', b'"\\u0000"', b'"\\x"', b'"\\u12"',
    b'"\xed\xa0\x80"', b'"\xff"', b'"\xc0\x80"', b'"\x00"', b'"\n"', b'"\xf4\x90\x80\x80"',
    json.dumps([CANARY]).encode(), json.dumps({CANARY: 1}, ensure_ascii=False).encode(),
)  # fmt: skip
_WRAPPERS: Final[tuple[Callable[[bytes], bytes], ...]] = (
    lambda row: b"\xef\xbb\xbf" + row,
    lambda row: b"[" + row + b"]",
    lambda row: row + b"\n" + row,
    lambda row: row + b"\x00",
    lambda row: b"\x00" + row,
    lambda row: b" \t\r\n" * 99 + row + b" \t\r\n" * 99,
    lambda row: b"/* x */" + row,
    lambda row: row[:-1] + b",}",
    lambda row: row.replace(b'"', b"'"),
    lambda row: json.dumps(row.decode()).encode(),
    lambda row: row.decode().encode("utf-16"),
)


def _json_member(rng: random.Random) -> bytes:
    key = json.dumps(rng.choice(_ODD_KEYS), ensure_ascii=rng.random() < 0.5).encode()
    if rng.random() < 0.8:
        return key + b":" + rng.choice(_ODD_VALUES)
    depth = rng.choice((1, 10, 500, 900, 1_100, 1_500))
    left, right = rng.choice(((b"[", b"]"), (b'{"":', b"}")))
    return key + b":" + left * depth + b"1" + right * (depth - (rng.random() < 0.2))


@cache
def _json_field(name: str, value: str | int, ensure_ascii: bool) -> bytes:
    return json.dumps({name: value}, ensure_ascii=ensure_ascii).encode()[1:-1]


def _json(rng: random.Random, fields: Mapping[str, Any], steps: str) -> bytes:
    is_ascii = rng.random() < 0.5
    parts = [_json_field(name, v, is_ascii) for name, v in fields.items() if v is not None]
    wrap = None
    for _ in range(steps.count("s")):
        if rng.random() < 0.3:
            wrap = rng.choice(_WRAPPERS)
        else:
            _rearrange(rng, parts, _json_member(rng))
    row = b"{" + rng.choice((b",", b" ,\n ")).join(parts) + b"}"
    if wrap is not None and row.isascii():
        row = wrap(row)
    return _damaged(rng, row, steps)


# Avro: a row is the dict that fastavro reads, with every field that an archive's schema may have.

_EXTRA: Final[tuple[Any, ...]] = (
    CANARY, {CANARY: [CANARY]}, CANARY.encode(), float("nan"), nested_list(5_000), Decimal("NaN"),
    datetime(9999, 12, 31, tzinfo=UTC), True, "\udcff", {"\udcff": {}}, 2**63 - 1, (),
)  # fmt: skip


def _avro(rng: random.Random, fields: Mapping[str, Any], steps: str) -> dict[str, Any]:
    row: dict[str, Any] = {**dict.fromkeys(_VALUES_OF[Encoding.AVRO]), **fields}
    for _ in range(steps.count("s")):
        match rng.randrange(3):
            case 0:
                row.pop(rng.choice([*row]))
            case 1:
                row = dict(reversed(row.items()))
            case _:
                row[rng.choice(("mood", "message_index", CANARY))] = rng.choice(_EXTRA)
    for _ in range(steps.count("b")):
        # Bytes that are not UTF-8 arrive as lone surrogates; see `AvroSource`.
        names = [name for name in (*_TEXT_FIELDS, "role", "text") if row.get(name)]
        for name in rng.sample(names, 1):
            row[name] = _damage(rng, row[name].encode("utf-8", "surrogateescape")).decode(
                "utf-8", "surrogateescape"
            )
    return row


def _damaged(rng: random.Random, row: bytes, steps: str) -> bytes:
    for _ in range(steps.count("b")):
        row = _damage(rng, row)
    return row


_MUTATE: Final[Mapping[Encoding, Callable[[random.Random, Mapping[str, Any], str], Any]]] = {
    Encoding.PROTOBUF: _protobuf,
    Encoding.JSON: _json,
    Encoding.AVRO: _avro,
}

"""Builds payloads in every encoding, builds archive files, and damages both."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import fastavro
from fastavro.write import Writer
from hypothesis import strategies as st

from schemas.conversation_event_pb2 import ConversationEvent
from schemas.records import Encoding
from schemas.wire.avro import avro_schema
from schemas.wire.validate import Limits
from tests.builders import HOUR_US, MONDAY_US, avro_event

LATENESS_US: Final = 48 * HOUR_US
LIMITS: Final = Limits(allowed_lateness_us=LATENESS_US, max_event_bytes=2_000)
WIRE_ENCODINGS: Final = (Encoding.PROTOBUF, Encoding.JSON, Encoding.AVRO)

SECRET: Final = "çaçaça my husband must not know çaçaça"
"""A text that is easy to find: no id can contain two adjacent letters of the text's first word."""

_CANARIES: Final = ("ça", "aç", "husband must", "\\xe7a", "\\xc3\\xa7", "\\u00e7")

ENVELOPE_SCHEMA: Final[Mapping[str, Any]] = {
    "type": "record",
    "name": "PubsubMessage",
    "fields": [
        {"name": "subscription_name", "type": "string"},
        {"name": "message_id", "type": "string"},
        {"name": "publish_time", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "attributes", "type": {"type": "map", "values": "string"}},
        {"name": "data", "type": "bytes"},
    ],
}
"""The schema of Avro files that a Pub/Sub subscription to Cloud Storage writes with metadata."""


def betrays_secret(*things: object) -> bool:
    """Returns whether the string or the repr of any argument contains a piece of `SECRET`."""
    shown = "".join(f"{thing} {thing!r}" for thing in things)
    return any(canary in shown for canary in _CANARIES)


def chain_of(error: BaseException | None) -> list[object]:
    """Returns an exception and its causes, with all their arguments and attributes."""
    shown: list[object] = []
    while error is not None:
        shown += [error, error.args, vars(error)]
        error = error.__cause__ or error.__context__
    return shown


def encoded(encoding: Encoding, **fields: Any) -> Any:
    """Builds a row in the given encoding from `avro_event` fields; None leaves a field out."""
    event = avro_event(**fields)
    if encoding == Encoding.AVRO:
        return event
    said = {name: value for name, value in event.items() if value is not None}
    if encoding == Encoding.PROTOBUF:
        said.pop("published_at_us", None)
        return ConversationEvent(**said).SerializeToString()
    return json.dumps(said, ensure_ascii=False).encode()


def json_event(**fields: Any) -> bytes:
    """Builds a JSON event whose fields may have any name and type; None leaves a field out."""
    event = {**avro_event(), **fields}
    return json.dumps({k: v for k, v in event.items() if v is not None}).encode()


def schema_with(**types: Any) -> dict[str, Any]:
    """Returns the archive schema with some types replaced; None leaves a field out."""
    schema = copy.deepcopy(avro_schema())
    for field in schema["fields"]:
        if field["name"] in types:
            field["type"] = types[field["name"]]
            field.pop("default", None)
    schema["fields"] = [f for f in schema["fields"] if f["type"] is not None]
    return schema


def write_avro(
    path: Path,
    rows: Iterable[Any],
    schema: Any = None,
    *,
    rows_a_block: int = 1_000_000,
    codec: str = "null",
) -> Path:
    """Writes an Avro file with `rows_a_block` rows per block and always the same sync marker."""
    with path.open("wb") as file:
        writer = Writer(
            file,
            fastavro.parse_schema(avro_schema() if schema is None else schema),
            codec=codec,
            sync_interval=1 << 40,
            sync_marker=random.Random(5).randbytes(16),
        )
        for index, row in enumerate(rows):
            if index and index % rows_a_block == 0:
                writer.flush()
            writer.write(row)
        writer.flush()
    return path


def envelope(
    data: bytes, content_type: str | None = None, published_at_us: int = MONDAY_US
) -> dict[str, Any]:
    """Builds a Pub/Sub message in the form in which it is archived."""
    return {
        "subscription_name": "projects/p/subscriptions/s",
        "message_id": "1",
        "publish_time": published_at_us,
        "attributes": {} if content_type is None else {"content-type": content_type},
        "data": data,
    }


@st.composite
def damaged(draw: st.DrawFn, valid: bytes, first: int = 0) -> bytes:
    """Draws damaged data: bits flipped, or bytes inserted, removed or cut off, from `first` on."""
    payload = bytearray(valid)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(first, max(first, len(payload) - 1)))
        match draw(st.sampled_from(["flip", "flip", "flip", "put", "copy", "cut", "truncate"])):
            case "flip" if at < len(payload):
                payload[at] ^= 1 << draw(st.integers(0, 7))
            case "put":
                payload[at:at] = draw(st.binary(min_size=1, max_size=6))
            case "copy":
                start = draw(st.integers(0, len(payload)))
                payload[at:at] = payload[start : start + draw(st.integers(1, 40))]
            case "cut":
                del payload[at : at + draw(st.integers(1, 20))]
            case _:
                del payload[at:]
    return bytes(payload)


def event_ids(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Returns the event ids of archive rows, sorted."""
    return sorted(row["event_id"] for row in rows)

"""Avro archives of Pub/Sub messages: payloads keep their encoding and publish time."""

from __future__ import annotations

import copy
import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from schemas.failures import InputError
from schemas.records import Encoding, PayloadChunk
from tests.builders import MONDAY_US
from tests.pipelines.sources.reading import LINE, read_avro
from tests.schemas.payloads import ENVELOPE_SCHEMA, LATENESS_US, encoded, envelope, write_avro


def test_an_envelope_is_opened_by_its_content_type(tmp_path: Path) -> None:
    """Payloads from an archive of Pub/Sub messages have their encoding and publish time."""
    protobuf, late = encoded(Encoding.PROTOBUF), MONDAY_US + LATENESS_US + 1
    rows = [
        envelope(LINE, "application/json", MONDAY_US + 1),
        envelope(protobuf, None, MONDAY_US + 2),
        envelope(b"<x/>", "text/xml"),
        envelope(protobuf, "application/protobuf", late),
    ]
    chunks = read_avro(write_avro(tmp_path / "a.avro", rows, ENVELOPE_SCHEMA))
    assert sorted(chunks, key=lambda c: c.encoding) == [
        PayloadChunk(Encoding.JSON, [LINE], [MONDAY_US + 1], "a.avro"),
        PayloadChunk(Encoding.PROTOBUF, [protobuf] * 2, [MONDAY_US + 2, late], "a.avro"),
        PayloadChunk(Encoding.UNKNOWN, [b"<x/>"], [MONDAY_US], "a.avro"),
    ]


@pytest.mark.parametrize("year", [2001, 2025, 2039, 2040, 2069, 2099])
def test_publish_times_are_exact(year: int, tmp_path: Path) -> None:
    """Publish times of any year are exact to the microsecond, as the lateness limit requires."""
    start_us = int(dt.datetime(year, 6, 1, tzinfo=dt.UTC).timestamp()) * 1_000_000
    times = [start_us + offset * 7_919 + offset for offset in range(300)]
    rows = [envelope(b"", None, each) for each in times]
    chunks = read_avro(write_avro(tmp_path / "a.avro", rows, ENVELOPE_SCHEMA))
    assert chunks[0].published_at_us == times


def _envelope_schema(field: str, type_: Any) -> dict[str, Any]:
    schema: dict[str, Any] = copy.deepcopy(dict(ENVELOPE_SCHEMA))
    schema["fields"] = [f for f in schema["fields"] if f["name"] != field]
    return {**schema, "fields": [*schema["fields"], {"name": field, "type": type_}]}


def test_a_publish_time_that_is_a_plain_number_is_refused_or_read(tmp_path: Path) -> None:
    """A publish time without its logical type is read or refused, and causes no crash."""
    schema = _envelope_schema("publish_time", "long")
    path = write_avro(tmp_path / "a.avro", [envelope(LINE, "application/json")], schema)
    try:
        assert read_avro(path)[0].published_at_us == [MONDAY_US]
    except InputError:
        return


def test_a_publish_time_outside_the_calendar_is_an_input_error(tmp_path: Path) -> None:
    """A file with a publish time in the year 292,277 is refused as damaged."""
    path = write_avro(tmp_path / "a.avro", [envelope(LINE, None, 2**63 - 1)], ENVELOPE_SCHEMA)
    with pytest.raises(InputError):
        read_avro(path)


def test_an_envelope_without_attributes_holds_protobuf(tmp_path: Path) -> None:
    """If an archive's attributes are null or missing, its payloads have the default encoding."""
    row = {**envelope(b"x"), "attributes": None}
    schema = _envelope_schema("attributes", ["null", {"type": "map", "values": "string"}])
    chunks = read_avro(write_avro(tmp_path / "a.avro", [row], schema))
    chunks += read_avro(write_avro(tmp_path / "b.avro", [row], _without_attributes()))
    assert [chunk.encoding for chunk in chunks] == [Encoding.PROTOBUF] * 2


@pytest.mark.parametrize(
    ("type_", "attributes"),
    [
        ({"type": "map", "values": "bytes"}, {"content-type": b"application/json"}),
        ({"type": "map", "values": ["null", "int"]}, {"content-type": 3}),
        ({"type": "array", "items": "string"}, ["content-type"]),
        ("string", "content-type"),
    ],
)
def test_attributes_that_are_not_a_map_of_strings_are_an_input_error(
    type_: Any, attributes: Any, tmp_path: Path
) -> None:
    """If an archive's attributes cannot state a content type, it is refused as not from Pub/Sub."""
    row = {**envelope(LINE), "attributes": attributes}
    path = write_avro(tmp_path / "a.avro", [row], _envelope_schema("attributes", type_))
    with pytest.raises(InputError, match=r"a\.avro has schema"):
        read_avro(path)


@pytest.mark.parametrize(
    "values", ["string", {"type": "string", "avro.java.string": "String"}, ["null", "string"]]
)
def test_attributes_of_any_string_name_the_content_type(values: Any, tmp_path: Path) -> None:
    """Attributes are read whichever of Avro's string types they have."""
    schema = _envelope_schema("attributes", {"type": "map", "values": values})
    path = write_avro(tmp_path / "a.avro", [envelope(LINE, "application/json")], schema)
    assert [chunk.encoding for chunk in read_avro(path)] == [Encoding.JSON]


def _without_attributes() -> dict[str, Any]:
    schema = dict(ENVELOPE_SCHEMA)
    return {**schema, "fields": [f for f in schema["fields"] if f["name"] != "attributes"]}

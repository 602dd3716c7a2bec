"""Avro schemas: events and Pub/Sub messages are read, all other records are refused."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest

from pipelines.sources.files import ReadAvro
from schemas.failures import InputError
from tests.builders import MONDAY_US, PSEUDONYMS, avro_event
from tests.pipelines.sources.bombs import avro_file
from tests.pipelines.sources.reading import LINE, MICROS, events, read_avro, rows_of
from tests.schemas.mutants import varint
from tests.schemas.payloads import LIMITS, SECRET, betrays_secret, chain_of, schema_with, write_avro
from transforms.conversation.messages import decode_chunk


@pytest.mark.parametrize(
    "content",
    [
        b"O", b"Obj\x01", b"hello world\n" * 5, LINE, b"PAR1" * 9, bytes(30), b"\xff" * 20,
        b"Obj\x01" + b"\xff" * 5, b"Obj\x01" + b"\xff" * 40, b"Obj\x01\x00" + b"s" * 16,
        b"Obj\x01\x02\x16avro.schema\x04{}\x00" + b"s" * 16,
        b'Obj\x01\x02\x16avro.schema\x04"x\x00' + b"s" * 16,
        b"Obj\x01\x02\x16avro.schema\x02\xff\x00" + b"s" * 16,
    ],
)  # fmt: skip
def test_a_file_that_is_not_avro_is_an_input_error(content: bytes, tmp_path: Path) -> None:
    """If a file is not Avro, the error names it in one sentence."""
    path = tmp_path / "a.avro"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"^a\.avro is not an Avro file"):
        read_avro(path)


def test_an_empty_file_is_an_input_error(tmp_path: Path) -> None:
    """A file without any bytes is refused; it is not taken for an archive without events."""
    (tmp_path / "a.avro").touch()
    with pytest.raises(InputError):
        ReadAvro(str(tmp_path / "a.avro"))


@pytest.mark.parametrize(
    ("types", "named"),
    [
        ({"text": None}, "text"),
        ({"text": "bytes"}, "text"),
        ({"event_id": "long"}, "event_id"),
        ({"role": {"type": "enum", "name": "Role", "symbols": ["HUMAN"]}}, "role"),
        ({"sent_at_us": "double"}, "sent_at_us"),
        ({"sent_at_us": "string", "conversation_id": None}, "conversation_id, sent_at_us"),
        ({"platform": ["null", "int"]}, "platform"),
        ({"schema_version": "string"}, "schema_version"),
        ({"published_at_us": ["null", "double"]}, "published_at_us"),
    ],
)
def test_a_field_of_the_wrong_type_is_an_input_error(
    types: dict[str, Any], named: str, tmp_path: Path
) -> None:
    """The error names the fields with wrong types, before any rows are read."""
    path = write_avro(tmp_path / "a.avro", [], schema_with(**types))
    path.write_bytes(path.read_bytes() + b"\x02\x02x")
    with pytest.raises(
        InputError, match=f"missing or have the wrong type: {named}; write the archive"
    ):
        read_avro(path)


@pytest.mark.parametrize(
    ("types", "fields"),
    [
        ({"sent_at_us": MICROS}, {"sent_at_us": MONDAY_US}),
        ({"published_at_us": ["null", MICROS]}, {"published_at_us": MONDAY_US}),
        ({"sent_at_us": {"type": "int", "logicalType": "date"}}, {"sent_at_us": dt.date.max}),
        ({"event_id": {"type": "string", "logicalType": "uuid"}}, {"event_id": uuid.UUID(int=1)}),
    ],
    ids=["micros", "published", "date", "uuid"],
)
def test_a_logical_type_is_refused_or_understood(
    types: dict[str, Any], fields: dict[str, Any], tmp_path: Path
) -> None:
    """Values that fastavro converts for a logical type never reach the decoder."""
    path = write_avro(tmp_path / "a.avro", [avro_event(**fields)], schema_with(**types))
    try:
        chunks = read_avro(path)
    except InputError:
        return
    _, _, counts = decode_chunk(chunks[0], LIMITS, PSEUDONYMS)
    assert counts["read", ""] == 1


@pytest.mark.parametrize(
    ("schema", "row"),
    [
        ("string", SECRET),
        ({"type": "array", "items": "string"}, [SECRET]),
        (["null", schema_with()], avro_event(text=SECRET)),
        ({"type": "record", "name": "Other", "fields": []}, {}),
    ],
    ids=["string", "array", "union", "record"],
)
def test_records_of_another_schema_are_an_input_error(
    schema: Any, row: Any, tmp_path: Path
) -> None:
    """A file with other records is refused, and the error quotes nothing."""
    with pytest.raises(InputError, match=r"conversation_event\.avsc") as caught:
        read_avro(write_avro(tmp_path / "a.avro", [row], schema))
    assert not betrays_secret(*chain_of(caught.value))


_NESTED: Final = {"type": "record", "name": "N", "fields": [{"name": "n", "type": ["null", "N"]}]}


@pytest.mark.parametrize(
    ("type_", "extra"),
    [
        (["null", _NESTED], None),
        ({"type": "array", "items": _NESTED}, []),
        ({"type": "map", "values": _NESTED}, {}),
    ],
    ids=["union", "array", "map"],
)
def test_a_recursive_schema_is_an_input_error(type_: Any, extra: Any, tmp_path: Path) -> None:
    """A recursive schema is refused, because its rows may be nested to any depth.

    Some thousand levels crash fastavro.
    """
    schema = schema_with()
    schema["fields"].append({"name": "extra", "type": type_})
    path = write_avro(tmp_path / "a.avro", [{**avro_event(), "extra": extra}], schema)
    with pytest.raises(InputError, match=r"a\.avro has the recursive schema"):
        read_avro(path)


def test_records_used_twice_do_not_contain_themselves(tmp_path: Path) -> None:
    """Two fields that use the same record type are skipped, even if its name is `record`."""
    schema = schema_with()
    point = {"type": "record", "name": "record", "fields": [{"name": "x", "type": "int"}]}
    schema["fields"] += [{"name": "from", "type": point}, {"name": "to", "type": "record"}]
    row = {**avro_event(), "from": {"x": 1}, "to": {"x": 2}}
    path = write_avro(tmp_path / "a.avro", [row, row], schema)
    assert rows_of(read_avro(path)) == [avro_event()] * 2


_LABELS: Final = {
    "type": "array",
    "items": {
        "type": "record",
        "name": "Label",
        "fields": [{"name": n, "type": ["null", "string"]} for n in ("key", "value", "by")],
    },
}


@pytest.mark.parametrize(
    ("type_", "extra"),
    [
        (_LABELS, [{"key": "team", "value": "a", "by": None}] * 3),
        (["null", _LABELS["items"]], {"key": "team", "value": None, "by": None}),
        ({"type": "map", "values": "null"}, {"a": None}),
        ({"type": "enum", "name": "E", "symbols": ["A", "B"]}, "B"),
        ({"type": "bytes", "logicalType": "decimal", "precision": 9}, Decimal(3)),
        ("null", None),
    ],
    ids=["labels", "struct", "map", "enum", "decimal", "null"],
)
def test_a_field_that_is_not_an_events_is_skipped(type_: Any, extra: Any, tmp_path: Path) -> None:
    """Additional columns in a table exported from BigQuery are skipped, and cause no error."""
    schema = schema_with()
    schema["fields"].insert(3, {"name": "extra", "type": type_})
    rows = [{**event, "extra": extra} for event in events(3)]
    assert rows_of(read_avro(write_avro(tmp_path / "a.avro", rows, schema))) == events(3)


def test_a_plain_field_that_is_not_an_events_is_kept(tmp_path: Path) -> None:
    """An additional column of text or numbers is kept, because skipping it would cost more."""
    schema = schema_with()
    schema["fields"].append({"name": "extra", "type": ["null", "long"]})
    rows = [{**event, "extra": 3} for event in events(2)]
    assert rows_of(read_avro(write_avro(tmp_path / "a.avro", rows, schema))) == rows


@pytest.mark.parametrize("field", ["event_id", "conversation_id", "role", "text", "sent_at_us"])
@pytest.mark.parametrize("type_", ["null", ["null"]], ids=["null", "union"])
def test_a_required_field_that_is_only_null_is_refused(
    field: str, type_: Any, tmp_path: Path
) -> None:
    """A field that is always null has no value, so no record of the file can be an event."""
    schema = schema_with(**{field: type_})
    path = write_avro(tmp_path / "a.avro", [{**avro_event(), field: None}], schema)
    with pytest.raises(InputError, match=f"missing or have the wrong type: {field};"):
        read_avro(path)


@pytest.mark.parametrize("name", ["null", "int"])
def test_a_record_named_like_a_simple_type_hides_no_cost(name: str, tmp_path: Path) -> None:
    """The cost of a simple type does not change if a record has the same name."""
    wide = [{"name": f"f{index}", "type": "long"} for index in range(99)]
    schema = schema_with()
    schema["fields"] += [
        {"name": "a", "type": {"type": "record", "name": name, "fields": wide}},
        {"name": "b", "type": {"type": "array", "items": "null"}},
    ]
    with pytest.raises(InputError):
        read_avro(avro_file(tmp_path / "a.avro", schema, 1, b""))


def test_a_schema_nested_thousands_deep_is_an_input_error(tmp_path: Path) -> None:
    """If a schema is nested too deeply for a parser, it is an error and not a crash."""
    schema = b'{"type":"array","items":' * 5_000
    path = tmp_path / "a.avro"
    path.write_bytes(b"Obj\x01\x02\x16avro.schema" + varint(2 * len(schema)) + schema + bytes(17))
    with pytest.raises(InputError, match=r"a\.avro is not an Avro file"):
        read_avro(path)


def test_a_header_that_runs_into_the_events_is_not_quoted(tmp_path: Path) -> None:
    """If a damaged schema includes message text, neither the error nor its cause quotes it."""
    path = write_avro(tmp_path / "a.avro", events(1))
    said = SECRET.encode() + b"\xff"
    archive = path.read_bytes()
    at = archive.index(b"The archive form")
    path.write_bytes(archive[:at] + said + archive[at + len(said) :])
    with pytest.raises(InputError, match=r"a\.avro is not an Avro file") as caught:
        read_avro(path)
    assert not betrays_secret(*chain_of(caught.value))

"""Reading: each record once, however a file is split; damage is an error, never a silent loss."""

from __future__ import annotations

import bz2
import copy
import datetime as dt
import gzip
import logging
import lzma
import re
import traceback
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import apache_beam as beam
import pytest
from apache_beam.io.gcp.pubsub import PubsubMessage
from apache_beam.io.source_test_utils import (
    assert_reentrant_reads_succeed,
    assert_sources_equal_reference_source,
    assert_split_at_fraction_exhaustive,
    read_from_source,
)
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.util import assert_that, equal_to

from pipelines.read import (
    BYTES_A_CHUNK,
    ROWS_A_CHUNK,
    ReadAvro,
    ReadFiles,
    ReadJsonLines,
    _AvroSource,
    _chunks_of,
    _JsonLinesSource,
)
from schemas.failures import InputError
from schemas.records import Encoding, PayloadChunk
from schemas.wire.validate import Limits
from tests.builders import HOUR_US, MONDAY_US, avro_event
from tests.schemas.mutants import varint
from tests.schemas.payloads import (
    ENVELOPE_SCHEMA,
    LATENESS_US,
    LIMITS,
    SECRET,
    betrays_secret,
    chain_of,
    encoded,
    envelope,
    event_ids,
    json_event,
    schema_with,
    write_avro,
)
from transforms.decode import decode_chunk

MICROS: Final = {"type": "long", "logicalType": "timestamp-micros"}
LINE: Final = json_event()


def events(count: int, **fields: Any) -> list[dict[str, Any]]:
    """Builds so many events of the archive, each with an id of its own."""
    return [avro_event(**{"event_id": f"e{i}", **fields}) for i in range(count)]


def read_avro(path: Path | str) -> list[PayloadChunk]:
    """Reads an Avro file from end to end, unsplit."""
    chunks: list[PayloadChunk] = read_from_source(_AvroSource(str(path)), None, None)
    return chunks


def rows_of(chunks: Iterable[PayloadChunk]) -> list[Any]:
    """Returns the rows of chunks in order."""
    return [row for chunk in chunks for row in chunk.rows]


def read_lines(path: Path, content: bytes) -> list[bytes]:
    """Writes a JSON Lines file and returns the rows read from it."""
    path.write_bytes(content)
    return rows_of(read_from_source(_JsonLinesSource(str(path), splittable=False), None, None))


def header_bytes(archive: bytes | bytearray) -> int:
    """Returns where the first block begins: behind the first sync marker."""
    return archive.index(archive[-16:]) + 16


# Avro: whole files.


@pytest.mark.parametrize("codec", ["null", "deflate", "snappy", "bzip2", "xz"])
def test_reads_events_of_every_codec(codec: str, tmp_path: Path) -> None:
    """Each event of an archive is a row, under the file's base name."""
    rows = events(10, text=SECRET)
    path = write_avro(tmp_path / "a.avro", rows, rows_a_block=3, codec=codec)
    assert read_avro(path) == [PayloadChunk(Encoding.AVRO, rows, None, "a.avro")]


def test_an_archive_of_no_events_gives_nothing(tmp_path: Path) -> None:
    """A header without blocks is an empty archive, and no error."""
    assert read_avro(write_avro(tmp_path / "a.avro", [])) == []


def test_an_older_archive_without_optional_fields_is_read(tmp_path: Path) -> None:
    """Only what an event must have is required of a schema."""
    optional = ("user_id", "platform", "plan", "country", "language", "model")
    schema = schema_with(
        **dict.fromkeys((*optional, "message_index", "schema_version", "published_at_us"))
    )
    chunks = read_avro(write_avro(tmp_path / "a.avro", events(2), schema))
    assert [m.event_id for m in decode_chunk(chunks[0], LIMITS)[0]] == ["e0", "e1"]


def test_a_chunk_of_large_messages_stays_in_some_megabytes(tmp_path: Path) -> None:
    """Chunks are bounded in bytes, not in rows alone, or a worker runs out of memory."""
    path = write_avro(
        tmp_path / "a.avro", events(24, text="x" * 1_000_000), rows_a_block=1, codec="deflate"
    )
    chunks = read_avro(path)
    assert len(rows_of(chunks)) == 24
    assert max(sum(len(r["text"]) for r in c.rows) for c in chunks) < 2 * BYTES_A_CHUNK


def test_ten_megabytes_become_a_dead_letter(tmp_path: Path) -> None:
    """One huge message is refused as oversize, and the one behind it is read."""
    path = write_avro(tmp_path / "a.avro", [avro_event(text="x" * 10_000_000), *events(1)])
    limits = Limits(allowed_lateness_us=LATENESS_US)
    decoded = [decode_chunk(chunk, limits) for chunk in read_avro(path)]
    assert [m.event_id for messages, _, _ in decoded for m in messages] == ["e0"]
    assert [d.reason for _, letters, _ in decoded for d in letters] == ["oversize"]


@pytest.mark.parametrize("field", ["event_id", "conversation_id", "user_id", "text", "role"])
def test_bytes_that_are_no_utf8_cost_one_record(field: str, tmp_path: Path) -> None:
    """A string of invalid bytes is a dead letter; its neighbours in the block are read."""
    rows = [avro_event(), avro_event(**{field: "@@@@"}), avro_event()]
    path = write_avro(tmp_path / "a.avro", rows)
    path.write_bytes(path.read_bytes().replace(b"@@@@", b"a\xff\xc3("))
    messages, letters, _ = decode_chunk(read_avro(path)[0], LIMITS)
    assert (len(messages), len(letters)) == (2, 1)


def test_a_breakdown_of_bytes_that_are_no_utf8_is_other(tmp_path: Path) -> None:
    """A breakdown of invalid bytes costs no record: its value becomes `other`."""
    path = write_avro(tmp_path / "a.avro", [avro_event(plan="@@@@")])
    path.write_bytes(path.read_bytes().replace(b"@@@@", b"a\xff\xc3("))
    ((message,), letters, _) = decode_chunk(read_avro(path)[0], LIMITS)
    assert (message.others, letters) == (("plan/invalid",), [])


# Avro: files that are none, or are not ours.


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
def test_what_is_no_avro_file_is_an_input_error(content: bytes, tmp_path: Path) -> None:
    """A file of another kind is named in one sentence."""
    path = tmp_path / "a.avro"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"^a\.avro is no Avro file"):
        read_avro(path)


def test_a_file_of_no_bytes_is_no_avro_file(tmp_path: Path) -> None:
    """An archive that was cut at its first byte is not taken for one without events."""
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
def test_a_field_of_another_type_is_an_input_error(
    types: dict[str, Any], named: str, tmp_path: Path
) -> None:
    """The error names the fields of the schema that are wrong, whatever the file holds."""
    path = write_avro(tmp_path / "a.avro", [], schema_with(**types))
    path.write_bytes(path.read_bytes() + b"\x02\x02x")
    with pytest.raises(InputError, match=f"whose {named} is missing or of another type"):
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
    """A field that fastavro turns into an object of its own never reaches the decoder as one."""
    path = write_avro(tmp_path / "a.avro", [avro_event(**fields)], schema_with(**types))
    try:
        chunks = read_avro(path)
    except InputError:
        return
    _, _, counts = decode_chunk(chunks[0], LIMITS)
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
    """A file of anything but records of events is refused without quoting it."""
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
def test_records_that_may_hold_themselves_are_an_input_error(
    type_: Any, extra: Any, tmp_path: Path
) -> None:
    """Nothing bounds the depth of such rows, and fastavro ends the process at some thousands."""
    schema = schema_with()
    schema["fields"].append({"name": "extra", "type": type_})
    path = write_avro(tmp_path / "a.avro", [{**avro_event(), "extra": extra}], schema)
    with pytest.raises(InputError, match=r"a\.avro holds .* may hold themselves"):
        read_avro(path)


def test_records_used_twice_do_not_hold_themselves(tmp_path: Path) -> None:
    """A record type that two fields share, whatever its name, is read."""
    schema = schema_with()
    point = {"type": "record", "name": "record", "fields": [{"name": "x", "type": "int"}]}
    schema["fields"] += [{"name": "from", "type": point}, {"name": "to", "type": "record"}]
    row = {**avro_event(), "from": {"x": 1}, "to": {"x": 2}}
    assert rows_of(read_avro(write_avro(tmp_path / "a.avro", [row], schema))) == [row]


def test_a_schema_nested_thousands_deep_is_an_input_error(tmp_path: Path) -> None:
    """A schema that no parser takes is no crash."""
    schema = b'{"type":"array","items":' * 5_000
    path = tmp_path / "a.avro"
    path.write_bytes(b"Obj\x01\x02\x16avro.schema" + varint(2 * len(schema)) + schema + bytes(17))
    with pytest.raises(InputError, match=r"a\.avro is no Avro file"):
        read_avro(path)


def test_a_header_that_runs_into_the_events_is_not_quoted(tmp_path: Path) -> None:
    """What a damaged length takes for the schema is not kept in the error, nor in its cause."""
    path = write_avro(tmp_path / "a.avro", events(1))
    said = SECRET.encode() + b"\xff"
    archive = path.read_bytes()
    at = archive.index(b"The archive form")
    path.write_bytes(archive[:at] + said + archive[at + len(said) :])
    with pytest.raises(InputError, match=r"a\.avro is no Avro file") as caught:
        read_avro(path)
    assert not betrays_secret(*chain_of(caught.value))


# Avro: damage.


@pytest.mark.parametrize("codec", ["null", "deflate", "snappy", "bzip2", "xz"])
def test_a_file_cut_anywhere_is_an_input_error(codec: str, tmp_path: Path) -> None:
    """A file cut within a block is refused; one cut between blocks is a shorter, whole file."""
    path = write_avro(tmp_path / "a.avro", events(6, text=SECRET), rows_a_block=2, codec=codec)
    archive = path.read_bytes()
    marker = archive[-16:]
    whole = {i + 16 for i in range(len(archive)) if archive.startswith(marker, i)}
    start = header_bytes(archive)
    for size in [*range(1, start, 37), *range(start - 20, len(archive), 3)]:
        path.write_bytes(archive[:size])
        if size in whole:
            continue
        with pytest.raises(InputError) as caught:
            read_avro(path)
        assert not betrays_secret(*chain_of(caught.value)), size


def test_a_file_cut_between_blocks_is_read_up_to_there(tmp_path: Path) -> None:
    """What Avro can't tell from a whole file, the events before the cut, is read."""
    path = write_avro(tmp_path / "a.avro", events(6), rows_a_block=2)
    archive = path.read_bytes()
    path.write_bytes(archive[: archive.index(archive[-16:], header_bytes(archive)) + 16])
    assert event_ids(rows_of(read_avro(path))) == ["e0", "e1"]


def test_a_file_cut_within_a_blocks_count_is_an_input_error(tmp_path: Path) -> None:
    """A last block of which only the first byte of its two-byte count is left is not forgotten."""
    path = write_avro(tmp_path / "a.avro", events(200))
    archive = path.read_bytes()
    path.write_bytes(archive[: header_bytes(archive) + 1])
    with pytest.raises(InputError):
        read_avro(path)


@pytest.mark.parametrize("count", [0, 1, -3, 4], ids=["none", "fewer", "negative", "more"])
def test_a_block_that_lies_about_its_count_is_an_input_error(count: int, tmp_path: Path) -> None:
    """A damaged count of records loses none of them in silence."""
    path = write_avro(tmp_path / "a.avro", events(3))
    archive = bytearray(path.read_bytes())
    archive[header_bytes(archive)] = ((count << 1) ^ (count >> 63)) & 0xFF
    path.write_bytes(archive)
    with pytest.raises(InputError):
        read_avro(path)


def test_a_huge_length_is_an_input_error(tmp_path: Path) -> None:
    """A block that claims to have petabytes is refused and not allocated."""
    path = write_avro(tmp_path / "a.avro", [])
    path.write_bytes(path.read_bytes() + b"\x02" + b"\xfe" * 7 + b"\x01" + b"x" * 40)
    with pytest.raises(InputError):
        read_avro(path)


def test_damage_names_the_file_the_place_and_the_cure(tmp_path: Path) -> None:
    """The error says which file is damaged, where, and what to do."""
    path = write_avro(tmp_path / "a.avro", events(4, text=SECRET), rows_a_block=2)
    archive = path.read_bytes()
    path.write_bytes(archive[:-20])
    second = archive.index(archive[-16:], header_bytes(archive)) + 16
    with pytest.raises(InputError, match=rf"a\.avro is .* at byte {second}; restore the file"):
        read_avro(path)


# Avro: archives of Pub/Sub messages.


def test_an_envelope_is_opened_by_its_content_type(tmp_path: Path) -> None:
    """The payloads of an archive of Pub/Sub messages come with their encoding and publish time."""
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
    """A publish time keeps its microsecond in any year, as the bound of lateness needs."""
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
    """An envelope whose publish time has lost its logical type is no crash."""
    schema = _envelope_schema("publish_time", "long")
    path = write_avro(tmp_path / "a.avro", [envelope(LINE, "application/json")], schema)
    try:
        assert read_avro(path)[0].published_at_us == [MONDAY_US]
    except InputError:
        return


def test_a_publish_time_outside_the_calendar_is_an_input_error(tmp_path: Path) -> None:
    """No Pub/Sub wrote a publish time of the year 292,277: the file is damaged."""
    path = write_avro(tmp_path / "a.avro", [envelope(LINE, None, 2**63 - 1)], ENVELOPE_SCHEMA)
    with pytest.raises(InputError):
        read_avro(path)


def test_an_envelope_without_attributes_holds_protobuf(tmp_path: Path) -> None:
    """An archive whose attributes are null or not there at all is of the default encoding."""
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
def test_attributes_that_are_no_map_of_strings_are_an_input_error(
    type_: Any, attributes: Any, tmp_path: Path
) -> None:
    """An envelope whose attributes can't say a content type is of nobody's making."""
    row = {**envelope(LINE), "attributes": attributes}
    path = write_avro(tmp_path / "a.avro", [row], _envelope_schema("attributes", type_))
    with pytest.raises(InputError, match=r"a\.avro holds records of schema"):
        read_avro(path)


@pytest.mark.parametrize(
    "values", ["string", {"type": "string", "avro.java.string": "String"}, ["null", "string"]]
)
def test_attributes_of_any_string_name_the_content_type(values: Any, tmp_path: Path) -> None:
    """Whoever wrote the envelope, attributes that are strings are read."""
    schema = _envelope_schema("attributes", {"type": "map", "values": values})
    path = write_avro(tmp_path / "a.avro", [envelope(LINE, "application/json")], schema)
    assert [chunk.encoding for chunk in read_avro(path)] == [Encoding.JSON]


def _without_attributes() -> dict[str, Any]:
    schema = dict(ENVELOPE_SCHEMA)
    return {**schema, "fields": [f for f in schema["fields"] if f["name"] != "attributes"]}


# Avro: splitting.


@pytest.mark.parametrize("bundle_bytes", [1, 17, 100, 333, 1_000, 4_096, 1 << 30])
@pytest.mark.parametrize("codec", ["null", "snappy"])
def test_every_split_reads_each_record_once(codec: str, bundle_bytes: int, tmp_path: Path) -> None:
    """However small the bundles, each event is in exactly one of them."""
    path = write_avro(tmp_path / "a.avro", events(60), rows_a_block=4, codec=codec)
    found: list[Any] = []
    for bundle in _AvroSource(str(path)).split(bundle_bytes):
        at = (bundle.source, bundle.start_position, bundle.stop_position)
        found += rows_of(read_from_source(*at))
    assert event_ids(found) == sorted(f"e{i}" for i in range(60))


def test_every_pair_of_ranges_reads_each_record_once(tmp_path: Path) -> None:
    """A file split at any byte, markers and headers among them, gives each event once."""
    path = write_avro(tmp_path / "a.avro", events(9), rows_a_block=3)
    size = path.stat().st_size
    source = _AvroSource(str(path))
    single = next(iter(source.split(size))).source
    for middle in range(header_bytes(path.read_bytes()) - 40, size):
        halves = read_from_source(single, 0, middle) + read_from_source(single, middle, size)
        assert event_ids(rows_of(halves)) == [f"e{i}" for i in range(9)], middle


@pytest.fixture(name="full_blocks", scope="module")
def _full_blocks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive whose every block makes a chunk of its own, however it is split."""
    path = tmp_path_factory.mktemp("blocks") / "a.avro"
    rows = [{"event_id": f"e{i}", **_TINY} for i in range(3 * ROWS_A_CHUNK)]
    schema = schema_with(
        **dict.fromkeys(
            ("user_id", "platform", "plan", "country", "language", "model", "message_index",
             "schema_version", "published_at_us")
        )
    )  # fmt: skip
    return write_avro(path, rows, schema, rows_a_block=ROWS_A_CHUNK)


_TINY: Final = {"conversation_id": "c", "role": "HUMAN", "text": "", "sent_at_us": MONDAY_US}


def test_split_sources_equal_the_whole(full_blocks: Path) -> None:
    """Beam's own check: the bundles of a split together equal the source, read twice or once."""
    source = _AvroSource(str(full_blocks))
    bundles = [(b.source, b.start_position, b.stop_position) for b in source.split(10_000)]
    assert len(bundles) > 1
    assert_sources_equal_reference_source((source, None, None), bundles)
    assert_reentrant_reads_succeed((source, None, None))


def test_a_source_that_is_split_while_it_is_read_loses_nothing(full_blocks: Path) -> None:
    """Beam's exhaustive check of dynamic splitting, at every fraction after every chunk."""
    source = next(iter(_AvroSource(str(full_blocks)).split(1 << 40))).source
    assert_split_at_fraction_exhaustive(source, perform_multi_threaded_test=False)


@pytest.mark.parametrize("last_bytes", [1, 5, 15])
def test_a_range_without_a_marker_can_report_its_progress(last_bytes: int, tmp_path: Path) -> None:
    """The last bundle of a cut file is empty, and a runner may ask what is left of it."""
    path = write_avro(tmp_path / "a.avro", events(3))
    size = path.stat().st_size
    source = next(iter(_AvroSource(str(path)).split(1 << 40))).source
    path.write_bytes(path.read_bytes()[:-1])
    tracker = source.get_range_tracker(size - last_bytes, size)
    assert list(source.read(tracker)) == []
    assert tracker.split_points()[0] == 0


# JSON Lines.


@pytest.mark.parametrize(
    "content",
    [
        LINE + b"\n" + LINE + b"\n",
        LINE + b"\n" + LINE,
        LINE + b"\r\n" + LINE + b"\r\n",
        b"\n\n" + LINE + b"\n \r\n\t\n" + LINE + b"\n\n",
        b"\xef\xbb\xbf" + LINE + b"\n" + LINE,
        b"\xef\xbb\xbf" + LINE + b"\r\n" + LINE,
    ],
    ids=["plain", "no newline at the end", "crlf", "blank lines", "bom", "bom and crlf"],
)
def test_lines_are_events_however_they_end(content: bytes, tmp_path: Path) -> None:
    """Each line that is not blank is one event, with or without a mark of the byte order."""
    rows = read_lines(tmp_path / "a.json", content)
    messages, letters, _ = decode_chunk(PayloadChunk(Encoding.JSON, rows, None, "a"), LIMITS)
    assert (len(messages), letters) == (2, [])


@pytest.mark.parametrize("content", [b"", b"\n", b" \r\n\n"])
def test_a_file_without_lines_gives_nothing(content: bytes, tmp_path: Path) -> None:
    """An empty file is no error and no row."""
    assert read_lines(tmp_path / "a.json", content) == []


def test_lines_come_in_chunks_bounded_in_rows_and_bytes(tmp_path: Path) -> None:
    """A chunk is full at its number of rows, or at its bytes where they are large."""
    many = [LINE] * (ROWS_A_CHUNK + 1)
    path = tmp_path / "a.json"
    path.write_bytes(b"\n".join(many) + b"\n" + b"\n".join([b"x" * 3_000_000] * 5))
    chunks = read_from_source(_JsonLinesSource(str(path), splittable=False), None, None)
    assert [len(chunk.rows) for chunk in chunks] == [ROWS_A_CHUNK, 4, 2]


_PACK: Final[dict[str, Callable[[bytes], bytes]]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
}
_MANY: Final = b"".join(json_event(event_id=f"e{i}", text=SECRET) + b"\n" for i in range(3000))


@pytest.mark.parametrize("suffix", _PACK)
def test_packed_lines_are_read(suffix: str, tmp_path: Path) -> None:
    """A file packed in one piece, or in several behind one another, gives all its lines."""
    pack = _PACK[suffix]
    assert len(read_lines(tmp_path / f"a.json.{suffix}", pack(_MANY))) == 3000
    if suffix == "gz":
        assert len(read_lines(tmp_path / "b.json.gz", pack(_MANY) + pack(_MANY))) == 6000


@pytest.mark.parametrize("suffix", _PACK)
@pytest.mark.parametrize("kept", [0.0, 0.2, 0.5, 0.9, 1.0])
def test_a_cut_packed_file_is_an_input_error(suffix: str, kept: float, tmp_path: Path) -> None:
    """Of a packed file cut short no line is lost in silence, not even where all lines are there."""
    packed = _PACK[suffix](_MANY)
    size = min(max(4, int(len(packed) * kept)), len(packed) - 1)
    with pytest.raises(InputError, match="damaged or cut short") as caught:
        read_lines(tmp_path / f"a.json.{suffix}", packed[:size])
    assert not betrays_secret(*chain_of(caught.value))


@pytest.mark.parametrize("suffix", [*_PACK, "zst", "deflate"])
def test_a_file_that_is_not_packed_as_it_is_named_is_an_input_error(
    suffix: str, tmp_path: Path
) -> None:
    """Plain lines under the name of a packed file are refused without being quoted."""
    with pytest.raises(InputError, match="damaged or cut short") as caught:
        read_lines(tmp_path / f"a.json.{suffix}", _MANY)
    assert not betrays_secret(*chain_of(caught.value))


def test_a_gz_with_a_wrong_checksum_is_an_input_error(tmp_path: Path) -> None:
    """What does not have the checksum it should is damaged."""
    packed = bytearray(gzip.compress(_MANY))
    packed[-6] ^= 1
    with pytest.raises(InputError, match="damaged"):
        read_lines(tmp_path / "a.json.gz", bytes(packed))


# Transforms.


@pytest.mark.parametrize("read", [ReadAvro, ReadJsonLines])
@pytest.mark.parametrize("name", ["missing.avro", "*.none", "no/such/folder/*"])
def test_a_pattern_without_files_is_an_input_error(
    read: type[ReadAvro | ReadJsonLines], name: str, tmp_path: Path
) -> None:
    """A pattern that matches nothing fails where the job is put together, and is named."""
    with pytest.raises(InputError, match=str(tmp_path)):
        read(str(tmp_path / name))


def test_read_avro_reads_every_file_of_a_pattern(tmp_path: Path) -> None:
    """On a runner the events of all matching files come out, with their file's name."""
    for name in ("a.avro", "b.avro"):
        write_avro(tmp_path / name, events(3), rows_a_block=1)
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        found = pipeline | ReadAvro(str(tmp_path / "*.avro")) | beam.FlatMap(_sourced)
        expected = [(name, f"e{i}") for name in ("a.avro", "b.avro") for i in range(3)]
        assert_that(found, equal_to(expected))


def _sourced(chunk: PayloadChunk) -> list[tuple[str, str]]:
    return [(chunk.source, row["event_id"]) for row in chunk.rows]


def test_read_json_lines_reads_on_a_runner(tmp_path: Path) -> None:
    """On a runner the lines of plain and of packed files come out."""
    (tmp_path / "a.json").write_bytes(LINE + b"\n")
    (tmp_path / "b.json.gz").write_bytes(gzip.compress(LINE + b"\n" + LINE))
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        rows = pipeline | ReadJsonLines(str(tmp_path / "*")) | beam.FlatMap(lambda c: c.rows)
        assert_that(rows | beam.Map(bytes.strip), equal_to([LINE] * 3))


@pytest.mark.parametrize("cut", [20, 60, 300])
def test_a_failing_run_tells_no_secret(
    cut: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither the error of a run that meets damage, nor any log line at any level, quotes text."""
    path = write_avro(tmp_path / "a.avro", events(9, text=SECRET), rows_a_block=3)
    path.write_bytes(path.read_bytes()[:-cut])
    pipeline = beam.Pipeline(runner=FnApiRunner())
    _ = pipeline | ReadAvro(str(path))
    with caplog.at_level(logging.DEBUG), pytest.raises(Exception, match="damaged") as caught:
        pipeline.run().wait_until_finish()
    shown = "".join(traceback.format_exception(caught.value))
    assert not betrays_secret(caplog.text, shown, *chain_of(caught.value))


def test_read_files_tells_each_pattern_by_its_ending(tmp_path: Path) -> None:
    """Avro and JSON Lines of several patterns come out together."""
    write_avro(tmp_path / "a.avro", events(2))
    (tmp_path / "b.jsonl").write_bytes(LINE)
    patterns = [str(tmp_path / name) for name in ("*.avro", "*.jsonl")]
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        sizes = pipeline | ReadFiles(patterns) | beam.Map(lambda c: (c.source, len(c.rows)))
        assert_that(sizes, equal_to([("a.avro", 2), ("b.jsonl", 1)]))


@pytest.mark.parametrize("name", ["missing.avro", "missing.jsonl", "missing.jsonl.gz", "a.csv"])
def test_read_files_refuses_what_is_missing_or_of_unknown_ending(name: str, tmp_path: Path) -> None:
    """A pattern that can't be read fails where the job is put together, and is named."""
    with pytest.raises(InputError, match=re.escape(name)):
        ReadFiles([str(tmp_path / name)])


# Pub/Sub.


def _published(data: bytes, content_type: str | None, at_us: int | None) -> PubsubMessage:
    attributes = {} if content_type is None else {"content-type": content_type}
    published_at = None
    if at_us is not None:
        published_at = dt.datetime.fromtimestamp(0, dt.UTC) + dt.timedelta(microseconds=at_us)
    return PubsubMessage(data, attributes, publish_time=published_at)


def test_pubsub_messages_are_gathered_by_encoding() -> None:
    """Each message of a batch is in the chunk of its encoding, with its publish time or None."""
    chunks = list(
        _chunks_of(
            [
                _published(b"a", None, MONDAY_US + 1),
                _published(b"b", "application/json", None),
                _published(b"c", "application/protobuf", MONDAY_US + 400 * 24 * HOUR_US * 13),
                _published(b"d", "text/plain", MONDAY_US),
            ],
            "s",
        )
    )
    later_us = MONDAY_US + 400 * 24 * HOUR_US * 13
    times: list[int | None] = [MONDAY_US + 1, later_us]
    assert chunks == [
        PayloadChunk(Encoding.PROTOBUF, [b"a", b"c"], times, "s", times),
        PayloadChunk(Encoding.JSON, [b"b"], [None], "s", [None]),
        PayloadChunk(Encoding.UNKNOWN, [b"d"], [MONDAY_US], "s", [MONDAY_US]),
    ]


@pytest.mark.parametrize("offset_us", range(0, 1_000_000, 99_991))
def test_pubsub_publish_times_are_exact(offset_us: int) -> None:
    """A publish time of 2040 keeps its microsecond."""
    at_us = 2_221_000_000_000_000 + offset_us
    assert next(_chunks_of([_published(b"", None, at_us)], "s")).published_at_us == [at_us]


def test_a_message_without_attributes_is_protobuf() -> None:
    """A publisher that sets no attribute at all sends protobuf."""
    chunk = next(_chunks_of([PubsubMessage(b"a", None)], "s"))
    assert chunk.encoding == Encoding.PROTOBUF

"""Avro blocks: every event becomes a row, and damage is an error, never a silent loss."""

from __future__ import annotations

from pathlib import Path

import pytest
import zstandard

from pipelines.sources.chunks import BYTES_A_CHUNK, ROWS_A_CHUNK
from schemas.failures import InputError
from schemas.records import Encoding, PayloadChunk
from schemas.wire.validate import Limits
from tests.builders import PSEUDONYMS, avro_event, event_hash
from tests.pipelines.sources.bombs import avro_file
from tests.pipelines.sources.reading import events, header_bytes, read_avro, rows_of
from tests.schemas.payloads import (
    LATENESS_US,
    LIMITS,
    SECRET,
    betrays_secret,
    chain_of,
    event_ids,
    schema_with,
    write_avro,
)
from transforms.conversation.messages import decode_chunk


@pytest.mark.parametrize("codec", ["null", "deflate", "snappy", "bzip2", "xz"])
def test_reads_events_of_every_codec(codec: str, tmp_path: Path) -> None:
    """Each event of an archive becomes a row whose source is the file's base name."""
    rows = events(10, text=SECRET)
    path = write_avro(tmp_path / "a.avro", rows, rows_a_block=3, codec=codec)
    assert read_avro(path) == [PayloadChunk(Encoding.AVRO, rows, None, "a.avro")]


def test_reads_events_of_zstandard(tmp_path: Path) -> None:
    """Zstandard, which fastavro reads only with an additional library, is supported too."""
    plain = write_avro(tmp_path / "a.avro", events(3)).read_bytes()
    content = plain[header_bytes(plain) + 3 : -16]  # After the count and two bytes of size.
    path = avro_file(
        tmp_path / "b.avro", schema_with(), 3, zstandard.compress(content), "zstandard"
    )
    assert rows_of(read_avro(path)) == events(3)


def test_another_codec_is_an_input_error(tmp_path: Path) -> None:
    """An unsupported codec is refused; the error lists the supported ones and quotes nothing."""
    path = avro_file(tmp_path / "a.avro", schema_with(), 1, b"x", SECRET)
    with pytest.raises(InputError, match="a codec other than null, snappy, deflate") as caught:
        read_avro(path)
    assert not betrays_secret(*chain_of(caught.value))


def test_a_block_of_many_events_comes_in_several_chunks(tmp_path: Path) -> None:
    """A chunk has a limited number of rows, even if all events of a file are in one block."""
    count = 9 * ROWS_A_CHUNK
    path = write_avro(tmp_path / "a.avro", events(count, text=""), codec="deflate")
    chunks = read_avro(path)
    assert [row["event_id"] for row in rows_of(chunks)] == [f"e{i}" for i in range(count)]
    assert [len(chunk.rows) for chunk in chunks] == [8 * ROWS_A_CHUNK, ROWS_A_CHUNK]


def test_an_archive_of_no_events_gives_nothing(tmp_path: Path) -> None:
    """A header without blocks is an empty archive, not an error."""
    assert read_avro(write_avro(tmp_path / "a.avro", [])) == []


def test_an_older_archive_without_optional_fields_is_read(tmp_path: Path) -> None:
    """An archive is read if its schema has only the required fields of an event."""
    optional = ("user_id", "platform", "plan", "country", "language", "model")
    schema = schema_with(
        **dict.fromkeys((*optional, "message_index", "schema_version", "published_at_us"))
    )
    chunks = read_avro(write_avro(tmp_path / "a.avro", events(2), schema))
    assert [m.event for m in decode_chunk(chunks[0], LIMITS, PSEUDONYMS)[0]] == [
        event_hash("e0"),
        event_hash("e1"),
    ]


def test_a_chunk_of_large_messages_stays_in_some_megabytes(tmp_path: Path) -> None:
    """Chunks are limited in bytes as well as in rows, so that a worker has enough memory."""
    path = write_avro(
        tmp_path / "a.avro", events(24, text="x" * 1_000_000), rows_a_block=1, codec="deflate"
    )
    chunks = read_avro(path)
    assert len(rows_of(chunks)) == 24
    assert max(sum(len(r["text"]) for r in c.rows) for c in chunks) < 2 * BYTES_A_CHUNK, (
        ROWS_A_CHUNK
    )


def test_ten_megabytes_become_a_dead_letter(tmp_path: Path) -> None:
    """One huge message is refused as oversize, and the message after it is read."""
    path = write_avro(tmp_path / "a.avro", [avro_event(text="x" * 10_000_000), *events(1)])
    limits = Limits(allowed_lateness_us=LATENESS_US)
    decoded = [decode_chunk(chunk, limits, PSEUDONYMS) for chunk in read_avro(path)]
    assert [m.event for messages, _, _ in decoded for m in messages] == [event_hash("e0")]
    assert [d.reason for _, letters, _ in decoded for d in letters] == ["oversize"]


@pytest.mark.parametrize("field", ["event_id", "conversation_id", "user_id", "text", "role"])
def test_bytes_that_are_not_utf8_cost_one_record(field: str, tmp_path: Path) -> None:
    """A string with invalid bytes becomes a dead letter; other records in the block are read."""
    rows = [avro_event(), avro_event(**{field: "@@@@"}), avro_event()]
    path = write_avro(tmp_path / "a.avro", rows)
    path.write_bytes(path.read_bytes().replace(b"@@@@", b"a\xff\xc3("))
    messages, letters, _ = decode_chunk(read_avro(path)[0], LIMITS, PSEUDONYMS)
    assert (len(messages), len(letters)) == (2, 1)


def test_a_breakdown_of_bytes_that_are_not_utf8_is_other(tmp_path: Path) -> None:
    """A breakdown's value with invalid bytes becomes `other`, and the record still counts."""
    path = write_avro(tmp_path / "a.avro", [avro_event(plan="@@@@")])
    path.write_bytes(path.read_bytes().replace(b"@@@@", b"a\xff\xc3("))
    _, letters, counts = decode_chunk(read_avro(path)[0], LIMITS, PSEUDONYMS)
    assert (counts["other_value", "plan/invalid"], letters) == (1, [])


@pytest.mark.parametrize("codec", ["null", "deflate", "snappy", "bzip2", "xz"])
def test_a_file_cut_anywhere_is_an_input_error(codec: str, tmp_path: Path) -> None:
    """A file cut within a block is refused; one cut between blocks is a valid, shorter file."""
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
    """Avro cannot detect a cut between blocks, so the events before the cut are read."""
    path = write_avro(tmp_path / "a.avro", events(6), rows_a_block=2)
    archive = path.read_bytes()
    path.write_bytes(archive[: archive.index(archive[-16:], header_bytes(archive)) + 16])
    assert event_ids(rows_of(read_avro(path))) == ["e0", "e1"]


def test_a_file_cut_within_a_blocks_count_is_an_input_error(tmp_path: Path) -> None:
    """If only the first byte of the last block's two-byte count is left, the file is refused."""
    path = write_avro(tmp_path / "a.avro", events(200))
    archive = path.read_bytes()
    path.write_bytes(archive[: header_bytes(archive) + 1])
    with pytest.raises(InputError):
        read_avro(path)


@pytest.mark.parametrize("count", [0, 1, -3, 4], ids=["none", "fewer", "negative", "more"])
def test_a_block_that_lies_about_its_count_is_an_input_error(count: int, tmp_path: Path) -> None:
    """A damaged count of records is an error, so that no record is lost silently."""
    path = write_avro(tmp_path / "a.avro", events(3))
    archive = bytearray(path.read_bytes())
    archive[header_bytes(archive)] = ((count << 1) ^ (count >> 63)) & 0xFF
    path.write_bytes(archive)
    with pytest.raises(InputError):
        read_avro(path)


def test_a_huge_length_is_an_input_error(tmp_path: Path) -> None:
    """A block that claims to have petabytes is refused before memory is allocated for it."""
    path = write_avro(tmp_path / "a.avro", [])
    path.write_bytes(path.read_bytes() + b"\x02" + b"\xfe" * 7 + b"\x01" + b"x" * 40)
    with pytest.raises(InputError):
        read_avro(path)


def test_the_error_names_the_damaged_file_and_the_place(tmp_path: Path) -> None:
    """The error says which file is damaged, where the damage is, and what to do."""
    path = write_avro(tmp_path / "a.avro", events(4, text=SECRET), rows_a_block=2)
    archive = path.read_bytes()
    path.write_bytes(archive[:-20])
    second = archive.index(archive[-16:], header_bytes(archive)) + 16
    with pytest.raises(InputError, match=rf"a\.avro is .* at byte {second}; restore the file"):
        read_avro(path)

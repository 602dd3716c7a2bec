"""Files of events are rewritten without some records, and everything else stays as it is."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any, Final

import fastavro
import pytest
from apache_beam.io.localfilesystem import LocalFileSystem

from pipelines.sinks.archive import read_archive_metadata, write_archive
from pipelines.sinks.rewrite import packed_block, rewrite
from pipelines.sources.chunks import Record
from pipelines.sources.files import records_in_order
from pipelines.sources.unpack import CODECS, unpacked_block
from schemas.failures import InputError
from tests.builders import avro_event
from tests.schemas.payloads import ENVELOPE_SCHEMA, envelope, json_event, schema_with, write_avro

SCHEME: Final = "kept"


def rows(count: int) -> list[dict[str, Any]]:
    """Returns events of conversations named by their numbers."""
    return [avro_event(event_id=f"e{n}", conversation_id=str(n)) for n in range(count)]


def is_even(record: Record) -> bool:
    """Tells whether the number of a record's conversation is even."""
    return int(record.row["conversation_id"]) % 2 == 0


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("content", [b"", b"a" * 100_000, bytes(range(256)) * 9])
def test_a_packed_block_can_be_unpacked(codec: str, content: bytes) -> None:
    """Packing is the opposite of unpacking, in every codec that is read."""
    assert unpacked_block(packed_block(content, codec), codec) == content


@pytest.mark.parametrize("codec", sorted({*CODECS} - {"zstandard"}))
def test_kept_records_of_avro_are_equal(tmp_path: Path, codec: str) -> None:
    """In each codec that fastavro can write, it reads the kept rows back, in their order."""
    path = write_avro(tmp_path / "a.avro", rows(50), rows_a_block=7, codec=codec)
    rewrite(str(path), is_even)
    with path.open("rb") as file:
        reader = fastavro.reader(file)
        assert reader.codec == codec
        assert list(reader) == rows(50)[::2]
    assert [record.row for record in records_in_order([str(path)])] == rows(50)[::2]


def test_keeping_everything_changes_no_byte(tmp_path: Path) -> None:
    """A file without a codec is the same, byte for byte, if all of its records are kept."""
    path = write_avro(tmp_path / "a.avro", rows(50), rows_a_block=7)
    before = path.read_bytes()
    rewrite(str(path), lambda _: True)
    assert path.read_bytes() == before


def test_metadata_and_unknown_fields_are_kept(tmp_path: Path) -> None:
    """The metadata of an archive stays, and so do fields and bytes that no reader understands."""
    path = tmp_path / "a.avro"
    write_archive(path, rows(4), metadata={"undertone.synthesised": "user_id"})
    rewrite(str(path), is_even)
    assert read_archive_metadata(path) == {"undertone.synthesised": "user_id"}
    schema = schema_with()
    schema["fields"].append({"name": "extra", "type": {"type": "array", "items": "string"}})
    strange = [row | {"extra": ["a", "b"]} for row in rows(3)]
    write_avro(path, strange, schema)
    path.write_bytes(path.read_bytes().replace(b"e2", b"e\xff"))
    rewrite(str(path), is_even)
    assert b"e\xff" in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(b"e\xff", b"e2"))
    with path.open("rb") as file:
        assert list(fastavro.reader(file)) == strange[::2]


def test_archived_messages_are_kept_whole(tmp_path: Path) -> None:
    """The attributes and publish times of archived Pub/Sub messages stay."""
    messages = [envelope(json_event(text=str(n)), "application/json", n) for n in range(6)]
    path = write_avro(tmp_path / "a.avro", messages, ENVELOPE_SCHEMA, rows_a_block=4)
    expected = list(fastavro.reader(path.open("rb")))[3:]
    rewrite(str(path), lambda record: record.published_at_us in (3, 4, 5))
    assert list(fastavro.reader(path.open("rb"))) == expected


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_kept_lines_are_equal(tmp_path: Path, name: str) -> None:
    """Kept lines are the same, byte for byte, even if they are not JSON."""
    lines = [b'{"a": 1}\n', b"{broken\r\n", b'{ "b":2 }']
    opened: Any = gzip.open if name.endswith(".gz") else open
    with opened(tmp_path / name, "wb") as file:
        file.write(b"".join(lines))
    rewrite(str(tmp_path / name), lambda record: record.row != lines[0])
    with opened(tmp_path / name, "rb") as file:
        assert file.read() == b"".join(lines[1:])


def test_a_file_stays_as_private_as_it_was(tmp_path: Path) -> None:
    """The new file has the mode of the old one, and a link still names it."""
    path, link = tmp_path / "a.jsonl", tmp_path / "link.jsonl"
    path.write_bytes(b"1\n2\n")
    path.chmod(0o600)
    link.symlink_to(path)
    rewrite(str(link), lambda record: record.row == b"2\n")
    assert link.is_symlink()
    assert path.read_bytes() == b"2\n"
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.usefixtures("remote")
@pytest.mark.parametrize("place", ["local", "remote"])
def test_a_failure_leaves_the_file_as_it_was(tmp_path: Path, place: str) -> None:
    """If anything fails halfway, the file is unchanged and nothing lies beside it."""
    path = write_avro(tmp_path / "a.avro", rows(50), rows_a_block=7)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="int"):
        rewrite(named(path, place), lambda record: int(record.row["event_id"]) > 0)
    assert path.read_bytes() == before
    path.write_bytes(before[:-9])
    with pytest.raises(InputError, match="cut short"):
        rewrite(named(path, place), is_even)
    assert [file.name for file in tmp_path.iterdir()] == ["a.avro"]
    assert path.read_bytes() == before[:-9]


@pytest.mark.usefixtures("remote")
@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_a_remote_file_is_replaced(tmp_path: Path, name: str) -> None:
    """A file in a bucket is written under another name and then copied over the old one."""
    opened: Any = gzip.open if name.endswith(".gz") else open
    with opened(tmp_path / name, "wb") as file:
        file.write(b"1\n2\n")
    rewrite(named(tmp_path / name, "remote"), lambda record: record.row == b"2\n")
    with opened(tmp_path / name, "rb") as file:
        assert file.read() == b"2\n"
    assert [file.name for file in tmp_path.iterdir()] == [name]


def named(path: Path, place: str) -> str:
    """Returns the name of a local file, or of the same file as if it were in a bucket."""
    return str(path) if place == "local" else f"{SCHEME}:/{path}"


@pytest.fixture(scope="module")
def remote() -> type[LocalFileSystem]:
    """Registers a file system with URLs whose files are on this machine."""

    class KeptFileSystem(LocalFileSystem):
        @classmethod
        def scheme(cls) -> str:
            return SCHEME

        def open(self, path: str, *arguments: Any, **named: Any) -> Any:
            return super().open(_path(path), *arguments, **named)

        def create(self, path: str, *arguments: Any, **named: Any) -> Any:
            return super().create(_path(path), *arguments, **named)

        def copy(self, sources: list[str], targets: list[str]) -> None:
            super().copy([*map(_path, sources)], [*map(_path, targets)])

        def delete(self, paths: list[str]) -> None:
            super().delete([*map(_path, paths)])

    return KeptFileSystem


def _path(url: str) -> str:
    return url.removeprefix(f"{SCHEME}:/")

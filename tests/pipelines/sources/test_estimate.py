"""Estimates of how much files hold, made without decoding text."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

import pytest

from pipelines.sources import estimate
from pipelines.sources.estimate import human_turns_in, input_size
from schemas.failures import InputError
from tests.pipelines.sources.reading import LINE, events, header_bytes
from tests.schemas.payloads import ENVELOPE_SCHEMA, envelope, write_avro


def records_in(*paths: Path) -> int:
    """Returns the estimated number of records in files."""
    return input_size([str(path) for path in paths]).records


@pytest.mark.parametrize("codec", ["null", "snappy", "deflate"])
def test_avro_blocks_are_counted(codec: str, tmp_path: Path) -> None:
    """Every record of an archive counts, however its blocks are packed."""
    path = write_avro(tmp_path / "a.avro", events(100), rows_a_block=7, codec=codec)
    assert records_in(path) == 100


def test_the_content_of_a_block_is_not_read(tmp_path: Path) -> None:
    """A block counts by its head, even if nothing else in it can be decoded."""
    path = write_avro(tmp_path / "a.avro", events(3))
    content = bytearray(path.read_bytes())
    start = header_bytes(content) + 8
    content[start:-16] = b"\xff" * (len(content) - 16 - start)
    path.write_bytes(content)
    assert records_in(path) == 3


@pytest.mark.parametrize("kept", [0.2, 0.5, 0.9])
def test_a_damaged_archive_is_no_error(kept: float, tmp_path: Path) -> None:
    """An archive that is cut short gets an estimate, because the run itself reports the damage."""
    path = write_avro(tmp_path / "a.avro", events(100), rows_a_block=10)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    assert 0 <= records_in(path) <= 100


def test_a_file_that_is_not_avro_is_no_error(tmp_path: Path) -> None:
    """A file of something else counts nothing."""
    (tmp_path / "a.avro").write_bytes(b"no archive")
    assert records_in(tmp_path / "a.avro") == 0


@pytest.mark.parametrize("ending", [b"", b"\n"])
def test_lines_are_counted(ending: bytes, tmp_path: Path) -> None:
    """Each line counts, plain or packed, and whether or not the last one ends."""
    content = b"\n".join([LINE] * 9) + ending
    (tmp_path / "a.jsonl").write_bytes(content)
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(content))
    assert records_in(tmp_path / "a.jsonl") == 9
    assert records_in(tmp_path / "a.jsonl", tmp_path / "b.jsonl.gz") == 18


def test_the_rest_of_a_large_archive_is_estimated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Past the limit, records are estimated from the size of what was not looked at."""
    limits = estimate._Limits(files=3, blocks=20, chunks=1)
    monkeypatch.setattr(estimate, "_LOCAL", limits)
    one = write_avro(tmp_path / "one.avro", events(1000, text="x" * 1000), rows_a_block=10)
    assert records_in(one) == pytest.approx(1000, rel=0.05)
    for number in range(9):
        write_avro(tmp_path / f"many{number}.avro", events(10))
    assert records_in(tmp_path / "many*.avro") == pytest.approx(90, rel=0.05)


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_the_rest_of_long_lines_is_estimated(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lines past the limit are estimated, also from the packed size of a packed file."""
    monkeypatch.setattr(estimate, "_LOCAL", estimate._Limits(files=3, blocks=1, chunks=2))
    content = (random.Random(5).randbytes(3_200_000).hex(b"\n", 32) + "\n").encode()
    packed = gzip.compress(content) if name.endswith(".gz") else content
    (tmp_path / name).write_bytes(packed)
    assert records_in(tmp_path / name) == pytest.approx(100_000, rel=0.1)


def test_equal_files_give_equal_estimates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The estimate does not depend on the order in which the patterns or files are named."""
    monkeypatch.setattr(estimate, "_LOCAL", estimate._Limits(files=1, blocks=1, chunks=1))
    paths = [tmp_path / "a.avro", tmp_path / "b.avro"]
    for count, path in enumerate(paths, 1):
        write_avro(path, events(50 * count, text="x" * 500 * count), rows_a_block=9)
    assert records_in(*paths) == records_in(*reversed(paths))


def test_archived_messages_are_counted(tmp_path: Path) -> None:
    """An archive of Pub/Sub messages counts its messages."""
    path = write_avro(tmp_path / "a.avro", [envelope(LINE)] * 5, ENVELOPE_SCHEMA)
    assert records_in(path) == 5


def test_only_archives_can_be_divided(tmp_path: Path) -> None:
    """An archive has a part for each megabyte or so; a file of lines is one part."""
    archive = write_avro(tmp_path / "a.avro", events(4, text="x" * 1_000_000), rows_a_block=1)
    (tmp_path / "b.jsonl").write_bytes(LINE * 10_000)
    assert input_size([str(archive)]).parts > 1
    assert input_size([str(tmp_path / "b.jsonl")]).parts == 1


def test_a_missing_file_is_an_input_error(tmp_path: Path) -> None:
    """A pattern that matches nothing is refused, as the run would refuse it."""
    with pytest.raises(InputError, match="no file matches"):
        records_in(tmp_path / "none.avro")


@pytest.mark.parametrize("role", ["human", "user"])
def test_human_turns_are_counted(role: str, tmp_path: Path) -> None:
    """The turns of humans count, but not those of assistants or what a text quotes."""
    path = tmp_path / "chats.jsonl"
    turns = [{"role": role, "text": '"role": "human"'}, {"role": "assistant", "text": "Hello!"}]
    path.write_text("\n".join(json.dumps({"id": i, "turns": turns * i}) for i in range(4)))
    assert human_turns_in(path) == 6

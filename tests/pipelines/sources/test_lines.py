"""JSON Lines: each line becomes a row, and a truncated file is an error."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
import zstandard
from apache_beam.io.source_test_utils import read_from_source

from pipelines.sources.chunks import ROWS_A_CHUNK
from pipelines.sources.files import JsonLinesSource
from schemas.failures import InputError
from schemas.records import Encoding, PayloadChunk
from tests.builders import PSEUDONYMS
from tests.pipelines.sources.reading import LINE, read_lines
from tests.schemas.payloads import LIMITS, SECRET, betrays_secret, chain_of, json_event
from transforms.conversation.messages import decode_chunk


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
    """Each line that is not blank is an event, with any line end or byte order mark."""
    rows = read_lines(tmp_path / "a.json", content)
    messages, letters, _ = decode_chunk(
        PayloadChunk(Encoding.JSON, rows, None, "a"), LIMITS, PSEUDONYMS
    )
    assert (len(messages), letters) == (2, [])


@pytest.mark.parametrize("content", [b"", b"\n", b" \r\n\n"])
def test_a_file_without_lines_gives_nothing(content: bytes, tmp_path: Path) -> None:
    """An empty file gives no rows and no error."""
    assert read_lines(tmp_path / "a.json", content) == []


def test_lines_come_in_chunks_bounded_in_rows_and_bytes(tmp_path: Path) -> None:
    """A chunk is full at a number of rows, or earlier if the rows are large."""
    many = [LINE] * (ROWS_A_CHUNK + 1)
    path = tmp_path / "a.json"
    path.write_bytes(b"\n".join(many) + b"\n" + b"\n".join([b"x" * 3_000_000] * 5))
    chunks = read_from_source(JsonLinesSource(str(path), splittable=False), None, None)
    assert [len(chunk.rows) for chunk in chunks] == [ROWS_A_CHUNK, 4, 2]


def test_a_long_line_costs_one_record(tmp_path: Path) -> None:
    """A line of some megabytes becomes a dead letter; the lines around it are read."""
    rows = read_lines(tmp_path / "a.json", LINE + b"\n" + b"x" * 16_000_000 + b"\n" + LINE)
    chunk = PayloadChunk(Encoding.JSON, rows, None, "a")
    messages, letters, _ = decode_chunk(chunk, LIMITS, PSEUDONYMS)
    assert (len(messages), [each.reason for each in letters]) == (2, ["oversize"])


def test_a_longer_line_is_an_input_error(tmp_path: Path) -> None:
    """If a line is too long to read, the error gives its number and does not quote it.

    Blank lines are included in the number.
    """
    said = SECRET.encode() * 400_000
    with pytest.raises(InputError, match=r"line 3 of a\.json has more than") as caught:
        read_lines(tmp_path / "a.json", LINE + b"\n\n" + said)
    assert not betrays_secret(*chain_of(caught.value))


_PACK: Final[dict[str, Callable[[bytes], bytes]]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": zstandard.compress,
    "deflate": zlib.compress,
}
_MANY: Final = b"".join(json_event(event_id=f"e{i}", text=SECRET) + b"\n" for i in range(3000))


@pytest.mark.parametrize("suffix", _PACK)
def test_packed_lines_are_read(suffix: str, tmp_path: Path) -> None:
    """All lines of a compressed file are read, whether it has one compressed part or several."""
    pack = _PACK[suffix]
    assert len(read_lines(tmp_path / f"a.json.{suffix}", pack(_MANY))) == 3000
    assert len(read_lines(tmp_path / f"b.json.{suffix}", pack(_MANY) + pack(_MANY))) == 6000


@pytest.mark.parametrize("suffix", _PACK)
@pytest.mark.parametrize("kept", [0.0, 0.2, 0.5, 0.9, 1.0])
def test_a_cut_packed_file_is_an_input_error(suffix: str, kept: float, tmp_path: Path) -> None:
    """A truncated compressed file is an error, even if all its lines are there."""
    packed = _PACK[suffix](_MANY)
    size = min(max(4, int(len(packed) * kept)), len(packed) - 1)
    with pytest.raises(InputError, match="damaged or cut short") as caught:
        read_lines(tmp_path / f"a.json.{suffix}", packed[:size])
    assert not betrays_secret(*chain_of(caught.value))


@pytest.mark.parametrize("suffix", _PACK)
def test_a_file_that_is_not_packed_as_it_is_named_is_an_input_error(
    suffix: str, tmp_path: Path
) -> None:
    """A file of plain lines that is named as compressed is refused, and nothing is quoted."""
    with pytest.raises(InputError, match="damaged or cut short") as caught:
        read_lines(tmp_path / f"a.json.{suffix}", _MANY)
    assert not betrays_secret(*chain_of(caught.value))


def test_a_gz_with_a_wrong_checksum_is_an_input_error(tmp_path: Path) -> None:
    """A file with a wrong checksum is refused as damaged."""
    packed = bytearray(gzip.compress(_MANY))
    packed[-6] ^= 1
    with pytest.raises(InputError, match="damaged"):
        read_lines(tmp_path / "a.json.gz", bytes(packed))

"""Builds small files that unpack to a gigabyte, or that claim to have millions of records."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import random
import zlib
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import zstandard

from tests.schemas.mutants import varint
from tests.schemas.payloads import ENVELOPE_SCHEMA, schema_with

GIGABYTE: Final = 1 << 30
BOMBS: Final = (
    "null_rows", "array_of_nulls", "array_of_empty_records", "doubling_records", "wide_nulls",
    "array_of_numbers", "attributes", "many_empty_events", "largest_text", "long_header",
)  # fmt: skip
"""Names of the builders in this module that make Avro files and need only a path."""

_PIECE_BYTES: Final = 1 << 24
_MARKER: Final = random.Random(7).randbytes(16)
_REQUIRED: Final = ("event_id", "conversation_id", "role", "text", "sent_at_us")


def avro_file(
    path: Path, schema: Mapping[str, Any], count: int, packed: bytes, codec: str = "null"
) -> Path:
    """Writes an Avro file with one block that claims to have `count` records."""
    metadata = {"avro.schema": json.dumps(schema).encode(), "avro.codec": codec.encode()}
    entries = b"".join(_sized(key.encode()) + _sized(value) for key, value in metadata.items())
    header = b"Obj\x01" + _long(len(metadata)) + entries + b"\0" + _MARKER
    path.write_bytes(header + _long(count) + _sized(packed) + _MARKER)
    return path


def packed_block(path: Path, codec: str) -> Path:
    """Writes one event in a compressed block that unpacks to a gigabyte."""
    return avro_file(path, only_required(), 1, BLOCKS[codec](), codec)


def packed_line(path: Path) -> Path:
    """Writes a compressed line of one gigabyte; the file's ending decides how to compress it."""
    path.write_bytes(LINES[path.suffix]())
    return path


def only_required(**types: Any) -> dict[str, Any]:
    """Returns a schema with an event's required fields and those in `types`.

    A field in `types` may replace a required one.
    """
    named = {field["name"]: field for field in schema_with()["fields"]}
    fields = [named[name] for name in _REQUIRED if name not in types]
    fields += [{"name": name, "type": type_} for name, type_ in types.items()]
    return {"type": "record", "name": "Bomb", "fields": fields}


def null_rows(path: Path) -> Path:
    """Writes three million records that need no bytes, in a file of about 300 bytes."""
    schema = only_required(**dict.fromkeys(_REQUIRED, "null"))
    return avro_file(path, schema, 3_000_000, b"")


def array_of_nulls(path: Path) -> Path:
    """Writes a record whose unread field is an array of a billion nulls."""
    schema = only_required(extra={"type": "array", "items": "null"})
    return avro_file(path, schema, 1, bytes(5) + _long(1_000_000_000) + b"\0")


def array_of_empty_records(path: Path) -> Path:
    """Writes a record with an array of a billion records without fields."""
    empty = {"type": "record", "name": "Empty", "fields": []}
    schema = only_required(extra={"type": "array", "items": empty})
    return avro_file(path, schema, 1, bytes(5) + _long(1_000_000_000) + b"\0")


def doubling_records(path: Path) -> Path:
    """Writes a record that has two records, each of which has two, and so on for 30 levels."""
    type_: Any = "null"
    for depth in range(30):
        name = f"R{depth}"
        fields = [{"name": "a", "type": type_}, {"name": "b", "type": _name_of(type_)}]
        type_ = {"type": "record", "name": name, "fields": fields}
    return avro_file(path, only_required(extra=type_), 1, bytes(5))


def wide_nulls(path: Path) -> Path:
    """Writes 100,000 records, each with 20,000 fields that need no bytes."""
    schema = only_required(**{f"n{index}": "null" for index in range(20_000)})
    return avro_file(path, schema, 100_000, deflate(5 * 100_000), "deflate")


def array_of_numbers(path: Path) -> Path:
    """Writes a record whose unread field is an array of eight million numbers."""
    schema = only_required(extra={"type": "array", "items": "int"})
    numbers = _long(8_000_000) + b"\x80\x08" * 8_000_000 + b"\0"
    return avro_file(path, schema, 1, zlib.compress(bytes(5) + numbers)[2:-4], "deflate")


def attributes(path: Path) -> Path:
    """Writes a Pub/Sub message with 2.7 million attributes that have different names."""
    entries = b"".join(b"\x08%c%c%c%c\x00" % _letters(index) for index in range(2_700_000))
    row = bytes(3) + _long(2_700_000) + entries + bytes(2)
    return avro_file(path, ENVELOPE_SCHEMA, 1, zlib.compress(row)[2:-4], "deflate")


def many_empty_events(path: Path) -> Path:
    """Writes three million events with five empty fields each, in 15 KB."""
    return avro_file(path, only_required(), 3_000_000, deflate(15_000_000), "deflate")


def largest_text(path: Path) -> Path:
    """Writes an event whose text just fits into a block.

    In memory, the text needs four times its size.
    """
    text = "\N{HEAVY BLACK HEART}\N{GRINNING FACE}".encode() + b"x" * (16_777_216 - 20)
    row = bytes(3) + _sized(text) + b"\0"
    return avro_file(path, only_required(), 1, row)


def long_header(path: Path) -> Path:
    """Writes a header with 300 MB of metadata."""
    header = b"Obj\x01" + _long(1) + _sized(b"x") + _long(300_000_000)
    with path.open("wb") as file:
        file.write(header)
        file.truncate(300_000_000 + len(header) + 100)
    return path


def deflate(size_bytes: int) -> bytes:
    """Compresses `size_bytes` zeros into a raw deflate stream."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    pieces = [packer.compress(bytes(min(_PIECE_BYTES, size_bytes)))]
    # After a full flush a piece does not depend on earlier ones, so it may be repeated.
    pieces = [(pieces[0] + packer.flush(zlib.Z_FULL_FLUSH)) * max(1, size_bytes // _PIECE_BYTES)]
    return pieces[0] + zlib.compressobj(9, zlib.DEFLATED, -15).flush()


def _snappy() -> bytes:
    # One literal zero, then copies of 64 bytes from one byte back.
    return varint(1 + 64 * 5_000_000) + b"\0\0" + b"\xfe\x01\x00" * 5_000_000


def _repeated(pack: Callable[[bytes], bytes]) -> Callable[[], bytes]:
    return cache(lambda: pack(bytes(_PIECE_BYTES)) * (GIGABYTE // _PIECE_BYTES))


BLOCKS: Final[Mapping[str, Callable[[], bytes]]] = {
    "deflate": cache(lambda: deflate(GIGABYTE)),
    "bzip2": _repeated(bz2.compress),
    "xz": _repeated(lzma.compress),
    "zstandard": _repeated(zstandard.compress),
    "snappy": cache(_snappy),
}
"""A gigabyte of zeros compressed with each Avro codec; for snappy, only 320 MB."""

LINES: Final[Mapping[str, Callable[[], bytes]]] = {
    ".gz": _repeated(gzip.compress),
    ".bz2": _repeated(bz2.compress),
    ".xz": _repeated(lzma.compress),
    ".zst": _repeated(zstandard.compress),
    ".deflate": cache(lambda: b"\x78\xda" + deflate(GIGABYTE)),
}
"""A gigabyte of compressed zeros for each file ending."""


def write_all(folder: Path) -> list[Path]:
    """Writes every file; each name describes the content."""
    made = [globals()[name](folder / f"{name}.avro") for name in BOMBS]
    made += [packed_block(folder / f"{codec}.avro", codec) for codec in BLOCKS]
    return made + [packed_line(folder / f"line.jsonl{ending}") for ending in LINES]


def _name_of(type_: Any) -> Any:
    return type_["name"] if isinstance(type_, dict) else type_


def _letters(index: int) -> tuple[int, ...]:
    return tuple(33 + index // 90**place % 90 for place in range(4))


def _long(number: int) -> bytes:
    return varint((number << 1) ^ (number >> 63))


def _sized(content: bytes) -> bytes:
    return _long(len(content)) + content

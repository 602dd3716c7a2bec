"""Rewrites files of events without some of their records.

The other records, the schema and the metadata of a file stay the same, byte for byte.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import stat
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path, PurePath
from typing import Any, Final

from apache_beam.io.filesystem import BeamIOError, CompressionTypes
from apache_beam.io.filesystems import FileSystems
from cramjam import snappy
from zstandard import ZstdCompressor

from pipelines.sinks.archive import appearing_at
from pipelines.sources.avro_blocks import raw_file
from pipelines.sources.chunks import Record, record_of_row
from pipelines.sources.lines import lines_of
from schemas.records import Encoding

Keep = Callable[[Record], bool]
"""Tells whether to keep a record."""

_BINARY: Final = "application/octet-stream"


def rewrite(path: str, keep: Keep) -> None:
    """Replaces a file with one that has only the records that `keep` accepts.

    Guarantees: the file is replaced as a whole or not at all. It keeps its mode.

    Args:
      path: an Avro file, or a file of JSON Lines, in any file system that Beam knows.
      keep: tells whether to keep a record.

    Raises:
      InputError: if the file is damaged or the disk is full.
    """
    with _replacing(path) as target:
        if path.endswith(".avro"):
            with FileSystems.open(path, _BINARY, CompressionTypes.UNCOMPRESSED) as source:
                _copy_avro(source, target, PurePath(path).name, keep)
        else:
            for line in lines_of(path):
                if keep(Record(Encoding.JSON, line)):
                    target.write(line)


@contextmanager
def _replacing(path: str) -> Iterator[Any]:
    if "://" in path:
        with _replacing_remote(path) as target:
            yield target
        return
    # A link stays a link, and the file that it names is replaced.
    real = Path(path).resolve()
    with appearing_at(real) as target:
        os.fchmod(target.fileno(), stat.S_IMODE(real.stat().st_mode))
        yield target


@contextmanager
def _replacing_remote(path: str) -> Iterator[Any]:
    # After an error, some file systems keep what was already written. So the file is first written
    # under another name, which no pattern of an archive matches.
    partial = f"{path}.partial"
    try:
        with FileSystems.create(partial, _BINARY, CompressionTypes.UNCOMPRESSED) as raw:
            if path.endswith(".gz"):
                with gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as packed:
                    yield packed
            else:
                yield raw
        FileSystems.copy([partial], [path])
    finally:
        with suppress(BeamIOError):
            FileSystems.delete([partial])


def _copy_avro(source: Any, target: Any, name: str, keep: Keep) -> None:
    file = raw_file(source, name)
    target.write(file.header)
    for records in file.blocks:
        kept = [
            encoded
            for row, encoded in records
            if keep(record_of_row(row) if file.holds_messages else Record(Encoding.AVRO, row))
        ]
        if kept:
            packed = packed_block(b"".join(kept), file.codec)
            target.write(_long(len(kept)) + _long(len(packed)) + packed + file.marker)


def packed_block(content: bytes, codec: str) -> bytes:
    """Packs a block of an Avro file; the opposite of `unpack.unpacked_block`."""
    return _PACK[codec](content)


def _deflate(content: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(content) + stream.flush()


def _snappy(content: bytes) -> bytes:
    return bytes(snappy.compress_raw(content)) + zlib.crc32(content).to_bytes(4, "big")


_PACK: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    "null": bytes,
    "deflate": _deflate,
    "snappy": _snappy,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstandard": lambda content: ZstdCompressor().compress(content),
}


def _long(number: int) -> bytes:
    """Encodes a number that is not negative as Avro does."""
    rest, encoded = number << 1, bytearray()
    while rest >= 0x80:
        encoded.append(rest & 0x7F | 0x80)
        rest >>= 7
    return bytes([*encoded, rest])

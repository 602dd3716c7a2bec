"""Unpacks data only as far as it is read, because a few bytes may unpack to gigabytes."""

from __future__ import annotations

import bz2
import io
import lzma
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any, Final, Protocol, TypeVar

from apache_beam.io.filesystem import CompressionTypes
from cramjam import DecompressionError, snappy
from zstandard import ZstdDecompressor, ZstdError

from schemas.failures import InputError

MAX_BYTES: Final = 1 << 24
"""Largest size of a line, or of an Avro block once it is unpacked. Pub/Sub takes no message above
10 MB, and writers close a block after a megabyte or less."""

DAMAGE: Final = (
    EOFError,
    IndexError,
    MemoryError,  # Raised when a damaged length asks for petabytes.
    OSError,  # Raised by bz2.
    OverflowError,
    ValueError,
    DecompressionError,
    ZstdError,
    lzma.LZMAError,
    zlib.error,
)
"""The errors that fastavro and the decompressors raise for damaged bytes."""

_PACKED_BYTES: Final = 1 << 16
_UNPACKED_BYTES: Final = 1 << 20
_WINDOW_BYTES: Final = 1 << 27
"""Memory that xz or zstd may take. Their highest levels need 64 MB and 128 MB."""
_ZSTD_BYTES: Final = 1 << 10
"""The input that the zstd decoder gets at a time. The decoder does not limit its output: four bytes
may unpack to 128 KB, so 1 KB gives at most 32 MB."""

T = TypeVar("T")


class TooLargeError(Exception):
    """Raised for a line or a block that is too large; the error's message is that limit."""


class _Stream(Protocol):
    """A decompressor of one stream, with the interface of `bz2.BZ2Decompressor`."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class Unpacked(io.RawIOBase):
    """A packed file that is unpacked only as far as it is read.

    Args:
      file: the packed file to read from.
      stream: function that creates a decompressor.
      is_one: whether the file is only one packed stream. If so, any bytes after this stream are
        ignored; otherwise more streams may follow.

    Raises:
      EOFError: while the file is read, if a packed stream is cut short.
    """

    def __init__(self, file: Any, stream: Callable[[], _Stream], *, is_one: bool = False) -> None:
        super().__init__()
        self._file = file
        self._new_stream = stream
        self._stream = stream()
        self._is_one = is_one

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        unpacked = self._next(len(buffer))
        buffer[: len(unpacked)] = unpacked
        return len(unpacked)

    def _next(self, size: int) -> bytes:
        """Returns at most `size` unpacked bytes; no bytes at the end of the file."""
        while True:
            packed = b""
            if self._stream.eof:
                packed = b"" if self._is_one else self._stream.unused_data or self._packed()
                if not packed:
                    return b""
                self._stream = self._new_stream()
            elif self._stream.needs_input:
                packed = self._packed()
            was_waiting = self._stream.needs_input
            unpacked = self._stream.decompress(packed, size)
            if unpacked:
                return unpacked
            if was_waiting and not packed and not self._stream.eof:
                raise EOFError("the packed stream is cut short")

    def _packed(self) -> bytes:
        packed: bytes = self._file.read(_PACKED_BYTES)
        return packed


class _Inflate:
    """zlib's stream with the interface of `bz2`."""

    def __init__(self, window_bits: int) -> None:
        self._stream = zlib.decompressobj(window_bits)

    @property
    def eof(self) -> bool:
        return self._stream.eof

    @property
    def needs_input(self) -> bool:
        return not self._stream.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._stream.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._stream.decompress(self._stream.unconsumed_tail + data, max_length)


class _Unzstd:
    """zstandard's stream with the interface of `bz2`."""

    def __init__(self) -> None:
        self._stream = ZstdDecompressor(max_window_size=_WINDOW_BYTES).decompressobj()
        self._packed = b""
        self._unpacked = memoryview(b"")

    @property
    def eof(self) -> bool:
        return self._stream.eof and not self._unpacked

    @property
    def needs_input(self) -> bool:
        return not self._packed and not self._unpacked

    @property
    def unused_data(self) -> bytes:
        return self._stream.unused_data + self._packed

    def decompress(self, data: bytes, max_length: int) -> bytes:
        self._packed += data
        if not self._unpacked:
            packed, self._packed = self._packed[:_ZSTD_BYTES], self._packed[_ZSTD_BYTES:]
            self._unpacked = memoryview(self._stream.decompress(packed))
        unpacked = self._unpacked[:max_length]
        self._unpacked = self._unpacked[max_length:]
        return bytes(unpacked)


def _xz() -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(memlimit=_WINDOW_BYTES)


_FILE_STREAMS: Final[Mapping[str, Callable[[], _Stream]]] = {
    CompressionTypes.GZIP: lambda: _Inflate(zlib.MAX_WBITS | 16),
    CompressionTypes.DEFLATE: lambda: _Inflate(zlib.MAX_WBITS),
    CompressionTypes.BZIP2: bz2.BZ2Decompressor,
    CompressionTypes.LZMA: _xz,
    CompressionTypes.ZSTD: _Unzstd,
}
_BLOCK_STREAMS: Final[Mapping[str, Callable[[], _Stream]]] = {
    "deflate": lambda: _Inflate(-15),  # Without a header, and with a window of 15 bits.
    "bzip2": bz2.BZ2Decompressor,
    "xz": _xz,
    "zstandard": _Unzstd,
}
CODECS: Final = ("null", "snappy", *_BLOCK_STREAMS)
"""Codecs that the blocks of an Avro file may have."""


def unpacked_file(file: Any, path: str) -> io.BufferedReader:
    """Returns a file object that unpacks while it reads; the ending of the file's name says how."""
    stream = _FILE_STREAMS.get(CompressionTypes.detect_compression_type(path))
    raw = file if stream is None else Unpacked(file, stream)
    return io.BufferedReader(raw, _UNPACKED_BYTES)


def unpacked_block(packed: bytes, codec: str) -> bytes:
    """Unpacks a block of an Avro file.

    Raises:
      TooLargeError: if the unpacked block has more than `MAX_BYTES`.
      Exception: one of `DAMAGE`, if the block is damaged.
    """
    if codec == "null":
        unpacked = packed
    elif codec == "snappy":
        unpacked = _unpacked_snappy(packed)
    else:
        # Writers leave a part of zlib's checksum after the deflate stream.
        file = Unpacked(io.BytesIO(packed), _BLOCK_STREAMS[codec], is_one=codec == "deflate")
        unpacked = io.BufferedReader(file, _UNPACKED_BYTES).read(MAX_BYTES + 1)
    if len(unpacked) > MAX_BYTES:
        raise TooLargeError(f"{MAX_BYTES:,} bytes")
    return unpacked


def or_damaged(parts: Iterator[T], damaged: InputError) -> Iterator[T]:
    """Yields the unpacked parts; raises the error `damaged` if the packed bytes are damaged.

    The error `damaged` has no cause, because the original error may quote a conversation.
    """
    with suppress(*DAMAGE):
        yield from parts
        return
    raise damaged


def _unpacked_snappy(packed: bytes) -> bytes:
    block = memoryview(packed)[:-4]  # A checksum is at the end.
    if snappy.decompress_raw_len(block) > MAX_BYTES:
        raise TooLargeError(f"{MAX_BYTES:,} bytes")
    return bytes(snappy.decompress_raw(block))

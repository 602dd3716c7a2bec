"""Reads the blocks of Avro files. A block of more than a few megabytes is refused."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any, Final, NamedTuple

from apache_beam.io import iobase
from fastavro import block_reader, parse_schema, schemaless_reader
from fastavro.schema import SchemaParseException

from pipelines.sources.avro_schema import is_envelope, schema_to_read
from pipelines.sources.chunks import BYTES_A_CHUNK, ROWS_A_CHUNK
from pipelines.sources.unpack import (
    CODECS,
    DAMAGE,
    MAX_BYTES,
    TooLargeError,
    or_damaged,
    unpacked_block,
)
from schemas.failures import InputError

MAX_ROWS_A_BLOCK: Final = 500_000
"""An event takes at least about 60 bytes, so no block of `MAX_BYTES` holds more events."""

_MAX_HEADER_BYTES: Final = 1 << 20
_MAX_ROWS_A_CHUNK: Final = 8 * ROWS_A_CHUNK
_ROWS_A_STEP: Final = 256
_MARKER_BYTES: Final = 16
_MAX_LONG_BYTES: Final = 10
_NOT_AVRO: Final = (
    *DAMAGE,
    AttributeError,
    KeyError,
    RecursionError,  # Raised for a schema that is nested a thousand levels deep.
    TypeError,
    SchemaParseException,
)


class RawRecord(NamedTuple):
    """A record of a file, and the bytes that encode it."""

    row: Any
    encoded: bytes


class RawFile(NamedTuple):
    """A file whose records can be copied as they are.

    Attributes:
      header: the bytes before the first block, with schema and metadata.
      codec: how the blocks are packed.
      marker: sync marker, which ends each block.
      holds_messages: whether a row is a Pub/Sub message instead of an event.
      blocks: the records of each block.
    """

    header: bytes
    codec: str
    marker: bytes
    holds_messages: bool
    blocks: Iterator[list[RawRecord]]


class _Header(NamedTuple):
    """The header of a file.

    Attributes:
      encoded: its bytes.
      written: schema of the rows in the file.
      read: schema of the rows as they are read; None if it is the same as `written`.
      codec: how the blocks are packed.
      marker: sync marker, which follows the header and each block.
      holds_messages: whether a row is a Pub/Sub message instead of an event.
    """

    encoded: bytes
    written: Any
    read: Any
    codec: str
    marker: bytes
    holds_messages: bool


class _Block(NamedTuple):
    rows: int
    content: bytes


def avro_rows(file: Any, name: str, range_tracker: Any) -> Iterator[tuple[list[Any], bool]]:
    """Yields the rows of one chunk at a time, and whether these rows are Pub/Sub messages.

    Raises:
      InputError: during the iteration, if the file is damaged, contains other records or has a
        block that is too large.
    """
    header = _header_of(file, name)
    start = range_tracker.start_position() or 0
    # A bundle that begins at the end of a marker owns the block after it.
    position = _skip_past(file, header.marker, max(0, start - _MARKER_BYTES))
    if position is None:
        return
    range_tracker.set_split_points_unclaimed_callback(
        lambda stop: 0 if position >= stop else iobase.RangeTracker.SPLIT_POINTS_UNKNOWN
    )
    rows: list[Any] = []
    size_bytes = 0
    while range_tracker.try_claim(position):
        damaged = _damaged(name, position)
        block = _block_at(file, header, name, position, damaged)
        if block is None:
            break
        for some, some_bytes in or_damaged(_rows_of(block, header), damaged):
            rows += some
            size_bytes += some_bytes
            if len(rows) >= _MAX_ROWS_A_CHUNK or size_bytes >= BYTES_A_CHUNK:
                yield rows, header.holds_messages
                rows, size_bytes = [], 0
        position = file.tell()
        if len(rows) >= ROWS_A_CHUNK:
            yield rows, header.holds_messages
            rows, size_bytes = [], 0
    if rows:
        yield rows, header.holds_messages


def avro_row_counts(file: Any, name: str) -> Iterator[tuple[int, int]]:
    """Yields the number of rows in each block, and the position of the block's end.

    Reads only the head of each block and skips its content.

    Raises:
      InputError: during the iteration, if the file is not an archive of events.
      Exception: one of `unpack.DAMAGE`, during the iteration, if the file is damaged.
    """
    header = _header_of(file, name)
    if _skip_past(file, header.marker, 0) is None:
        return
    while (rows := _read_long(file)) is not None:
        size_bytes = _read_long(file)
        if rows < 0 or size_bytes is None or size_bytes < 0:
            raise ValueError("the block has no number of records or no size")
        yield rows, file.seek(size_bytes + _MARKER_BYTES, os.SEEK_CUR)


def raw_file(file: Any, name: str) -> RawFile:
    """Opens a file to copy its records, which may hold fields and bytes that no reader knows.

    Raises:
      InputError: here or while the blocks are read, if the file is damaged, contains other records
        or has a block that is too large.
    """
    header = _header_of(file, name)
    file.seek(len(header.encoded))
    return RawFile(
        header.encoded,
        header.codec,
        header.marker,
        header.holds_messages,
        _raw_blocks(file, header, name),
    )


def _raw_blocks(file: Any, header: _Header, name: str) -> Iterator[list[RawRecord]]:
    while True:
        damaged = _damaged(name, file.tell())
        block = _block_at(file, header, name, file.tell(), damaged)
        if block is None:
            return
        yield list(or_damaged(_raw_records(block, header), damaged))


def _raw_records(block: _Block, header: _Header) -> Iterator[RawRecord]:
    content = io.BytesIO(block.content)
    read_row = _row_reader(block, header, content)
    for _ in range(block.rows):
        start = content.tell()
        row = read_row()
        yield RawRecord(row, block.content[start : content.tell()])
    _check_end(content)


def _damaged(name: str, position: int) -> InputError:
    return InputError(
        f"{name} is damaged or cut short in the block at byte {position}; "
        "restore the file or take it out of the input"
    )


def _header_of(file: Any, name: str) -> _Header:
    head = io.BytesIO(file.read(_MAX_HEADER_BYTES))
    header = None
    try:
        blocks = block_reader(head)
        schema = blocks.writer_schema
        holds_messages = is_envelope(schema, name)
        encoded = head.getvalue()[: head.tell()]
        header = _Header(
            encoded,
            parse_schema(schema),
            schema_to_read(schema, holds_messages=holds_messages),
            blocks.codec,
            encoded[-_MARKER_BYTES:],
            holds_messages,
        )
    except InputError:
        raise
    except _NOT_AVRO:
        pass
    if header is None:
        # Raised outside the handler so that it has no cause, which might quote a conversation.
        raise InputError(f"{name} is not an Avro file; give an archive of events")
    if header.codec not in CODECS:
        raise InputError(
            f"{name} is packed with a codec other than {', '.join(CODECS)}; "
            "write the archive with one of these"
        )
    return header


def _block_at(
    file: Any, header: _Header, name: str, position: int, damaged: InputError
) -> _Block | None:
    """Reads the block at the file's position; returns None at the end of the file."""
    try:
        with suppress(*DAMAGE):
            count = _read_long(file)
            if count is None:
                return None
            packed = _read_packed(file, header.marker)
            if count > MAX_ROWS_A_BLOCK:
                raise TooLargeError(f"{MAX_ROWS_A_BLOCK:,} records")
            return _Block(count, unpacked_block(packed, header.codec))
    except TooLargeError as error:
        raise InputError(
            f"{name} has a block of more than {error} at byte {position}; "
            "write the archive in smaller blocks"
        ) from None
    raise damaged


def _read_packed(file: Any, marker: bytes) -> bytes:
    size_bytes = _read_long(file)
    if size_bytes is None or size_bytes < 0:
        raise ValueError("the block has no size")
    if size_bytes > MAX_BYTES:
        raise TooLargeError(f"{MAX_BYTES:,} bytes")
    packed: bytes = file.read(size_bytes)
    if len(packed) < size_bytes or file.read(len(marker)) != marker:
        raise EOFError("the block does not end at a marker")
    return packed


def _read_long(file: Any) -> int | None:
    """Reads a number in Avro's encoding; returns None at the end of the file."""
    number = 0
    for place in range(_MAX_LONG_BYTES):
        byte: bytes = file.read(1)
        if not byte:
            if place:
                raise EOFError("a number is cut short")
            return None
        number |= (byte[0] & 0x7F) << 7 * place
        if byte[0] < 0x80:
            return (number >> 1) ^ -(number & 1)
    raise ValueError("a number has too many bytes")


def _rows_of(block: _Block, header: _Header) -> Iterator[tuple[list[Any], int]]:
    """Yields some rows of a block at a time, with the number of bytes they take in it."""
    content = io.BytesIO(block.content)
    read_row = _row_reader(block, header, content)
    for first in range(0, block.rows, _ROWS_A_STEP):
        start = content.tell()
        rows = [read_row() for _ in range(min(_ROWS_A_STEP, block.rows - first))]
        yield rows, content.tell() - start
    _check_end(content)


def _row_reader(block: _Block, header: _Header, content: io.BytesIO) -> Callable[[], Any]:
    if block.rows < 0:
        raise ValueError("the block has a negative number of records")
    return partial(
        schemaless_reader,
        content,
        header.written,
        header.read,
        # Bytes that are not UTF-8 become lone surrogates, so `Decode` refuses single records. An
        # error here would lose the whole block.
        handle_unicode_errors="surrogateescape",
    )


def _check_end(content: io.BytesIO) -> None:
    if content.read(1):
        raise ValueError("bytes are left after the block's last record")


def _skip_past(file: Any, marker: bytes, start: int) -> int | None:
    """Moves the file past the first marker from `start` on; returns None if no marker follows."""
    file.seek(start)
    window = b""
    window_start = start
    while chunk := file.read(1 << 16):
        window += chunk
        found = window.find(marker)
        if found >= 0:
            position: int = window_start + found + len(marker)
            file.seek(position)
            return position
        keep = len(marker) - 1
        window_start += max(0, len(window) - keep)
        window = window[-keep:]
    return None

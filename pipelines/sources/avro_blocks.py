"""Reads the blocks of Avro files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from apache_beam.io import iobase
from fastavro import block_reader
from fastavro.schema import SchemaParseException

from pipelines.sources.avro_schema import is_envelope
from pipelines.sources.chunks import BYTES_A_CHUNK, ROWS_A_CHUNK
from pipelines.sources.unpack import DAMAGE
from schemas.failures import InputError

_NO_AVRO: Final = (
    *DAMAGE,
    AttributeError,
    KeyError,
    RecursionError,  # A schema nested a thousand deep.
    TypeError,
    SchemaParseException,
)


def avro_rows(file: Any, name: str, range_tracker: Any) -> Iterator[tuple[list[Any], bool]]:
    """Yields a chunk's rows at a time, with whether they are Pub/Sub messages and no events."""
    holds_messages = None
    try:
        # Bytes that are no UTF-8 stay visible as lone surrogates; `Decode` refuses them one by one,
        # where an error here would lose the block.
        blocks = block_reader(file, handle_unicode_errors="surrogateescape")
        holds_messages = is_envelope(blocks.writer_schema, name)
    except InputError:
        raise
    except _NO_AVRO:
        pass
    if holds_messages is None:
        # Raised out here without a cause: that one may hold what was said, as bytes.
        raise InputError(f"{name} is no Avro file; give an archive of events")
    start = range_tracker.start_position() or 0
    sync_marker = blocks._header["sync"]
    # A bundle that begins at the end of a marker owns the block behind it.
    position = _skip_past(file, sync_marker, max(0, start - len(sync_marker)))
    if position is None:
        return
    range_tracker.set_split_points_unclaimed_callback(
        lambda stop: 0 if position >= stop else iobase.RangeTracker.SPLIT_POINTS_UNKNOWN
    )
    rows: list[Any] = []
    size_bytes = 0
    while range_tracker.try_claim(position):
        try:
            block = next(blocks)
            rows.extend(block)
            if block.bytes_.read(1):
                raise ValueError("bytes are left behind the block's last record")
        except StopIteration:
            break
        except DAMAGE:
            raise InputError(
                f"{name} is damaged or cut short in the block at byte {position}; "
                "restore the file or take it out of the input"
            ) from None
        position = block.offset + block.size
        size_bytes += block.bytes_.getbuffer().nbytes
        if len(rows) >= ROWS_A_CHUNK or size_bytes >= BYTES_A_CHUNK:
            yield rows, holds_messages
            rows, size_bytes = [], 0
    if rows:
        yield rows, holds_messages


def _skip_past(file: Any, marker: bytes, start: int) -> int | None:
    """Moves the file just past the first marker from `start` on; None where there is none."""
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

"""Builds files of events, and reads them without a runner."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from apache_beam.io.source_test_utils import read_from_source

from pipelines.sources.files import AvroSource, JsonLinesSource
from schemas.records import PayloadChunk
from tests.builders import avro_event
from tests.schemas.payloads import json_event

MICROS: Final = {"type": "long", "logicalType": "timestamp-micros"}
LINE: Final = json_event()


def events(count: int, **fields: Any) -> list[dict[str, Any]]:
    """Builds `count` events of an archive, each with its own id."""
    return [avro_event(**{"event_id": f"e{i}", **fields}) for i in range(count)]


def read_avro(path: Path | str) -> list[PayloadChunk]:
    """Reads an Avro file from start to end, without splitting it."""
    chunks: list[PayloadChunk] = read_from_source(AvroSource(str(path)), None, None)
    return chunks


def rows_of(chunks: Iterable[PayloadChunk]) -> list[Any]:
    """Returns the rows of chunks in order."""
    return [row for chunk in chunks for row in chunk.rows]


def read_lines(path: Path, content: bytes) -> list[bytes]:
    """Writes a JSON Lines file and returns the rows that are read from it."""
    path.write_bytes(content)
    return rows_of(read_from_source(JsonLinesSource(str(path), splittable=False), None, None))


def header_bytes(archive: bytes | bytearray) -> int:
    """Returns the offset of the first block, which is after the first sync marker."""
    return archive.index(archive[-16:]) + 16

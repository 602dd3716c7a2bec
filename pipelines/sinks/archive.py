"""Files of conversation events: Avro archives and JSON Lines, written whole or not at all.

An event is a dict with the fields of `schemas/conversation_event.avsc`, instants in microseconds.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO, Final

import fastavro
import msgspec

from pipelines.terminal.full_disk import writing_to
from schemas.failures import InputError
from schemas.wire.avro import avro_schema
from schemas.wire.validate import SCHEMA_VERSION

SYNTHESISED: Final = "undertone.synthesised"
"""Metadata key: the event fields that are made up instead of recorded, separated by commas."""

CODEC: Final = "snappy"
"""A file with this codec is read 2 % slower than an uncompressed file (181 k rows/s against 184 k),
and is half as large. With deflate at level 1, a file is another quarter smaller, but is read 8 %
slower."""

BLOCK_BYTES: Final = 1_000_000
"""Uncompressed size of an Avro block: some thousand rows, enough work for a bundle."""

_NO_METADATA: Final[Mapping[str, str]] = MappingProxyType({})
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_AVRO_MAGIC: Final = b"Obj\x01"
_GZIP_MAGIC: Final = b"\x1f\x8b"
_GZIP_LEVEL: Final = 6
_FIELDS: Final = tuple(field["name"] for field in avro_schema()["fields"])
_INSTANTS: Final = ("sent_at", "published_at")


def write_archive(
    path: Path | str,
    events: Iterable[Mapping[str, Any]],
    *,
    metadata: Mapping[str, str] = _NO_METADATA,
) -> int:
    """Writes events to an Avro archive, and returns the number of events.

    The file appears under its name only once it is complete; an error leaves nothing behind.
    """
    counted = _Counted(events)
    with appearing_at(Path(path)) as file:
        fastavro.writer(
            file,
            fastavro.parse_schema(avro_schema()),
            counted,
            codec=CODEC,
            sync_interval=BLOCK_BYTES,
            metadata=dict(metadata),
        )
    return counted.events


def write_json_lines(path: Path | str, events: Iterable[Mapping[str, Any]]) -> int:
    """Writes events as JSON Lines, and returns the number of events.

    The file is gzipped if its name ends in `.gz`.

    Fields have the names that the protobuf schema gives them. `sent_at` and `published_at` are
    written as in RFC 3339; an instant outside the calendar stays a number of microseconds. As with
    `write_archive`, the file appears whole or not at all.
    """
    encode = msgspec.json.Encoder().encode
    counted = _Counted(events)
    with appearing_at(Path(path)) as file:
        for event in counted:
            file.write(encode(_json_event(event)) + b"\n")
    return counted.events


def read_events(path: Path | str) -> Iterator[dict[str, Any]]:
    """Yields the events of an Avro archive or a JSON Lines file, gzipped or not.

    Raises:
      InputError: if the file is missing or has neither format.
    """
    path = Path(path)
    magic = _magic_of(path)
    if magic == _AVRO_MAGIC:
        with path.open("rb") as file:
            yield from _reader(path, file)
        return
    with _open_lines(path, magic) as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield _event_of(path, number, line)


def read_archive_metadata(path: Path | str) -> dict[str, str]:
    """Returns the metadata that `write_archive` was given.

    Raises:
      InputError: if the file is missing or not an Avro archive.
    """
    path = Path(path)
    if _magic_of(path) != _AVRO_MAGIC:
        raise InputError(f"{path} is not an Avro archive; name an Avro archive.")
    with path.open("rb") as file:
        metadata: Mapping[str, str] = _reader(path, file).metadata
        return {key: value for key, value in metadata.items() if not key.startswith("avro.")}


class _Counted:
    """Counts the events that pass through it."""

    def __init__(self, events: Iterable[Mapping[str, Any]]) -> None:
        self._source = events
        self.events = 0

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        for event in self._source:
            self.events += 1
            yield event


@contextmanager
def appearing_at(path: Path) -> Iterator[BinaryIO | gzip.GzipFile]:
    """Opens a file that gets its name when it is closed, and is deleted if anything fails."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        with writing_to(path), partial.open("wb") as raw:
            if path.suffix == ".gz":
                # The gzip header has no name and no time, so that equal events give equal files.
                with gzip.GzipFile("", "wb", _GZIP_LEVEL, raw, mtime=0) as packed:
                    yield packed
            else:
                yield raw
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _json_event(event: Mapping[str, Any]) -> dict[str, Any]:
    written = {key: value for key, value in event.items() if value is not None}
    for name in _INSTANTS:
        instant_us = written.get(f"{name}_us")
        if instant_us is not None:
            try:
                written[name] = _EPOCH + timedelta(microseconds=instant_us)
            except OverflowError:
                continue
            del written[f"{name}_us"]
    return written


def _event_of(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        row = json.loads(line)
        event: dict[str, Any] = dict.fromkeys(_FIELDS) | {"schema_version": SCHEMA_VERSION} | row
        for name in _INSTANTS:
            stated = event.pop(name, None)
            if stated is not None:
                since = datetime.fromisoformat(stated) - _EPOCH
                event[f"{name}_us"] = since // timedelta(microseconds=1)
    except (ValueError, TypeError) as error:
        raise InputError(
            f"Line {number} of {path} is not an event in JSON; write the file again."
        ) from error
    return event


def _magic_of(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise InputError(
            f"{path} can't be read ({error.strerror}); name a file that exists."
        ) from error
    return _GZIP_MAGIC if magic.startswith(_GZIP_MAGIC) else magic


@contextmanager
def _open_lines(path: Path, magic: bytes) -> Iterator[BinaryIO | gzip.GzipFile]:
    with path.open("rb") as raw:
        if magic != _GZIP_MAGIC:
            yield raw
            return
        try:
            with gzip.GzipFile(fileobj=raw) as packed:
                yield packed
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise InputError(f"{path} is a broken gzip file ({error}); copy it again.") from error


def _reader(path: Path, file: BinaryIO) -> Any:
    try:
        return fastavro.reader(file)
    except (ValueError, EOFError) as error:
        raise InputError(f"{path} is a broken Avro archive ({error}); write it again.") from error

"""Reads files of events; the ending of a file says whether it is Avro or JSON Lines."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any

import apache_beam as beam
from apache_beam.io import filebasedsource
from apache_beam.io.concat_source import ConcatSource
from apache_beam.io.filesystem import FileMetadata
from apache_beam.io.filesystems import FileSystems
from apache_beam.io.range_trackers import OffsetRangeTracker

from pipelines.sources.avro_blocks import avro_rows
from pipelines.sources.chunks import (
    BYTES_A_CHUNK,
    ROWS_A_CHUNK,
    Record,
    chunks_of_records,
    record_of_row,
)
from pipelines.sources.lines import lines_of
from pipelines.terminal.progress import note_read
from schemas.failures import InputError
from schemas.records import Encoding, PayloadChunk


class ReadAvro(beam.PTransform[Any, PayloadChunk]):
    """Reads Avro archives of events, or of Pub/Sub messages that contain events.

    Out: `PayloadChunk`, bounded, in the global window; a file is split at its blocks.
    Raises: `InputError` at construction if no file matches or a matching file is empty.
    `InputError` while the job runs if a file is damaged or contains other records.

    Args:
      pattern: the pattern of the files.
      files: the files that the pattern matches, if they are known; otherwise the files are listed.
    """

    def __init__(self, pattern: str, files: Sequence[FileMetadata] = ()) -> None:
        super().__init__()
        self.files = files or _files_of(pattern)
        for file in self.files:
            # Beam skips an empty file, but even an archive without events has a header.
            if not file.size_in_bytes:
                raise InputError(f"{file.path} is empty; restore it or take it out of the input")
        self.source = AvroSource(pattern, validate=False)

    def expand(self, root: Any) -> beam.PCollection[PayloadChunk]:
        return root | "ReadAvroBlocks" >> beam.io.Read(self.source)


class ReadJsonLines(beam.PTransform[Any, PayloadChunk]):
    """Reads files with one JSON event per line, compressed or not.

    Out: `PayloadChunk`, bounded, in the global window; one worker reads a file.
    Raises: `InputError` at construction if no file matches. `InputError` while the job runs if a
    file is damaged or a line is too long.

    Args:
      pattern: the pattern of the files.
      files: as for `ReadAvro`.
    """

    def __init__(self, pattern: str, files: Sequence[FileMetadata] = ()) -> None:
        super().__init__()
        self.files = files or _files_of(pattern)
        self.source = JsonLinesSource(pattern, splittable=False, validate=False)

    def expand(self, root: Any) -> beam.PCollection[PayloadChunk]:
        return root | "ReadLines" >> beam.io.Read(self.source)


class ReadFiles(beam.PTransform[Any, PayloadChunk]):
    """Reads the files of any number of patterns.

    The ending of a pattern says whether its files are Avro or JSON Lines.

    Out: `PayloadChunk`, bounded, in the global window.
    Raises: `InputError` at construction if an ending is unknown or no file matches.

    Args:
      patterns: the patterns of the files.
      listed: the files that each pattern matches, if they are known; otherwise the files are
        listed.
    """

    def __init__(
        self, patterns: Sequence[str], listed: Sequence[Sequence[FileMetadata]] | None = None
    ) -> None:
        super().__init__()
        self._source = ConcatSource([read.source for read in _reads_of(patterns, listed)])

    def expand(self, root: Any) -> beam.PCollection[PayloadChunk]:
        # One step reads all patterns. A month of hourly patterns would make a graph of hundreds of
        # steps.
        return root | "ReadInputs" >> beam.io.Read(self._source)


def records_in_order(
    patterns: Sequence[str], listed: Sequence[Sequence[FileMetadata]] | None = None
) -> Iterator[Record]:
    """Yields the records of files one by one, without a runner.

    Patterns are read in the given order. The files of a pattern are read in the order of their
    names, and the records of a file in the order of the file.

    Args:
      patterns: the patterns of the files.
      listed: the files that each pattern matches, as for `ReadFiles`.

    Raises:
      InputError: before the first record, as `ReadFiles` does; later, if a file is damaged.
    """
    for read in _reads_of(patterns, listed):
        for path in sorted(file.path for file in read.files if file.size_in_bytes):
            yield from read.source.records(path)


def literal_or_pattern(pattern: str) -> str:
    """Returns a pattern that Beam's file systems match in the way that the user expects.

    Beam's file systems find nothing if the first part of a path has a wildcard. They also read
    brackets in a file's name as a wildcard. The returned pattern avoids both.
    """
    if "://" in pattern:
        return pattern
    if os.path.isfile(pattern):
        pattern = re.sub(r"([\[*?])", r"[\1]", pattern)
    return pattern if os.path.isabs(pattern) else os.path.join(os.curdir, pattern)


def size_of(patterns: Sequence[str]) -> int:
    """Returns the total size in bytes of the files that match a pattern."""
    matches = FileSystems.match([literal_or_pattern(pattern) for pattern in patterns])
    return sum(file.size_in_bytes for match in matches for file in match.metadata_list)


def read_of(pattern: str, files: Sequence[FileMetadata] = ()) -> ReadAvro | ReadJsonLines:
    """Returns the step that reads the files of a pattern.

    Raises:
      InputError: if the ending is unknown, no file matches or an Avro file is empty.
    """
    endings: Mapping[str, type[ReadAvro | ReadJsonLines]] = {
        ".avro": ReadAvro,
        ".jsonl": ReadJsonLines,
        ".jsonl.gz": ReadJsonLines,
    }
    for ending, read in endings.items():
        if pattern.endswith(ending):
            return read(pattern, files)
    raise InputError(
        f"{pattern} does not end in one of {', '.join(endings)}; "
        "turn chats into events first with: undertone import"
    )


def _reads_of(
    patterns: Sequence[str], listed: Sequence[Sequence[FileMetadata]] | None
) -> list[ReadAvro | ReadJsonLines]:
    known = listed or [()] * len(patterns)
    return [
        read_of(literal_or_pattern(pattern), files)
        for pattern, files in zip(patterns, known, strict=True)
    ]


class AvroSource(filebasedsource.FileBasedSource):
    """Reads whole Avro blocks; split points are the sync markers, as in Beam's own Avro source."""

    def read_records(self, file_name: str, range_tracker: Any) -> Iterator[PayloadChunk]:
        name = PurePath(file_name).name
        with self.open_file(file_name) as file:
            for rows, is_envelope in avro_rows(file, name, range_tracker):
                note_read(len(rows))
                if is_envelope:
                    yield from chunks_of_records(map(record_of_row, rows), name, is_live=False)
                else:
                    yield PayloadChunk(Encoding.AVRO, rows, None, name)

    def records(self, path: str) -> Iterator[Record]:
        """Yields the records of one file."""
        whole = OffsetRangeTracker(0, OffsetRangeTracker.OFFSET_INFINITY)
        with self.open_file(path) as file:
            for rows, is_envelope in avro_rows(file, PurePath(path).name, whole):
                for row in rows:
                    yield record_of_row(row) if is_envelope else Record(Encoding.AVRO, row)


class JsonLinesSource(filebasedsource.FileBasedSource):
    """Reads a whole file without splitting it."""

    def read_records(self, file_name: str, range_tracker: Any) -> Iterator[PayloadChunk]:
        name = PurePath(file_name).name
        if not range_tracker.try_claim(range_tracker.start_position() or 0):
            return
        rows: list[bytes] = []
        size_bytes = 0
        for line in lines_of(file_name):
            rows.append(line)
            size_bytes += len(line)
            if len(rows) >= ROWS_A_CHUNK or size_bytes >= BYTES_A_CHUNK:
                yield _json_chunk(rows, name)
                rows, size_bytes = [], 0
        if rows:
            yield _json_chunk(rows, name)

    def records(self, path: str) -> Iterator[Record]:
        """Yields the records of one file."""
        for line in lines_of(path):
            yield Record(Encoding.JSON, line)


def _json_chunk(rows: list[bytes], name: str) -> PayloadChunk:
    note_read(len(rows))
    return PayloadChunk(Encoding.JSON, rows, None, name)


def _files_of(pattern: str) -> list[Any]:
    """Returns the metadata of the files that match a pattern.

    Raises:
      InputError: if no file matches.
    """
    files: list[Any] = FileSystems.match([pattern])[0].metadata_list
    if not files:
        shown = pattern.removeprefix(os.path.join(os.curdir, ""))
        raise InputError(f"no file matches {shown}; check the path")
    return files

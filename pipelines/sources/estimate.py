"""Estimates how many records or messages files hold, without decoding any text.

An Avro block says how many records it has, and a JSON Lines file has one record per line. Only the
first part of a large input is looked at, and the rest is estimated from its size. Equal files give
equal estimates.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path, PurePath
from typing import Final, NamedTuple

from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems
from apache_beam.io.iobase import Read

from pipelines.sources.avro_blocks import avro_row_counts
from pipelines.sources.files import ReadAvro, literal_or_pattern, read_of
from pipelines.sources.unpack import DAMAGE, unpacked_file
from schemas.failures import InputError

_BINARY: Final = "application/octet-stream"
_CHUNK_BYTES: Final = 1 << 20
_HUMAN_TURN: Final = re.compile(rb'"role"\s*:\s*"(?:human|user)"')

Steps = Iterator[tuple[int, int]]
"""Steps through a file. Each has a number of records, and the file's position after the step."""


class _Limits(NamedTuple):
    """How much of an input is looked at.

    Attributes:
      files: number of files of one kind.
      blocks: number of Avro blocks.
      chunks: number of chunks of lines, a megabyte each once unpacked.
    """

    files: int
    blocks: int
    chunks: int


_LOCAL: Final = _Limits(files=500, blocks=20_000, chunks=64)
"""About a second's work. It covers archives of up to some gigabytes completely."""

_REMOTE: Final = _Limits(files=3, blocks=20, chunks=4)
"""Other file systems answer each jump in a file with a request."""


class _File(NamedTuple):
    path: str
    size_bytes: int


class InputSize(NamedTuple):
    """The estimated size of an input.

    Attributes:
      records: about how many records there are; exact if the whole input was looked at.
      parts: number of parts that workers can read at the same time. A JSON Lines file is one part.
    """

    records: int
    parts: int


def input_size(patterns: Sequence[str]) -> InputSize:
    """Estimates the size of the input that patterns of event files match.

    Damage ends the look at a file, but is not an error here, because the run itself reports it.

    Raises:
      InputError: if an ending is unknown, no file matches a pattern or an Avro file is empty.
    """
    avro: list[_File] = []
    lines: list[_File] = []
    for read in [read_of(literal_or_pattern(pattern)) for pattern in patterns]:
        found = avro if isinstance(read, ReadAvro) else lines
        found += [_File(file.path, file.size_in_bytes) for file in read.files]
    limits = _REMOTE if any("://" in file.path for file in avro + lines) else _LOCAL
    records = _extrapolated(avro, _avro_steps, limits.files, limits.blocks)
    records += _extrapolated(lines, _line_steps, limits.files, limits.chunks)
    bytes_a_part = Read.get_desired_chunk_size(sum(file.size_bytes for file in avro + lines))
    parts = sum(-(-file.size_bytes // bytes_a_part) for file in avro) + len(lines)
    return InputSize(records, max(1, parts))


def human_turns_in(path: Path) -> int | None:
    """Estimates how many human turns a file with one conversation per line has.

    Returns:
      The number, or None if the file is a pipe, which can be read only once.

    Raises:
      OSError: if the file can't be read.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        return None
    file = _File(os.fspath(path), status.st_size)
    return _extrapolated([file], _turn_steps, _LOCAL.files, _LOCAL.chunks)


def _extrapolated(
    files: Iterable[_File], steps_of: Callable[[str], Steps], max_files: int, max_steps: int
) -> int:
    """Counts the records of files up to the limits, and adds those of the rest by its size."""
    in_order = sorted(files)
    records = looked_at_bytes = steps = 0
    for path, size_bytes in in_order[:max_files]:
        looked_at = size_bytes
        with suppress(*DAMAGE, InputError):
            for count, position in islice(steps_of(path), max_steps - steps):
                records += count
                steps += 1
                looked_at = position
        looked_at_bytes += min(looked_at, size_bytes)
        if steps == max_steps:
            break
    total_bytes = sum(file.size_bytes for file in in_order)
    if not looked_at_bytes:
        return records
    return max(records, round(records * total_bytes / looked_at_bytes))


def _avro_steps(path: str) -> Steps:
    with FileSystems.open(path, _BINARY, CompressionTypes.UNCOMPRESSED) as file:
        yield from avro_row_counts(file, PurePath(path).name)


def _line_steps(path: str) -> Steps:
    with FileSystems.open(path, _BINARY, CompressionTypes.UNCOMPRESSED) as file:
        unpacked = unpacked_file(file, path)
        last = b"\n"
        while chunk := unpacked.read(_CHUNK_BYTES):
            last = chunk
            yield chunk.count(b"\n"), file.tell()
        yield int(not last.endswith(b"\n")), file.tell()


def _turn_steps(path: str) -> Steps:
    with open(path, "rb") as file:
        while lines := file.readlines(_CHUNK_BYTES):
            yield sum(len(_HUMAN_TURN.findall(line)) for line in lines), file.tell()

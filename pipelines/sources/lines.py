"""Reads the lines of plain and packed files."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any, Final

from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

from pipelines.sources.unpack import MAX_BYTES, TooLargeError, or_damaged, unpacked_file
from schemas.failures import InputError

_BINARY: Final = "application/octet-stream"


def lines_of(path: str) -> Iterator[bytes]:
    """Yields the lines of a file that are not blank.

    Raises:
      InputError: during the iteration, if the file is damaged or a line is too long.
    """
    name = PurePath(path).name
    damaged = InputError(
        f"{name} is damaged or cut short; restore the file or take it out of the input"
    )
    # Beam would unpack 16 MB of the file at once, however large the unpacked bytes are.
    with FileSystems.open(path, _BINARY, CompressionTypes.UNCOMPRESSED) as file:
        lines = _Lines(unpacked_file(file, path))
        try:
            yield from or_damaged(iter(lines), damaged)
        except TooLargeError as error:
            raise InputError(
                f"line {lines.number:,} of {name} has more than {error}; take it out of the file"
            ) from None


class _Lines:
    """The lines of a file that are not blank; `number` counts blank lines too."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.number = 0

    def __iter__(self) -> Iterator[bytes]:
        while line := self._file.readline(MAX_BYTES + 1):
            self.number += 1
            if len(line) > MAX_BYTES:
                raise TooLargeError(f"{MAX_BYTES:,} bytes")
            if self.number == 1:
                # Windows puts a byte order mark before the first line; JSON allows none.
                line = line.removeprefix(codecs.BOM_UTF8)
            if line and not line.isspace():
                yield line

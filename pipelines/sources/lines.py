"""Reads the lines of plain and packed files."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import Any

from apache_beam.io.filesystem import CompressedFile

from pipelines.sources.unpack import DAMAGE
from schemas.failures import InputError


def lines_of(file: Any, name: str) -> Iterator[bytes]:
    """Yields the lines that are not blank."""
    try:
        # Windows puts a byte order mark before the first line; JSON knows none.
        line = file.readline().removeprefix(codecs.BOM_UTF8)
        while line:
            if not line.isspace():
                yield line
            line = file.readline()
        # Beam takes the end of the file for the end of the packed stream.
        if isinstance(file, CompressedFile) and not file._decompressor.eof:
            raise EOFError("the packed stream has no end")
    except DAMAGE:
        raise InputError(
            f"{name} is damaged or cut short; restore the file or take it out of the input"
        ) from None

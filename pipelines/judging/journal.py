"""The journal of a local judging run: each judgement is on disk before the next one is asked for.

A judgement may cost money or a person's time, so a crash must not lose it. The journal is one JSON
line for each judgement. When the run ends or the next one starts, its rows move into the Parquet
file of the table `judgements`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO, Final

import msgspec

from pipelines.sinks.records import read_records, sync_folder, write_records
from schemas.judged import JUDGEMENTS, JudgementRow

JOURNAL_FILE: Final = "judgements.jsonl"
_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(JudgementRow).decode


class Journal:
    """The journal beside a table's Parquet file. Only one process may use it at a time.

    Args:
      path: the journal; it need not exist.
      table: the Parquet file of the table `judgements`; it need not exist.

    Raises:
      OSError: from any method, if a disk is full or a file can't be written.
    """

    def __init__(self, path: Path, table: Path) -> None:
        self._path = path
        self._table = table
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Journal:
        """Moves into the table what an interrupted run left behind."""
        self.fold()
        return self

    def __exit__(self, *_: object) -> None:
        self.fold()

    def save(self, row: JudgementRow) -> None:
        """Appends a judgement. It is on disk when this method returns."""
        if self._file is None:
            self._file = self._path.open("ab")
            sync_folder(self._path.parent)
        self._file.write(_encode(row) + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def fold(self) -> list[JudgementRow]:
        """Moves the journal's rows into the table, and returns all rows of the table.

        A crash at any moment loses no row and repeats none: a row that is in both is taken once,
        and the journal is deleted only after the table is on disk. A line that a crash cut off was
        never saved, so it is dropped.
        """
        if self._file is not None:
            self._file.close()
            self._file = None
        rows = read_records(self._table, JUDGEMENTS, JudgementRow)
        if self._path.exists():
            *lines, _ = self._path.read_bytes().split(b"\n")
            rows = list(dict.fromkeys([*rows, *map(_decode, lines)]))
            write_records(self._table, JUDGEMENTS, rows)
            self._path.unlink()
        return rows

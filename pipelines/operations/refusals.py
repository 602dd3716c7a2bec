"""Detects inputs that are not events, either before or after a run.

After a run, they are detected by the share of refused records.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import msgspec
from apache_beam.io.filesystems import FileSystems

from pipelines.sources.files import literal_or_pattern
from schemas.failures import InputError
from transforms.counting.ledger import DEAD_LETTER, LATE, READ

MOST: Final = 0.5
"""The largest share of records that a run may refuse. If a run refuses a larger share, the run
counts as failed, although its tables were written."""

_REASONS_SHOWN: Final = 3
_FIRST_LINE_BYTES: Final = 4_000_000


class MostRefusedError(RuntimeError):
    """Raised when a run refused most of its records."""


class _Line(msgspec.Struct):
    turns: msgspec.Raw = msgspec.Raw()
    event_id: msgspec.Raw = msgspec.Raw()


_decode = msgspec.json.Decoder(_Line).decode


def check_refusals(ledger: Iterable[Mapping[str, Any]], folder: Path) -> None:
    """Checks that a run accepted at least half of its records.

    Args:
      ledger: rows of the run's ledger.
      folder: output folder of the run.

    Raises:
      MostRefusedError: if the run refused more than half of its records; the message gives the
        counts and the main reasons.
    """
    read = 0
    refused: Counter[str] = Counter()
    for row in ledger:
        if row["account"] == READ:
            read += row["records"]
        elif row["account"] in {DEAD_LETTER, LATE}:
            refused[row["reason"] or row["account"]] += row["records"]
    if refused.total() > MOST * read:
        main = ", ".join(f"{n:,} {reason}" for reason, n in refused.most_common(_REASONS_SHOWN))
        raise MostRefusedError(
            f"{refused.total():,} of {read:,} records were refused ({main}), so the tables are "
            f"not reliable; see undertone dead-letters list {folder}"
        )


def check_no_chats(patterns: Sequence[str]) -> None:
    """Checks that JSON Lines inputs are not files of conversations for `undertone classify`.

    Only the first line of the first file of each pattern is checked.

    Raises:
      InputError: if a file holds conversations; the message says how to turn it into events.
    """
    lines = [pattern for pattern in patterns if pattern.endswith((".jsonl", ".jsonl.gz"))]
    for match in FileSystems.match([literal_or_pattern(pattern) for pattern in lines]):
        for file in match.metadata_list[:1]:
            if _holds_chats(file.path):
                raise InputError(
                    f"{file.path} holds conversations, not events; turn it into events first: "
                    f"undertone import {file.path} --output events.avro"
                )


def _holds_chats(path: str) -> bool:
    # If the line can't be read or decoded, the run itself reports it.
    with (
        suppress(OSError, EOFError, zlib.error, msgspec.DecodeError, RecursionError),
        FileSystems.open(path) as file,
    ):
        line = _decode(file.readline(_FIRST_LINE_BYTES))
        return bool(line.turns) and not line.event_id
    return False

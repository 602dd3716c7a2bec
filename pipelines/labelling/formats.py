"""Reads files of labels: our own, and exports of Label Studio and Argilla.

The content says which it is. Our own is JSON Lines, see `store`. Label Studio exports one JSON list
of tasks with `annotations`; Argilla a JSON list, or JSON Lines, of records with `responses`. In
both tools the questions must have the names of `Reading`'s attributes, as in the files that
`label_studio` and `argilla` write.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from pipelines.labelling import argilla, label_studio
from pipelines.labelling.reading import Reading
from pipelines.labelling.store import parse_readings
from schemas.failures import InputError

_READERS: Final = {"annotations": label_studio.readings_of, "responses": argilla.readings_of}
"""The key that tells what a list of objects is, with what reads one of them."""


def read_labels(path: Path) -> list[Reading]:
    """Returns the readings of a file of labels, in its order.

    Raises:
      InputError: if the file can't be read, is of another kind, or holds labels that are not
        valid. The message gives the number of the line, task or record, but quotes nothing from it.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"can't read {path} ({error.strerror}); name a different file") from None
    if content.lstrip().startswith(b"["):
        return list(_of_list(_decoded(content, path.name), path.name))
    first = content.lstrip().partition(b"\n")[0]
    if _is_record(first):
        return list(_of_list(_records(content, path.name), path.name))
    return list(parse_readings(content, path.name))


def _of_list(items: Iterable[Any], name: str) -> Iterator[Reading]:
    for number, item in enumerate(items, 1):
        known = [key for key in _READERS if isinstance(item, Mapping) and key in item]
        if not known:
            raise InputError(
                f"{name} item {number} is neither a task of Label Studio with annotations nor a "
                "record of Argilla with responses; export again, as JSON"
            )
        try:
            readings = list(_READERS[known[0]](item))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise InputError(
                f"{name} item {number} does not name its conversation, or its answers are not of "
                "the questions that `undertone label --export` writes; use that project"
            ) from None
        for reading in readings:
            if fault := reading.fault():
                raise InputError(f"{name} item {number}: {fault}")
            yield reading


def _is_record(line: bytes) -> bool:
    try:
        item = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return isinstance(item, dict) and "responses" in item


def _records(content: bytes, name: str) -> Iterator[Any]:
    for number, line in enumerate(content.split(b"\n"), 1):
        if line.strip():
            yield _decoded(line, f"{name} line {number}")


def _decoded(content: bytes, place: str) -> Any:
    try:
        return msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InputError(f"{place} is not JSON; export again") from None

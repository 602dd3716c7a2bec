"""Erases one user's conversations from samples, judgements and files of labels.

They are found by the hashes of the conversations that the archive has, so this comes before the
archive itself. Files of labels may also name them by id.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from pipelines.judging.folder import opened
from pipelines.operations.forget_search import Found
from pipelines.operations.status import Query
from pipelines.sinks.archive import appearing_at
from pipelines.sinks.database import build_databases
from schemas.failures import InputError
from schemas.judged import JUDGEMENTS, SAMPLE

Erased = list[tuple[str, int]]
"""What was erased, or would be, and how many rows of it."""

_TABLES: Final = (SAMPLE.name, JUDGEMENTS.name)
_CONDITION: Final = "FROM `{restricted}.{table}` WHERE conversation IN ({hashes})"
_HASHES_A_QUERY: Final = 5_000


def forget_in_dataset(found: Found, query: Query, *, is_applied: bool) -> Erased:
    """Deletes the sampled conversations and judgements of a user from BigQuery.

    Candidates stay until the days are backfilled.

    Args:
      found: result of the search.
      query: runs a query on the tables.
      is_applied: whether to delete; otherwise they are only counted.

    Raises:
      InputError: if BigQuery can't be reached or refuses a query.
    """
    erased = []
    for table in _TABLES:
        rows = 0
        for hashes in _listed(found.sampled):
            condition = _CONDITION.replace("{table}", table).replace("{hashes}", hashes)
            rows += query(f"SELECT COUNT(*) AS found {condition}")[0]["found"]
            if is_applied:
                query(f"DELETE {condition}")
        erased.append((f"rows of {table}", rows))
    return erased


def _listed(hashes: set[str]) -> Iterator[str]:
    in_order = sorted(hashes)
    for start in range(0, len(in_order), _HASHES_A_QUERY):
        yield ", ".join(f"'{each}'" for each in in_order[start : start + _HASHES_A_QUERY])


def forget_in_run(found: Found, folder: Path, *, is_applied: bool) -> Erased:
    """Deletes the same from the folder of a run, with its candidates, and rebuilds its databases.

    What the run published stays as it is.

    Raises:
      InputError: if the folder is not one of a finished run, or another process has it open.
    """
    with opened(folder) as judged:
        numbers = judged.forget(found.sampled, is_applied=is_applied)
    if is_applied:
        build_databases(folder)
    return [(f"rows of {table} in {folder.name}", number) for table, number in numbers.items()]


def forget_labels(found: Found, file: Path, *, is_applied: bool) -> Erased:
    """Deletes the labels and texts of a user's conversations from a file of labels.

    An item goes if any text in it is the user's id, or the id or hash of one of the conversations.

    Args:
      found: result of the search.
      file: JSON Lines, or a JSON list, as `labelling.formats` reads them.
      is_applied: whether to rewrite the file.

    Raises:
      InputError: if the file can't be read or written, or is not JSON.
    """
    person = found.person
    names = {person.user_id, *person.conversations, *found.sampled}
    try:
        content = file.read_bytes()
        kept, number = _without(content, file, lambda item: not _names(item, names))
        if is_applied and number:
            mode = stat.S_IMODE(file.stat().st_mode)
            with appearing_at(file.resolve()) as target:
                target.write(kept)
            file.chmod(mode)
    except OSError as error:
        raise InputError(f"can't rewrite {file} ({error.strerror}); name another file") from None
    return [(f"labels in {file.name}", number)]


def _without(content: bytes, file: Path, keep: Callable[[Any], bool]) -> tuple[bytes, int]:
    """Returns the content without some items, and how many there were of these."""
    try:
        if content.lstrip().startswith(b"["):
            items = msgspec.json.decode(content)
            kept = [item for item in items if keep(item)]
            return msgspec.json.encode(kept), len(items) - len(kept)
        lines = content.splitlines(keepends=True)
        left = [line for line in lines if not line.strip() or keep(msgspec.json.decode(line))]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InputError(
            f"{file} has something that is not JSON; export it again, or remove the line"
        ) from None
    return b"".join(left), len(lines) - len(left)


def _names(item: Any, names: set[str]) -> bool:
    if isinstance(item, str):
        return item in names
    if isinstance(item, dict):
        return any(_names(value, names) for value in item.values())
    return isinstance(item, list) and any(_names(value, names) for value in item)

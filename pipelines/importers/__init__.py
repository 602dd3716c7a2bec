"""Turns chat exports into events. Each source has a module; `detect` tells the sources apart."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

from pipelines.importers import chatgpt, chats, claude
from pipelines.importers.events import Event
from pipelines.importers.exports import first_of_array
from schemas.failures import InputError

AUTO: Final = "auto"
CLAUDE: Final = "claude"
CHATGPT: Final = "chatgpt"
CHATS: Final = "chats"
_BYTE_ORDER_MARK: Final = (b"\xef", b"\xbb", b"\xbf")
KINDS: Final = (CLAUDE, CHATGPT, CHATS)


def detect(path: Path | str) -> str:
    """Returns the kind of an export, one of `KINDS`. The content decides, not the name.

    Raises:
      InputError: if the export is of an unknown kind or can't be read.
    """
    path = Path(path)
    if not path.is_dir() and not zipfile.is_zipfile(path) and _is_chats(path):
        return CHATS
    first = first_of_array(path)
    for key, kind in (("chat_messages", CLAUDE), ("mapping", CHATGPT)):
        if isinstance(first, dict) and key in first:
            return kind
    raise InputError(
        f"{path} is neither an export from Claude or ChatGPT nor a file with one conversation per "
        "line; give one of these, or name its format with --kind."
    )


def import_events(
    path: Path | str,
    kind: str = AUTO,
    *,
    start: datetime,
    days: int = 1,
    seed: int = 0,
    users_per_conversation: float = 0.7,
) -> Iterator[Event]:
    """Yields the events of an export, as dicts of the archive's fields.

    Args:
      path: file, folder or zip file.
      kind: one of `KINDS`, or `auto` to detect it.
      start: first instant of made-up times. `start` and the next three arguments matter only for
        the kind `chats`; see `chats.Synthesis`.
      days: number of days over which the conversations are spread.
      seed: seed of everything that is made up; equal seeds give equal events.
      users_per_conversation: number of users divided by number of conversations.

    Raises:
      InputError: if the export can't be read or an argument is out of range.
    """
    path = Path(path)
    kind = _known(path, kind)
    if kind == CLAUDE:
        return claude.read(path)
    if kind == CHATGPT:
        return chatgpt.read(path)
    try:
        synthesis = chats.Synthesis(
            start=start, days=days, seed=seed, users_per_conversation=users_per_conversation
        )
    except ValueError as error:
        raise InputError(str(error)) from error
    return chats.read(path, synthesis)


def synthesised_fields(path: Path | str, kind: str = AUTO) -> tuple[str, ...]:
    """Returns the names of the event fields that an importer makes up.

    Raises:
      InputError: as in `detect`.
    """
    return chats.SYNTHESISED_FIELDS if _known(Path(path), kind) == CHATS else ()


def _known(path: Path, kind: str) -> str:
    if kind == AUTO:
        return detect(path)
    if kind not in KINDS:
        raise InputError(f"{kind} is not a kind of export; use one of {', '.join((AUTO, *KINDS))}.")
    return kind


def _is_chats(path: Path) -> bool:
    """Tells whether the first line of a file is a conversation, without reading the rest.

    The rest may be long.
    """
    with chats.open_lines(path) as file:
        start = file.read(1)
        while start.isspace() or start in _BYTE_ORDER_MARK:
            start = file.read(1)
        if start != b"{":
            return False
        try:
            first = json.loads(start + file.readline())
        except (ValueError, RecursionError):
            return False
    return isinstance(first, dict) and "turns" in first

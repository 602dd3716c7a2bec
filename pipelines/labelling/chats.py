"""Reads conversations to label from a file with one conversation per line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pipelines.judges.interface import Transcript, Turn
from pipelines.operations.classify import IS_HUMAN, read_conversations
from schemas.failures import InputError

NO_START_US = 0
"""These files do not say when a conversation began."""


def read_chats(lines: Iterable[bytes], source: str) -> Iterator[Transcript]:
    """Yields the conversations of a file as `undertone classify` takes it, without system turns.

    Args:
      lines: the lines of the file.
      source: the file's name, for errors.

    Raises:
      InputError: if a line is not a conversation, or an id occurs twice.
    """
    ids: set[str] = set()
    for conversation in read_conversations(lines, source):
        name = str(conversation.id)
        if name in ids:
            raise InputError(
                f"conversation {len(ids) + 1} of {source} has the id of an earlier one; make the "
                "ids differ"
            )
        ids.add(name)
        turns = tuple(
            Turn(is_human=is_human, text=turn.text)
            for turn in conversation.turns
            if (is_human := IS_HUMAN[turn.role]) is not None
        )
        yield Transcript(name, NO_START_US, turns)

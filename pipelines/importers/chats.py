"""Reads files with one conversation per line, and makes up the missing times and users."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import IO, Any, Final

import msgspec

from pipelines.importers.events import (
    ASSISTANT,
    HUMAN,
    SECOND_US,
    SYSTEM,
    Event,
    fitting_id,
    make_event,
)
from schemas.failures import InputError

SYNTHESISED_FIELDS: Final = ("sent_at_us", "user_id")
USER_PREFIX: Final = "synthetic-"

_ROLES: Final = {"human": HUMAN, "user": HUMAN, "assistant": ASSISTANT, "system": SYSTEM}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_US: Final = 86_400 * SECOND_US
_LONGEST_PAUSE_US: Final = 8 * 3600 * SECOND_US
"""The pause is well below the session gap, so each line stays one conversation."""
_GZIP_MAGIC: Final = b"\x1f\x8b"


class _Turn(msgspec.Struct):
    role: str
    text: str


class _Line(msgspec.Struct):
    turns: list[_Turn]
    id: str | int | None = None
    source: Any = None
    lang: Any = None


@dataclass(frozen=True, kw_only=True)
class Synthesis:
    """How to make up times and users. Equal values give equal times and users.

    Attributes:
      start: no conversation starts before this instant; must carry a time zone.
      days: every conversation starts within this many days of `start`.
      seed: seed of everything random.
      users_per_conversation: number of users divided by number of conversations; above 0, at most
        1. The more conversations a user has had, the likelier it is that the next conversation is
        from this user. So most users have one or two conversations, and a few have very many.
    """

    start: datetime
    days: int = 1
    seed: int = 0
    users_per_conversation: float = 0.7

    def __post_init__(self) -> None:
        if self.start.tzinfo is None:
            raise ValueError(f"start must carry a time zone, got {self.start}; use e.g. +00:00")
        if self.days < 1:
            raise ValueError(f"days must be at least 1, got {self.days}; use e.g. 7")
        if not 0 < self.users_per_conversation <= 1:
            raise ValueError(
                f"users_per_conversation must be above 0 and at most 1, got "
                f"{self.users_per_conversation}; use e.g. 0.7"
            )


def read(path: Path, synthesis: Synthesis) -> Iterator[Event]:
    """Yields the messages of a file, conversation by conversation.

    Each line is a separate conversation. If an earlier line has the same id, the line number is
    appended to the id.

    Raises:
      InputError: if the file is missing, or a line is not a conversation. The message gives the
        number of the line.
    """
    random = Random(synthesis.seed)
    users = _Users(random, synthesis.users_per_conversation)
    start_us = (synthesis.start - _EPOCH) // timedelta(microseconds=1)
    met: set[str] = set()
    for number, line in _lines(path):
        conversation = _decode(path, number, line)
        conversation_id = _unique_id(conversation.id, number, met)
        user_id = users.draw()
        at_us = start_us + int(random.random() * synthesis.days * _DAY_US)
        for index, turn in enumerate(conversation.turns):
            if turn.role not in _ROLES:
                raise InputError(
                    f"Line {number} of {path} has an unknown role in turn {index}; "
                    f"use one of {', '.join(_ROLES)}."
                )
            role = _ROLES[turn.role]
            if index:
                at_us += _pause_us(random, role)
            yield make_event(
                conversation_id,
                f"{conversation_id}:{index}",
                index,
                role=role,
                text=turn.text,
                sent_at_us=at_us,
                user_id=user_id,
                platform=_stated(conversation.source),
                language=_stated(conversation.lang),
            )


@contextmanager
def open_lines(path: Path) -> Iterator[IO[bytes] | gzip.GzipFile]:
    """Opens a file, gzipped or not.

    Raises:
      InputError: if the file is missing or broken.
    """
    try:
        with path.open("rb") as raw:
            is_packed = raw.read(2) == _GZIP_MAGIC
            raw.seek(0)
            if is_packed:
                with gzip.GzipFile(fileobj=raw) as packed:
                    yield packed
            else:
                yield raw
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path} is a broken gzip file; copy it again.") from error
    except OSError as error:
        raise InputError(f"{path} can't be read ({error.strerror}); check the path.") from error


class _Users:
    """Draws users by a Yule process.

    Each draw gives a new user or a known one. A known user is the likelier to be drawn, the more
    conversations the user has had.
    """

    def __init__(self, random: Random, share_new: float) -> None:
        self._random = random
        self._share_new = share_new
        self._of_conversations: list[int] = []
        self._users = 0

    def draw(self) -> str:
        """Returns the user of the next conversation."""
        past = self._of_conversations
        if not past or self._random.random() < self._share_new:
            self._users += 1
            past.append(self._users)
        else:
            past.append(past[int(self._random.random() * len(past))])
        return f"{USER_PREFIX}{past[-1]:06}"


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    with open_lines(path) as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield number, line


def _decode(path: Path, number: int, line: bytes) -> _Line:
    try:
        try:
            return _decode_line(line)
        except msgspec.ValidationError:
            raise
        except (msgspec.DecodeError, UnicodeDecodeError):
            # The standard library accepts a lone surrogate (half an emoji); msgspec does not.
            return msgspec.convert(json.loads(line), type=_Line)
    except msgspec.ValidationError as error:
        raise InputError(
            f"Line {number} of {path} is not a conversation ({error}); write each line as "
            '{"turns": [{"role": …, "text": …}]}.'
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"Line {number} of {path} is not valid JSON; correct it.") from error


_decode_line = msgspec.json.Decoder(_Line).decode


def _unique_id(stated: str | int | None, number: int, met: set[str]) -> str:
    conversation_id = fitting_id(str(stated)) if stated not in (None, "") else f"line{number}"
    if conversation_id in met:
        conversation_id = f"{conversation_id}:line{number}"
    met.add(conversation_id)
    return conversation_id


def _pause_us(random: Random, role: str) -> int:
    """Returns how long a role takes to answer: seconds for the assistant, minutes for a human."""
    if role != HUMAN:
        return int((2 + 23 * random.random()) * SECOND_US)
    return min(int(random.lognormvariate(4.2, 1.3) * SECOND_US) + SECOND_US, _LONGEST_PAUSE_US)


def _stated(value: object) -> str | None:
    return value if isinstance(value, str) and value else None

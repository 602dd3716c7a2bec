"""Cuts a long conversation to what a judge reads, the same way every time.

The judge reads the first and the last messages of the conversation, and always the first and the
last three human messages, which decide the opening and closing type and the moods. Each message is
cut in its middle. A judge is told what was left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from pipelines.judges.interface import Turn
from schemas.failures import InputError

ENDS: Final = 3
"""How many human messages at either end decide the opening and closing type and the moods."""

_LEFT_OUT: Final = " […] "
_HEAD_SHARE: Final = 2 / 3
"""The share of a cut message that is its beginning, which mostly says what the message wants."""


class Cut(msgspec.Struct, frozen=True):
    """How much of a conversation a judge reads.

    Attributes:
      first, last: number of messages that are kept at the beginning and at the end.
      characters: most characters of one message.
    """

    first: int = 20
    last: int = 20
    characters: int = 2_000

    def __post_init__(self) -> None:
        if self.first < 0 or self.last < 0:
            raise InputError(
                "first_messages and last_messages can't be negative, "
                f"got {self.first} and {self.last}"
            )
        if self.characters < 20:
            raise InputError(f"message_characters must be at least 20, got {self.characters}")


class Line(msgspec.Struct, frozen=True):
    """One message of an excerpt; its number counts all messages of the conversation from 1."""

    number: int
    is_human: bool
    text: str

    def __repr__(self) -> str:
        return f"Line({self.number}, {len(self.text)} characters)"


class Excerpt(msgspec.Struct, frozen=True):
    """What a judge reads of one conversation.

    Attributes:
      lines: the messages that were kept.
      messages: number of messages of the whole conversation.
      opening, closing: numbers of the first and of the last three human messages; fewer if the
        conversation has fewer.
    """

    lines: tuple[Line, ...]
    messages: int
    opening: tuple[int, ...]
    closing: tuple[int, ...]


def excerpt_of(turns: Sequence[Turn], cut: Cut) -> Excerpt:
    """Returns the part of a conversation that a judge reads."""
    human = [number for number, turn in enumerate(turns, start=1) if turn.is_human]
    opening, closing = tuple(human[:ENDS]), tuple(human[-ENDS:])
    kept = {
        *range(1, min(cut.first, len(turns)) + 1),
        *range(max(len(turns) - cut.last, 0) + 1, len(turns) + 1),
        *opening,
        *closing,
    }
    lines = tuple(
        Line(number, turn.is_human, shortened(turn.text, cut.characters))
        for number, turn in enumerate(turns, start=1)
        if number in kept
    )
    return Excerpt(lines, len(turns), opening, closing)


def shortened(text: str, characters: int) -> str:
    """Returns a text of at most so many characters, with a mark where its middle is missing."""
    if len(text) <= characters:
        return text
    room = characters - len(_LEFT_OUT)
    head = round(room * _HEAD_SHARE)
    return text[:head] + _LEFT_OUT + text[len(text) - (room - head) :]

"""A reading: the labels that one person gave to one conversation. Holds no text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from schemas.judged import JudgedLabels, fault_of
from schemas.labels import MIN_ROLEPLAY_HUMAN_MESSAGES, NO_TYPE

Key = tuple[str, int]
"""A conversation: its hash or id, and its start in microseconds since the epoch."""


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a file of labels.

    Attributes:
      conversation: the conversation, as in `judges.interface.Transcript`.
      started_at_us: microseconds since the epoch; 0 if the file does not say.
      human_messages: how many human messages the reader saw; None if the file does not say.
      use, types, opening_type, closing_type, pushback_reasons, mood_start, mood_end: as in
        `schemas.judged.JudgedLabels`.
      moods: mood of the first and then of the last three human messages, one number a message;
        empty if the reader gave none. `mood_start` and `mood_end` are their means.
      reader: who read it.
      final: whether this reading settles a disagreement.
      definitions: version of the definitions that the reader saw; empty if unknown.
    """

    conversation: str
    started_at_us: int = 0
    human_messages: int | None = None
    use: str
    types: tuple[str, ...] = ()
    opening_type: str = NO_TYPE
    closing_type: str = NO_TYPE
    pushback_reasons: tuple[str, ...] = ()
    mood_start: float | None = None
    mood_end: float | None = None
    moods: tuple[float, ...] = ()
    reader: str = ""
    final: bool = False
    definitions: str = ""

    @property
    def key(self) -> Key:
        """The conversation that was read."""
        return self.conversation, self.started_at_us

    @property
    def labels(self) -> JudgedLabels:
        """The labels without the reader."""
        return JudgedLabels(
            use=self.use,
            types=self.types,
            opening_type=self.opening_type,
            closing_type=self.closing_type,
            pushback_reasons=self.pushback_reasons,
            mood_start=self.mood_start,
            mood_end=self.mood_end,
        )

    def fault(self) -> str | None:
        """Returns a sentence that says why the labels are not valid, or None if they are."""
        seen = self.human_messages
        return fault_of(self.labels, MIN_ROLEPLAY_HUMAN_MESSAGES if seen is None else seen)


def latest(readings: Iterable[Reading]) -> dict[tuple[Key, str], Reading]:
    """Returns the last reading of each conversation by each reader.

    The order is that of the first readings: whoever read a conversation first comes first.
    """
    return {(reading.key, reading.reader): reading for reading in readings}


def settled(readings: Sequence[Reading]) -> Reading:
    """Returns the reading that counts, of several readers' readings of one conversation.

    That is the last final reading. If there is none, it is the first reader's: either the others
    agree with it, or nobody settled the disagreement.

    Args:
      readings: one reading a reader, in the order of `latest`; at least one.
    """
    return next((reading for reading in reversed(readings) if reading.final), readings[0])

"""The simulator's record of a message before it becomes an event."""

from __future__ import annotations

from typing import NamedTuple


class PlannedMessage(NamedTuple):
    """A message and its true labels.

    Attributes:
      sent_at_us: microseconds since the epoch; unique within a thread.
      is_human: whether the message is from the human, rather than from the assistant.
      kind: one of `labels.TYPES`, or of `labels.USES` except `affective`. An assistant's message
        has the kind of the message that it answers.
      half_points: sentiment of a human message in half points, -2..2; 0 for the assistant.
      pushback_reason: one of `labels.PUSHBACK_REASONS` if the assistant pushes back, else None.
      user: pseudonymous id; None if the event does not name the user.
      attributes: values of `breakdowns.ATTRIBUTES`; None for each that the event does not state.
      language: language of the text, `en` or `zh`.
      text: text of the message.
    """

    sent_at_us: int
    is_human: bool
    kind: str
    half_points: int
    pushback_reason: str | None
    user: str | None
    attributes: tuple[str | None, ...]
    language: str
    text: str

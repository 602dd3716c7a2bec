"""What the simulator knows of a message before it becomes an event."""

from __future__ import annotations

from typing import NamedTuple


class PlannedMessage(NamedTuple):
    """One message with the labels it is to be given.

    Attributes:
      sent_at_us: microseconds since the epoch; no two messages of a thread share one.
      is_human: who speaks.
      kind: one of `labels.TYPES`, or of `labels.USES` without `affective`. An assistant's message
        has the kind of what it answers.
      half_points: sentiment of a human's message in half points, -2..2; 0 for an assistant's.
      pushback_reason: one of `labels.PUSHBACK_REASONS` where the assistant pushes back, else None.
      user: pseudonymous id, or None where the event does not say.
      attributes: values of `breakdowns.ATTRIBUTES` as the event states them, None where it states
        none.
      language: what the text is written in, `en` or `zh`.
      text: what is said.
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

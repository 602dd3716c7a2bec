"""Writes the true labels of simulated conversations, as a file of labels for the judge `labels`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from pipelines.labelling.reading import Reading
from pipelines.simulator.records import PlannedMessage
from pipelines.simulator.truth import Conversation

READER: Final = "simulator"
_ENDS: Final = 3
_HALF_POINTS_PER_POINT: Final = 2
_encode = msgspec.json.Encoder().encode


def label_line(
    conversation_id: str, conversation: Conversation, messages: Sequence[PlannedMessage]
) -> bytes:
    """Returns the line of one conversation.

    Args:
      conversation_id: as in the events.
      conversation: its true labels.
      messages: its messages in time order.
    """
    human = [message for message in messages if message.is_human]
    (drift,) = _values(conversation, "drift")
    opening, _, closing = drift.partition(">")
    (use,) = _values(conversation, "use")
    reading = Reading(
        conversation=conversation_id,
        started_at_us=conversation.started_at_us,
        human_messages=len(human),
        use=use,
        types=_values(conversation, "type"),
        opening_type=opening,
        closing_type=closing,
        pushback_reasons=_values(conversation, "pushback_reason"),
        mood_start=_mood(human[:_ENDS]),
        mood_end=_mood(human[-_ENDS:]),
        reader=READER,
        definitions=READER,
    )
    return _encode(reading) + b"\n"


def _values(conversation: Conversation, facet: str) -> tuple[str, ...]:
    return tuple(value for name, value in conversation.facets if name == facet)


def _mood(messages: Sequence[PlannedMessage]) -> float | None:
    if not messages:
        return None
    return sum(m.half_points for m in messages) / (_HALF_POINTS_PER_POINT * len(messages))

"""Builders of transcripts and readings."""

from __future__ import annotations

from typing import Any, Final

from pipelines.judges.interface import Transcript, Turn
from pipelines.labelling.reading import Reading

CANARY: Final = "zanzibar-quetzal-7731"
"""A word that occurs only in the text of conversations."""

START_US: Final = 1_767_225_600_000_000


def transcript(number: int = 0, *, human_messages: int = 2, text: str = CANARY) -> Transcript:
    """Returns a conversation in which the person and the assistant take turns."""
    turns = tuple(Turn(is_human=i % 2 == 0, text=text) for i in range(2 * human_messages))
    return Transcript(f"{number:032x}", START_US + number, turns)


def reading(number: int = 0, **labels: Any) -> Reading:
    """Returns a reading of the conversation that `transcript` returns."""
    about: dict[str, Any] = {
        "conversation": f"{number:032x}",
        "started_at_us": START_US + number,
        "use": "work",
    }
    return Reading(**(about | labels))


ADVICE: Final[dict[str, Any]] = {"use": "affective", "types": ("interpersonal_advice",)}

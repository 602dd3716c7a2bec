"""Provides message texts: either prose from the project's own corpus, or codes for labels."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any, Final

SCENE_LANGUAGES: Final = ("en", "zh")
OPENING: Final = "opening"
MIDDLE: Final = "middle"
CLOSING: Final = "closing"
_ANY_KIND: Final = "any"

LABEL: Final = "label"
"""The prefix of every code. The parts of a code are separated by colons."""
PUSHBACK: Final = "pushback"
REPLY: Final = "reply"


def human_code(kind: str, half_points: int) -> str:
    """Returns the code for a human message with this label."""
    return f"{LABEL}:{kind}:{half_points}"


def assistant_code(pushback_reason: str | None) -> str:
    """Returns the code for an assistant message.

    If the reason is None, returns the code for a plain reply.
    """
    return f"{LABEL}:{PUSHBACK}:{pushback_reason}" if pushback_reason else f"{LABEL}:{REPLY}"


class Scenes:
    """The texts of the project's own corpus, by language, role, kind, stage and sentiment."""

    def __init__(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self._human: dict[tuple[str, str, str], dict[int, list[str]]] = {}
        self._assistant: dict[tuple[str, str, str | None], list[str]] = {}
        for row in rows:
            if row["role"] == "human":
                moods = self._human.setdefault((row["lang"], row["kind"], row["stage"]), {})
                moods.setdefault(round(row["sentiment"] * 2), []).append(row["text"])
            else:
                where = (row["lang"], row["kind"], row["pushback_reason"])
                self._assistant.setdefault(where, []).append(row["text"])
        # Some moods have no text. For those, the nearest mood that has a text is used.
        self._nearest = {
            where: [
                min(moods, key=lambda mood: (abs(mood - wanted), mood)) for wanted in range(-2, 3)
            ]
            for where, moods in self._human.items()
        }

    def half_points(self, language: str, kind: str, stage: str, wanted: int) -> int:
        """Returns the sentiment nearest to `wanted` (-2..2) for which there is a text."""
        return self._nearest[language, kind, stage][wanted + 2]

    def human(self, language: str, kind: str, stage: str, half_points: int, variant: int) -> str:
        """Returns a human message.

        Args:
          language: `en` or `zh`.
          kind: kind of the message.
          stage: stage of the conversation.
          half_points: a sentiment that was returned by the method `half_points`.
          variant: any number; it selects one of the texts.
        """
        texts = self._human[language, kind, stage][half_points]
        return texts[variant % len(texts)]

    def assistant(self, language: str, kind: str, pushback_reason: str | None, variant: int) -> str:
        """Returns an assistant message: a reply to the kind, or pushback for the reason."""
        where = kind if pushback_reason is None else _ANY_KIND
        texts = self._assistant[language, where, pushback_reason]
        return texts[variant % len(texts)]


@cache
def load_scenes() -> Scenes:
    """Reads the corpus that is shipped with the package."""
    folder = resources.files("pipelines.simulator")
    lines = [
        line
        for language in SCENE_LANGUAGES
        for line in folder.joinpath(f"scenes_{language}.jsonl").read_text("utf-8").splitlines()
    ]
    return Scenes([json.loads(line) for line in lines])

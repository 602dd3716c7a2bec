"""The texts: either prose written for this project, or codes that name the planned label."""

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
"""Every code begins with this. Colons separate its parts."""
PUSHBACK: Final = "pushback"
REPLY: Final = "reply"


def human_code(kind: str, half_points: int) -> str:
    """Returns the code for a human message with this label."""
    return f"{LABEL}:{kind}:{half_points}"


def assistant_code(pushback_reason: str | None) -> str:
    """Returns the code for an assistant message; without a reason it is a plain reply."""
    return f"{LABEL}:{PUSHBACK}:{pushback_reason}" if pushback_reason else f"{LABEL}:{REPLY}"


class Scenes:
    """The written messages, by language, role, kind, stage and sentiment."""

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
        # Not every mood has a text: each place keeps the nearest mood that has one.
        self._nearest = {
            where: [
                min(moods, key=lambda mood: (abs(mood - wanted), mood)) for wanted in range(-2, 3)
            ]
            for where, moods in self._human.items()
        }

    def half_points(self, language: str, kind: str, stage: str, wanted: int) -> int:
        """Returns the sentiment, of those with a text, that is nearest to the wanted one, -2..2."""
        return self._nearest[language, kind, stage][wanted + 2]

    def human(self, language: str, kind: str, stage: str, half_points: int, variant: int) -> str:
        """Returns a human message. Take `half_points` from that method; `variant` is any number."""
        texts = self._human[language, kind, stage][half_points]
        return texts[variant % len(texts)]

    def assistant(self, language: str, kind: str, pushback_reason: str | None, variant: int) -> str:
        """Returns an assistant message: a reply to the kind, or pushback for the reason."""
        where = kind if pushback_reason is None else _ANY_KIND
        texts = self._assistant[language, where, pushback_reason]
        return texts[variant % len(texts)]


@cache
def load_scenes() -> Scenes:
    """Reads the scenes that come with the package."""
    folder = resources.files("pipelines.simulator")
    lines = [
        line
        for language in SCENE_LANGUAGES
        for line in folder.joinpath(f"scenes_{language}.jsonl").read_text("utf-8").splitlines()
    ]
    return Scenes([json.loads(line) for line in lines])

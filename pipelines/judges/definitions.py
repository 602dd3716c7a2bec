"""Short definitions of every label, in English and simplified Chinese, for people and models.

docs/metrics.md is the full text. What a judge read is part of its version, so `VERSION` changes
with every change of a definition.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from typing import Any, Final, NamedTuple

import msgspec

from schemas.labels import NO_TYPE, PUSHBACK_REASONS, SENTIMENT_STEPS, TYPES, USES

LANGUAGES: Final = ("en", "zh")
"""Languages of the definitions; `zh` is simplified Chinese."""

_DATA: Final = files("pipelines.judges").joinpath("definitions.json").read_bytes()

VERSION: Final = hashlib.sha256(_DATA).hexdigest()[:8]
"""Version of the definitions in all languages: the start of their hash."""


class Definition(NamedTuple):
    """What one label means.

    Attributes:
      name: the label, as in `schemas.labels`.
      title: its short name for readers.
      text: its definition, in one or a few sentences.
    """

    name: str
    title: str
    text: str


class Definitions(msgspec.Struct, frozen=True, kw_only=True):
    """The definitions of all labels in one language.

    Attributes:
      language: one of `LANGUAGES`.
      affective: what makes a conversation affective.
      types, uses, pushback_reasons: one definition a label, in the order of `schemas.labels`.
      pushback: what is pushback, and what is not.
      mood: the scale of the mood, and of which messages it is the mean.
      mood_steps: words for the steps of `labels.SENTIMENT_STEPS`, in their order.
      opening, closing: how the opening and the closing type are chosen.
      none: the label that stands for no type.
      rules: rules for borderline cases.
    """

    language: str
    affective: Definition
    types: tuple[Definition, ...]
    uses: tuple[Definition, ...]
    pushback: Definition
    pushback_reasons: tuple[Definition, ...]
    mood: Definition
    mood_steps: tuple[tuple[float, str], ...]
    opening: Definition
    closing: Definition
    none: Definition
    rules: tuple[str, ...]


@cache
def definitions(language: str) -> Definitions:
    """Returns the definitions in one language.

    Raises:
      ValueError: if `language` is not one of `LANGUAGES`.
    """
    if language not in LANGUAGES:
        raise ValueError(f"language must be one of {', '.join(LANGUAGES)}, got {language!r}")
    data: dict[str, Any] = msgspec.json.decode(_DATA)[language]

    def one(name: str) -> Definition:
        return Definition(name, *data[name])

    def each(group: str, names: tuple[str, ...]) -> tuple[Definition, ...]:
        return tuple(Definition(name, *data[group][name]) for name in names)

    return Definitions(
        language=language,
        affective=one("affective"),
        types=each("types", TYPES),
        uses=each("uses", USES),
        pushback=one("pushback"),
        pushback_reasons=each("pushback_reasons", PUSHBACK_REASONS),
        mood=one("mood"),
        mood_steps=tuple(zip(SENTIMENT_STEPS, data["mood_steps"], strict=True)),
        opening=one("opening"),
        closing=one("closing"),
        none=Definition(NO_TYPE, data["none"], ""),
        rules=tuple(data["rules"]),
    )

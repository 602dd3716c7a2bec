"""The fixed sets of labels, such as conversation types, uses and pushback reasons.

Source of the types and of the definition of *affective*: Anthropic, "How people use Claude for
support, advice, and companionship", June 2025. Stored bits and columns follow the order of these
tuples, so the order is part of the state and table contracts: append new labels, never reorder.
"""

from __future__ import annotations

from typing import Final

AFFECTIVE_TYPES: Final = (
    "interpersonal_advice",
    "coaching",
    "counseling",
    "companionship",
    "romantic_roleplay",
)
"""Types that make a conversation affective; a conversation may have several."""

TYPES: Final = (*AFFECTIVE_TYPES, "roleplay")
"""All types; `roleplay` (other interactive fiction) is measured but is not affective."""

NO_TYPE: Final = "none"
"""Stands for a missing opening or closing type in the tables."""

ROLEPLAY_TYPES: Final = ("romantic_roleplay", "roleplay")
"""Types that need at least `MIN_ROLEPLAY_HUMAN_MESSAGES` human messages to be counted."""

MIN_ROLEPLAY_HUMAN_MESSAGES: Final = 4
"""The study counts roleplay only in conversations of at least four human messages."""

PUSHBACK_TYPES: Final = ("interpersonal_advice", "coaching", "counseling", "companionship")
"""Types for which the study reports pushback; both types of roleplay are left out."""

USES: Final = (
    "affective",
    "content_creation",
    "technical",
    "work",
    "learning",
    "information",
    "leisure",
    "other",
)
"""Uses of a conversation; every conversation has exactly one."""

PUSHBACK_REASONS: Final = (
    "self_harm",
    "dangerous_health",
    "professional_limits",
    "sexual",
    "harm_or_illegal",
    "ai_identity",
    "challenged_belief",
    "policy_other",
)
"""Reasons why the assistant refuses, resists or challenges the user."""

SENTIMENT_STEPS: Final = (-1.0, -0.5, 0.0, 0.5, 1.0)
"""The five steps in which a message's sentiment is labelled, from very negative to very positive.

The classifier scores it more finely.
"""

LANGUAGES: Final = ("und", "en", "zh", "es", "pt", "fr", "de", "ja", "ko", "ru", "ar")
"""BCP 47 codes of the languages that the classifier can identify; `und` means undetermined."""


def named(names: tuple[str, ...], bits: int) -> tuple[str, ...]:
    """Returns the names whose bits are set, e.g. the types of a conversation."""
    return tuple(name for bit, name in enumerate(names) if bits >> bit & 1)


def type_name(index: int) -> str:
    """Returns the name of a type by its index in `TYPES`; `NO_TYPE` for -1."""
    return TYPES[index] if index >= 0 else NO_TYPE

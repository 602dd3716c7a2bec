"""The closed vocabularies of the project. Bits and columns have the order of these tuples.

Source of the types and of the definition of *affective*: Anthropic, "How people use Claude for
support, advice, and companionship", June 2025. The order of every tuple is part of the state and
table contracts: append, never reorder.
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
"""All types; `roleplay` (other interactive fiction) is measured beside the affective ones."""

NO_TYPE: Final = "none"
"""How a missing opening or closing type is written."""

ROLEPLAY_TYPES: Final = ("romantic_roleplay", "roleplay")
"""Types counted only from `MIN_ROLEPLAY_HUMAN_MESSAGES` human messages on."""

MIN_ROLEPLAY_HUMAN_MESSAGES: Final = 4
"""The study counts roleplay only in conversations of at least four human messages."""

PUSHBACK_TYPES: Final = ("interpersonal_advice", "coaching", "counseling", "companionship")
"""Types over which the study reports pushback; both roleplays are left out."""

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
"""What a conversation is used for; each has exactly one."""

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
"""Why the assistant refuses, resists or challenges."""

SENTIMENT_STEPS: Final = (-1.0, -0.5, 0.0, 0.5, 1.0)
"""The five-step scale of a message, very negative to very positive."""

LANGUAGES: Final = ("und", "en", "zh", "es", "pt", "fr", "de", "ja", "ko", "ru", "ar")
"""BCP 47 codes of the languages that the classifier tells apart; `und` is undetermined."""

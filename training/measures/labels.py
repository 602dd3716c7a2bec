"""Reads the true types of a conversation from its labels."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas.labels import MIN_ROLEPLAY_HUMAN_MESSAGES, ROLEPLAY_TYPES, TYPES
from training.sources import Conversation

REAL_TYPES: Final = {
    "interpersonal": "interpersonal_advice",
    "romantic": "romantic_roleplay",
    "companionship": "companionship",
    "counseling": "counseling",
    "coaching": "coaching",
    "roleplay": "roleplay",
}
"""The type that each label of a real conversation stands for."""

AFFECTIVE_LABELS: Final = tuple(name for name in REAL_TYPES if name != "roleplay")


def true_types(conversation: Conversation) -> NDArray[np.bool_]:
    """Marks the types of a conversation; marks none if the conversation has no label."""
    truth = np.zeros(len(TYPES), np.bool_)
    if conversation.labels is not None:
        truth[[TYPES.index(name) for name in conversation.labels.types]] = True
    elif conversation.label in REAL_TYPES:
        kind = REAL_TYPES[conversation.label]
        short = len(conversation.human) < MIN_ROLEPLAY_HUMAN_MESSAGES
        truth[TYPES.index(kind)] = not (short and kind in ROLEPLAY_TYPES)
    return truth

"""Reads the true types of a conversation from its labels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from schemas.labels import MIN_ROLEPLAY_HUMAN_MESSAGES, ROLEPLAY_TYPES, TYPES
from training.sources import Conversation


def true_types(conversation: Conversation) -> NDArray[np.bool_]:
    """Marks the types of a conversation; marks none if the conversation has no label."""
    truth = np.zeros(len(TYPES), np.bool_)
    if conversation.labels is not None:
        short = len(conversation.human) < MIN_ROLEPLAY_HUMAN_MESSAGES
        for name in conversation.labels.types:
            truth[TYPES.index(name)] = not (short and name in ROLEPLAY_TYPES)
    return truth

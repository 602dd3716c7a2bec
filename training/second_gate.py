"""Fits the second gate: a linear model of what makes real conversations affective.

The network's gate learns from written and real conversations together, and finds the written ones
best. Real conversations are flatter. A plain logistic regression that mostly sees real ones finds
more of them, so the classifier adds the two.

Each set, and each language of the written ones, gets an offset of its own that is dropped after the
fit. Otherwise the model would learn that written texts are affective more often.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.logistic import fit_logistic
from training.sources import TOOLS, Conversation

WRITTEN_WEIGHT: Final = 0.03
"""The weight of a written conversation. A real one weighs 1."""

PENALTY: Final = 1.0
_OFFSET_PENALTY: Final = 0.02


def fit_second_gate(
    conversations: Sequence[Conversation],
    vectors: NDArray[np.float64],
    rows: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Fits the gate to those of the conversations `rows` that have labels.

    Args:
        conversations: the `n` conversations.
        vectors: float64 (n, d), the mean of the unit vectors of each conversation's messages.
        rows: the numbers of the conversations to learn from.

    Returns:
        float64 (d,), the weights. The offset is arbitrary and left out.
    """
    read = [row for row in rows.tolist() if conversations[row].labels]
    labels = [conversations[row].labels for row in read]
    truth = np.array([bool(own and own.affective) for own in labels], np.float64)
    domains = [domain_of(conversations[row]) for row in read]
    names = sorted(set(domains))
    offsets = np.array(domains)[:, None] == np.array(names)
    weight = np.array([1.0 if conversations[row].is_real else WRITTEN_WEIGHT for row in read])
    size = vectors.shape[1]
    penalty = np.repeat([PENALTY, _OFFSET_PENALTY], [size, len(names)])
    return fit_logistic(np.hstack([vectors[read], offsets]), truth, weight, penalty)[:size]


def domain_of(conversation: Conversation) -> str:
    """Returns the set of a real conversation, or else the source and the language."""
    if conversation.is_real or conversation.source in TOOLS:
        return conversation.dataset or conversation.source
    return f"{conversation.source} {conversation.language}"

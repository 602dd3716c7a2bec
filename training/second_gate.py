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
    chosen = [conversations[row] for row in rows.tolist()]
    return fit_labelled(chosen, vectors[rows], WRITTEN_WEIGHT, PENALTY)


def fit_labelled(
    conversations: Sequence[Conversation],
    inputs: NDArray[np.float64],
    written_weight: float,
    penalty: float,
) -> NDArray[np.float64]:
    """Fits "affective" to the conversations that have labels; each set has its own offset.

    Args:
        conversations: the `n` conversations.
        inputs: float64 (n, d).
        written_weight: the weight of a written conversation. A real one weighs 1.
        penalty: the penalty of the weights.

    Returns:
        float64 (d,), the weights without the offsets.
    """
    read = [place for place, row in enumerate(conversations) if row.labels]
    labels = [conversations[place].labels for place in read]
    truth = np.array([bool(own and own.affective) for own in labels], np.float64)
    domains = [domain_of(conversations[place]) for place in read]
    names = sorted(set(domains))
    offsets = np.array(domains)[:, None] == np.array(names)
    weight = np.array([1.0 if conversations[p].is_real else written_weight for p in read])
    size = inputs.shape[1]
    penalties = np.repeat([penalty, _OFFSET_PENALTY], [size, len(names)])
    return fit_logistic(np.hstack([inputs[read], offsets]), truth, weight, penalties)[:size]


def domain_of(conversation: Conversation) -> str:
    """Returns the set of a real conversation, or else the source and the language."""
    if conversation.is_real or conversation.source in TOOLS:
        return conversation.dataset or conversation.source
    return f"{conversation.source} {conversation.language}"

"""Fits the assistant network, which decides whether a reply pushes back, and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import optax
from jax import Array
from numpy.typing import NDArray

from schemas.labels import PUSHBACK_REASONS
from training.layers import Weights, average, begin, descend, forward, scale, shrink
from training.sources import Reply

HEADS: Final = 1 + len(PUSHBACK_REASONS)

NOISE: Final = 0.3
SHRINKAGE: Final = 1e-3
STEPS: Final = 400
BATCH: Final = 1024


def fit_replies(
    vectors: NDArray[np.float32], replies: Sequence[Reply], rows: NDArray[np.int64]
) -> Weights:
    """Fits the network to the replies `rows`; `vectors`, float32 (n, d), are whole numbers."""
    known = {
        "vectors": scale(vectors),
        "pushback": np.array([reply.pushback for reply in replies], np.float32),
        "reason": np.array([_reason(reply) for reply in replies], np.int32),
        "reasoned": np.array([bool(reply.reason) for reply in replies], np.float32),
        "weight": np.array([reply.weight for reply in replies], np.float32),
    }

    def draw(random: np.random.Generator) -> dict[str, NDArray[Any]]:
        drawn = random.choice(rows, BATCH, replace=len(rows) < BATCH)
        return {name: array[drawn] for name, array in known.items()}

    return descend(begin(vectors.shape[1], HEADS), _loss, draw, STEPS)


def _reason(reply: Reply) -> int:
    return PUSHBACK_REASONS.index(reply.reason) if reply.reason else 0


def _loss(weights: Weights, batch: Weights, key: Array) -> Array:
    logits = forward(weights, batch["vectors"], key, NOISE)
    said = optax.sigmoid_binary_cross_entropy(logits[:, 0], batch["pushback"])
    why = optax.softmax_cross_entropy_with_integer_labels(logits[:, 1:], batch["reason"])
    loss = average(said, batch["weight"]) + average(why, batch["reasoned"])
    return loss + SHRINKAGE * shrink(weights)

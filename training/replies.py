"""Fits what decides whether a reply pushes back, and why.

Whether it does is a column of the encoder's table: a logistic regression over the reply's n-grams.
Why it does is decided by a network over the reply's vector.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import optax
from jax import Array
from numpy.typing import NDArray

from schemas.labels import PUSHBACK_REASONS
from training.distil import UNIT
from training.encoder import PUSHBACK_COLUMN
from training.fit import Design
from training.layers import Weights, average, begin, descend, forward, shrink
from training.sources import Reply

HEADS: Final = 1 + len(PUSHBACK_REASONS)

NOISE: Final = 0.3
SHRINKAGE: Final = 1e-3
STEPS: Final = 400
BATCH: Final = 1024


_STEEPNESS: Final = 4.0
"""The pushback logit per unit of the column. A stored logit then has room for all its values."""


def fit_column(
    design: Design, replies: Sequence[Reply], rows: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Fits the table's pushback column, float32 (buckets, 1), to the replies `rows`."""
    groups = [f"{reply.source} {reply.language}" for reply in replies]
    truth = np.array([reply.pushback for reply in replies], np.float64)
    weight = np.array([reply.weight * (2 if reply.pushback else 1) for reply in replies])
    offsets = (np.array(groups)[:, None] == np.array(sorted(set(groups)))).astype(np.float64)
    return design.fit_logistic(truth, weight, offsets, rows)


def fit_replies(
    vectors: NDArray[np.float32], replies: Sequence[Reply], rows: NDArray[np.int64]
) -> Weights:
    """Fits the network to the replies `rows`; `vectors`, float32 (n, d), are whole numbers.

    The first of its logits is the table's pushback column. The others are those of the reasons.
    """
    known = {
        "vectors": vectors * np.float32(UNIT),
        "reason": np.array([_reason(reply) for reply in replies], np.int32),
        "reasoned": np.array([bool(reply.reason) for reply in replies], np.float32),
    }

    def draw(random: np.random.Generator) -> dict[str, NDArray[Any]]:
        drawn = random.choice(rows, BATCH, replace=len(rows) < BATCH)
        return {name: array[drawn] for name, array in known.items()}

    weights = descend(begin(vectors.shape[1], HEADS), _loss, draw, STEPS)
    weights["heads"][:, 0] = weights["direct"][:, 0] = weights["bias"][0] = 0
    weights["direct"][PUSHBACK_COLUMN, 0] = _STEEPNESS
    return weights


def _reason(reply: Reply) -> int:
    return PUSHBACK_REASONS.index(reply.reason) if reply.reason else 0


def _loss(weights: Weights, batch: Weights, key: Array) -> Array:
    logits = forward(weights, batch["vectors"], key, NOISE)
    why = optax.softmax_cross_entropy_with_integer_labels(logits[:, 1:], batch["reason"])
    return average(why, batch["reasoned"]) + SHRINKAGE * shrink(weights)

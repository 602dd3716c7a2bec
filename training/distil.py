"""Teaches the default classifier's network what the accurate one says, message by message.

The accurate network reads the vectors of the sentence encoder, and learns from labels. The default
network reads the vectors of the n-gram table, and learns the accurate network's logits of several
hundred thousand texts without labels.
"""

from __future__ import annotations

from typing import Any, Final

import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from training.layers import Weights, begin, descend, forward, shrink

UNIT: Final = 0.025
"""What a whole number of the n-gram encoder's vector stands for in the fit."""

HIDDEN: Final = 128
STEPS: Final = 1500
BATCH: Final = 4096
SHRINKAGE: Final = 1e-5


def distil(
    vectors: NDArray[np.float32], wanted: NDArray[np.float32], weight: NDArray[np.float32]
) -> Weights:
    """Fits a network to the logits `wanted`.

    Args:
        vectors: float32 (n, d), whole numbers.
        wanted: float32 (n, k).
        weight: float32 (n,), how often a text is drawn.
    """
    centre, spread = wanted[weight > 0].mean(axis=0), wanted[weight > 0].std(axis=0)
    scaled = (wanted - centre) / spread
    ends = np.cumsum(weight, dtype=np.float64)

    def draw(random: np.random.Generator) -> dict[str, NDArray[Any]]:
        rows = np.searchsorted(ends, random.random(BATCH) * ends[-1], side="right")
        return {"vectors": vectors[rows] * np.float32(UNIT), "wanted": scaled[rows]}

    found = descend(begin(vectors.shape[1], wanted.shape[1], HIDDEN), _loss, draw, STEPS)
    return {
        "hidden": found["hidden"],
        "hidden_bias": found["hidden_bias"],
        "heads": found["heads"] * spread,
        "direct": found["direct"] * spread,
        "bias": found["bias"] * spread + centre,
    }


def _loss(weights: Weights, batch: Weights, key: Array) -> Array:
    said = forward(weights, batch["vectors"], key, noise=0.0, dropped=0.0)
    return jnp.mean((said - batch["wanted"]) ** 2) + SHRINKAGE * shrink(weights)

"""A hidden layer in JAX, and the gradient descent that fits it. Both networks use this module."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from numpy.typing import NDArray

from training.sources import SEED

HIDDEN: Final = 64
DROPPED: Final = 0.3
FASTEST: Final = 3e-3

Weights = dict[str, Any]
"""Arrays by name: NumPy floats outside of the fit, and JAX arrays during it."""

Loss = Callable[[Weights, Weights, Array], Array]
"""A function that computes the loss from the weights, a batch and a random key."""

Draw = Callable[[np.random.Generator], dict[str, NDArray[Any]]]
"""Draws a batch."""


def begin(inputs: int, heads: int, hidden: int = HIDDEN) -> Weights:
    """Returns the initial weights of a fit."""
    first, second = jax.random.split(jax.random.PRNGKey(SEED))
    return {
        "hidden": jax.random.normal(first, (inputs, hidden)) * (2 / inputs) ** 0.5,
        "hidden_bias": jnp.zeros(hidden),
        "heads": jax.random.normal(second, (hidden, heads)) * 0.5 / hidden**0.5,
        "direct": jnp.zeros((inputs, heads)),
        "bias": jnp.zeros(heads),
    }


def forward(
    weights: Weights, vectors: Array, key: Array, noise: float, dropped: float = DROPPED
) -> Array:
    """Computes the logits, after adding noise to the vectors and dropping some hidden units."""
    noisy, drop = jax.random.split(key)
    vectors = vectors + noise * jax.random.normal(noisy, vectors.shape)
    hidden = jax.nn.relu(vectors @ weights["hidden"] + weights["hidden_bias"])
    kept = jax.random.bernoulli(drop, 1 - dropped, hidden.shape) / (1 - dropped)
    logits = (hidden * kept) @ weights["heads"] + vectors @ weights["direct"]
    return jnp.asarray(logits + weights["bias"])


def shrink(weights: Weights) -> Array:
    """Returns the weights' sum of squares, a penalty that keeps them small."""
    squares = [(weights[name] ** 2).sum() for name in ("hidden", "heads", "direct")]
    return jnp.asarray(sum(squares))


def average(losses: Array, weight: Array) -> Array:
    """Returns the weighted mean, or 0 if all weights are 0."""
    return jnp.asarray((losses * weight).sum() / jnp.maximum(weight.sum(), 1e-6))


def descend(weights: Weights, loss: Loss, draw: Draw, steps: int) -> Weights:
    """Fits the weights by gradient descent; every run gives the same result."""
    optimiser = optax.adam(optax.cosine_decay_schedule(FASTEST, steps))
    state = optimiser.init(weights)

    @jax.jit
    def advance(weights: Weights, state: Any, batch: Weights, key: Array) -> tuple[Weights, Any]:
        slope = jax.grad(loss)(weights, batch, key)
        change, state = optimiser.update(slope, state)
        return optax.apply_updates(weights, change), state

    random = np.random.default_rng(SEED)
    key = jax.random.PRNGKey(SEED)
    for _ in range(steps):
        batch = {name: jnp.asarray(array) for name, array in draw(random).items()}
        key, own = jax.random.split(key)
        weights, state = advance(weights, state, batch, own)
    return {name: np.asarray(array, np.float64) for name, array in weights.items()}

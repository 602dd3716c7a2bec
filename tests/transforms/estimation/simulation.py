"""Draws conversations, labels and noise, to see how often an interval contains the truth."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from transforms.estimation.corrections import ErrorRates
from transforms.estimation.means import Mean
from transforms.estimation.proportions import Floats, Interval
from transforms.publishing.noise import Purpose, noise

DRAWS: Final = 1000
VARIANCE: Final = 4.0
"""The default variance of the noise."""
LEAST_COVERAGE: Final = 0.93

Counts = NDArray[np.int64]


def noisy(
    random: np.random.Generator,
    sums: Counts,
    conversations: Counts | None = None,
    purpose: Purpose = Purpose.CONVERSATIONS,
) -> Floats:
    """Adds the noise of a publication to sums of cells that share no conversation.

    Args:
      random: draws the keys of the cells.
      sums: what to add noise to.
      conversations: number of conversations of each cell; None if `sums` is that.
      purpose: what the sums are.
    """
    counts = sums if conversations is None else conversations
    keys = random.integers(0, 2**32, sums.size)
    drawn = noise(counts.ravel(), keys, purpose, VARIANCE, 5).reshape(sums.shape)
    return (sums + drawn).astype(np.float64)


def drawn_rates(
    random: np.random.Generator, found: float, wrong: float, positives: int, negatives: int
) -> ErrorRates:
    """Measures the error rates anew for each draw, float64 (DRAWS,)."""
    return ErrorRates(
        random.binomial(positives, found, DRAWS).astype(np.float64),
        np.full(DRAWS, float(positives)),
        random.binomial(negatives, wrong, DRAWS).astype(np.float64),
        np.full(DRAWS, float(negatives)),
    )


def coverage(found: Interval | Mean, truth: float) -> float:
    """Returns how often the interval contains the truth. Where there is none, it does not count."""
    is_there = np.isfinite(found.low)
    covers = (found.low <= truth) & (truth <= found.high)
    return float(covers[is_there].mean())

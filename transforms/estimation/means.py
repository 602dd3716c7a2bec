"""Estimates the mean change of mood, with an interval.

The mean is the sum of the changes divided by their number. Both have noise. The interval uses the
normal approximation. It covers sampling error and the noise in both numbers.

The variance of the changes comes from the sum of their squares. In a small cell, this sum has so
much noise that it says little. So the variance is averaged with a typical one, weighted by
precision. The variance is never 0 and never exceeds the largest variance that the scale allows. In
a small cell, noise outweighs sampling error, so this variance hardly affects the interval.

Without noise, the interval is nearly mean +- 1.96 sd / sqrt(n). The study used 1,000 bootstrap
samples instead. For n >= 15 the two agree closely.

This module does not use Beam.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from transforms.estimation.proportions import Floats, Z
from transforms.publishing.noise import LARGEST_CHANGE, variance_of_sum

LARGEST_POINTS: Final = 2.0
"""The largest change of mood, in points: from -1 to +1."""
UNITS_PER_POINT: Final = LARGEST_CHANGE / LARGEST_POINTS

TYPICAL_VARIANCE: Final = 0.25
"""The variance of changes that is assumed if nothing is known: half a point, squared."""


class Mean(NamedTuple):
    """Means with their 95 % intervals, in points of the scale -1..+1."""

    mean: Floats
    low: Floats
    high: Floats


def mean_change(conversations: Floats, change: Floats, squares: Floats, variance: float) -> Mean:
    """Returns the mean change of each cell.

    Args:
      conversations: number of conversations, float64 of any shape, above 0.
      change: sum of the changes, in three-hundredths of a point.
      squares: sum of the squares, in ninety-thousandths of a squared point.
      variance: variance of the noise on a count; `variance_of_sum` gives that of the sums.
    """
    limit, of_sum = LARGEST_POINTS, variance_of_sum(variance)
    mean = np.clip(change / UNITS_PER_POINT / conversations, -limit, limit)
    by_noise = (of_sum * limit**2 + variance * mean**2) / conversations**2
    spread = _variance(conversations, mean, squares / UNITS_PER_POINT**2, by_noise, of_sum)
    half = Z * np.sqrt(spread / conversations + by_noise)
    return Mean(mean, np.maximum(mean - half, -limit), np.minimum(mean + half, limit))


def _variance(
    conversations: Floats, mean: Floats, squares: Floats, by_noise: Floats, variance: float
) -> Floats:
    """Estimates the variance of the changes; above 0."""
    freedom = np.maximum(conversations - 1, 1.0)
    # Noise in the mean makes its square too large on average.
    found = (squares - conversations * (mean**2 - by_noise)) / freedom
    found = np.clip(found, 0.0, LARGEST_POINTS**2 - mean**2)
    doubt = variance * LARGEST_POINTS**4 / conversations**2 + 4 * mean**2 * by_noise
    doubt = doubt + 2 * TYPICAL_VARIANCE**2 / conversations
    weight = TYPICAL_VARIANCE**2 / (TYPICAL_VARIANCE**2 + doubt)
    return weight * found + (1 - weight) * TYPICAL_VARIANCE

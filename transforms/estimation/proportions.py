"""Computes the intervals of raw shares. They cover sampling error and noise.

The interval is Wilson's (1927), extended by noise. Wilson's interval contains every share p that is
within 1.96 standard errors of the counted share. The standard error is computed from p. Here it
also contains the noise. The ends solve a quadratic equation. Without noise they are Wilson's.

The conversations are taken as a sample of what the assistant is used for. So even exact counts have
an interval.

All arrays are float64 and broadcast. A missing count is NaN, and so is its result.

This module does not use Beam.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

Z: Final = 1.959964
"""The 97.5 % quantile of the normal distribution."""


class Interval(NamedTuple):
    """A share with its 95 % interval, in [0, 1]; NaN if it is not known."""

    share: Floats
    low: Floats
    high: Floats


def preferred(first: Interval, second: Interval) -> Interval:
    """Returns the first estimate wherever it is known, and otherwise the second."""
    is_known = np.isfinite(first.share)
    return Interval(*(np.where(is_known, a, b) for a, b in zip(first, second, strict=True)))


class QuotientNoise(NamedTuple):
    """The variance that noise adds to part / whole, if the true share is p.

    The variance is (`constant` + `linear` p + `square` p^2) / whole^2.
    """

    constant: float
    linear: Floats
    square: Floats

    def variance(self, share: Floats, whole: Floats) -> Floats:
        """Returns the variance, by the delta method."""
        return (self.constant + self.linear * share + self.square * share**2) / whole**2

    def at(self, columns: list[int]) -> QuotientNoise:
        """Returns the noise of some columns."""
        return QuotientNoise(self.constant, self.linear[:, columns], self.square[:, columns])


def quotient_noise(variance: float, summands: Floats) -> QuotientNoise:
    """Returns the noise of a quotient.

    Args:
      variance: variance of the noise of each count.
      summands: if the whole is the sum of several counts, the part among them, the number of these
        counts. 0 if the whole is a count with its own noise.
    """
    is_sum = summands > 0
    linear = np.where(is_sum, -2 * variance, 0.0)
    square = np.where(is_sum, summands * variance, variance)
    return QuotientNoise(variance, linear, square)


def score_interval(part: Floats, whole: Floats, noise: QuotientNoise) -> Interval:
    """Returns the share of the part and its interval.

    Noise can make a part larger than its whole. The share is then 1.
    """
    share = np.minimum(part / whole, 1.0)
    pull, per_square = Z * Z / whole, Z * Z / whole**2
    square = 1 + pull - per_square * noise.square
    middle = (2 * share + pull + per_square * noise.linear) / 2
    constant = share**2 - per_square * noise.constant
    half = np.sqrt(np.maximum(middle**2 - square * constant, 0.0))
    # With noise as large as the whole, every share is possible.
    is_bounded = square > 0
    low = np.where(is_bounded, (middle - half) / square, 0.0)
    high = np.where(is_bounded, (middle + half) / square, 1.0)
    return within(Interval(share, low, high))


def within(found: Interval) -> Interval:
    """Clips a share and its interval to [0, 1].

    If the share is outside, the error rates don't fit these conversations well. Then the interval
    moves with the share and keeps its width, because an interval of 0 to 0 would be wrong.
    """
    share = np.clip(found.share, 0.0, 1.0)
    moved = share - found.share
    low = np.clip(np.minimum(found.low + moved, share), 0.0, 1.0)
    high = np.clip(np.maximum(found.high + moved, share), 0.0, 1.0)
    return Interval(share, low, high)

"""Finds the limits of a judged share or mean; see `transforms.estimation.judged`.

This module does not use Beam.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np

from transforms.estimation.difference.equation import Equation
from transforms.estimation.proportions import Floats, Z

_HALVINGS: Final = 50
_NO_SKEWNESS: Final = 1e-6

_FEW: Final = 10.0
"""From this number of conversations on, the largest weight counts for less than half.

Simulated with 2,000 draws: intervals of the affective share are 1 to 6 % shorter than if the
largest weight always counted fully, and cover 0.4 to 1.6 points less (94.1 % in the worst of three
kinds).
"""


class Judged(NamedTuple):
    """Estimates with their 95 % intervals, float64 (k,); NaN where there are too few judgements."""

    estimate: Floats
    low: Floats
    high: Floats


class Deviation(NamedTuple):
    """How far the sum may be from 0.

    Attributes:
      variance, third: its second and third cumulant.
      more, fewer: what one more conversation of typical weight adds in either direction.
    """

    variance: Floats
    third: Floats
    more: Floats
    fewer: Floats

    def above(self) -> Floats:
        """Returns by how much the expected sum may be larger than the sum."""
        return _reach(self.variance, self.third, self.more)

    def below(self) -> Floats:
        """Returns by how much the expected sum may be smaller than the sum."""
        return _reach(self.variance, -self.third, self.fewer)


def solve(equation: Equation, deviate: Callable[[Floats], Deviation]) -> Judged:
    """Returns the estimates, and the values that the sum is not too far from by bisection."""
    estimate, whole = equation.estimate, equation.whole
    low, high = np.full_like(estimate, equation.range.low), estimate
    lower, upper = estimate, np.full_like(estimate, equation.range.high)
    for _ in range(_HALVINGS):
        middle = (low + lower) / 2
        is_in = whole * (estimate - middle) <= deviate(middle).below()
        low, lower = np.where(is_in, low, middle), np.where(is_in, middle, lower)
        middle = (high + upper) / 2
        is_in = whole * (middle - estimate) <= deviate(middle).above()
        high, upper = np.where(is_in, middle, high), np.where(is_in, upper, middle)
    is_known = np.isfinite(estimate)
    return Judged(estimate, *(np.where(is_known, x, np.nan) for x in (lower, high)))


def _reach(variance: Floats, third: Floats, more: Floats) -> Floats:
    """Returns the distance of the upper limit, with one more conversation."""
    variance = variance + more**2
    skew = skewness(variance, third + more**3)
    # Wilson and Hilferty: the skewness is 1 / sqrt(shape) of the gamma distribution.
    cube = np.maximum(1 - skew**2 / 9 + Z * skew / 3, 0.0) ** 3
    is_skew = np.abs(skew) > _NO_SKEWNESS
    limit = np.divide(cube - 1, skew, out=np.full_like(cube, Z), where=is_skew)
    distance: Floats = more + np.sqrt(variance) * limit
    return distance


def skewness(variance: Floats, third: Floats) -> Floats:
    """Returns third / variance^1.5, in [-1, 1]; 1 / sqrt(n) for n conversations of equal weight."""
    cube = variance**1.5
    found = np.divide(third, cube, out=np.zeros_like(cube), where=cube > 0)
    clipped: Floats = np.clip(found, -1.0, 1.0)
    return clipped


def typical(squares: Floats, heaviest: Floats, number: Floats) -> Floats:
    """Returns the weight of one more conversation.

    Args:
      squares: the sum of the squared weights of conversations like it.
      heaviest: the largest weight in the sample.
      number: the number of conversations like it.
    """
    number = np.maximum(number, 0.0)
    more = heaviest**2 * _FEW / (_FEW + number)
    found: Floats = np.sqrt((np.maximum(squares, 0.0) + more) / (number + 1))
    return found

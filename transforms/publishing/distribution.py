"""Computes the distribution of the noise, which has the most entropy for its mean and variance.

D is the most that noise changes a count. Noise on a count n is a whole number from -min(n, D) to D.
So a count never becomes negative. The noise has mean 0 and variance V. Many distributions have
these properties, and the one with the most entropy reveals the least. In it, noise e has the
probability exp(a e + b e^2), up to a constant factor. Sources: Marley and Leaver, "A method for
confidentialising user-defined tables", 2011; Giessing, "Computational issues in the design of
transition probabilities", 2016.

The probabilities are computed in decimals and not in floats. So every machine gets the same ones,
and the same counts are published with the same noise everywhere.

This module does not use Beam.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from functools import lru_cache
from itertools import accumulate
from typing import Final

SCALE: Final = 2**32
"""Probabilities are given as parts of this number."""

_CONTEXT: Final = Context(prec=60, rounding=ROUND_HALF_EVEN)
_TOLERANCE: Final = Decimal("1e-30")
_MOST_STEPS: Final = 1000
_LONGEST_STEP: Final = Decimal(2)
"""Newton's method is damped: no log probability changes by more than this in a step."""

_Chances = list[Decimal]


def feasible_variance(size: int, variance: float, max_noise: int) -> float:
    """Returns the variance of the noise on a count of `size`.

    Noise from -n to D with mean 0 has at most the variance n D. It has that variance if it is
    always -n or D. So the result is `variance` or n D, whichever is less. With the default policy,
    the noise on every count from 1 up has variance 4.
    """
    return min(variance, float(min(size, max_noise) * max_noise))


@lru_cache(maxsize=1024)
def cumulative(least: int, most: int, variance: float) -> tuple[int, ...]:
    """Returns the distribution of the noise, as cumulative probabilities.

    Args:
      least: the largest decrease; the noise is at least `-least`.
      most: the largest increase.
      variance: the variance of the noise. Larger values than `least * most`, the largest possible
        variance, are treated as `least * most`.

    Returns:
      For each e from `-least` to `most`, the probability that the noise is at most e, multiplied by
      `SCALE` and rounded. The last entry is `SCALE`, i.e. probability 1.
    """
    with localcontext(_CONTEXT):
        chances = _chances(range(-least, most + 1), Decimal(str(variance)))
        sums = [int((total * SCALE).to_integral_value()) for total in accumulate(chances)]
    return (*sums[:-1], SCALE)


def _chances(support: range, variance: Decimal) -> _Chances:
    least, most = -support[0], support[-1]
    if not least * most * variance:  # Only noise of 0 has the mean 0.
        return [Decimal(int(e == 0)) for e in support]
    if variance < least * most:
        return _of_most_entropy(support, variance)
    up = Decimal(least) / (least + most)
    ends = {-least: 1 - up, most: up}
    return [ends.get(e, Decimal(0)) for e in support]


def _of_most_entropy(support: range, variance: Decimal) -> _Chances:
    """Solves for a and b by Newton's method. The problem is convex, so there is one solution."""
    # The first guess is a normal distribution. If nearly all noise is 0, it has only -1, 0 and 1.
    a, b = Decimal(0), -1 / (2 * variance) if variance > 1 else (variance / 2).ln()
    for _ in range(_MOST_STEPS):
        chances = _normalised([(a * e + b * e * e) for e in support])
        m1, m2, m3, m4 = (_mean_of_power(k, support, chances) for k in range(1, 5))
        if abs(m1) < _TOLERANCE and abs(m2 - variance) < _TOLERANCE:
            return chances
        # The derivatives of the means of e and e^2 by a and b are their covariances.
        aa, ab, bb = m2 - m1 * m1, m3 - m1 * m2, m4 - m2 * m2
        determinant = aa * bb - ab * ab
        step_a = (-m1 * bb - (variance - m2) * ab) / determinant
        step_b = ((variance - m2) * aa + m1 * ab) / determinant
        longest = max(abs(step_a * e + step_b * e * e) for e in support)
        damping = min(Decimal(1), _LONGEST_STEP / longest)
        a, b = a + damping * step_a, b + damping * step_b
    raise ValueError(f"found no noise from {support[0]} to {support[-1]} of variance {variance}")


def _normalised(logs: list[Decimal]) -> _Chances:
    highest = max(logs)
    weights = [(log - highest).exp() for log in logs]
    total = sum(weights)
    return [weight / total for weight in weights]


def _mean_of_power(power: int, support: Iterable[int], chances: _Chances) -> Decimal:
    return sum((e**power * p for e, p in zip(support, chances, strict=True)), Decimal(0))

"""Solves the estimating equation of a judged share or mean; see `transforms.estimation.judged`.

The equation says that the sum of weight * (part - x whole - lambda control) over the sample is 0.
The control is a number whose sum over all conversations is known to be 0, because all decisions of
the classifier are known.

This module does not use Beam.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from transforms.estimation.difference.moments import (
    COLUMNS,
    PART,
    SAID_PART,
    SAID_WHOLE,
    WHOLE,
    Moments,
)
from transforms.estimation.proportions import Floats
from transforms.judging.conversations import MIN_JUDGED

LARGEST_CHANGE_POINTS: Final = 2.0
_TUNINGS: Final = 3


class Known(NamedTuple):
    """What is known of all conversations of a place.

    Attributes:
      said_part: float64 (k,), the number that the classifier puts in the part, or the sum of the
        changes; NaN if it is not known.
      said_whole: float64 (k,), the number that it puts in the whole; NaN if it is not known.
      part_variance: float64, scalar or (k,), the variance of the noise on `said_part`.
      whole_variance: the same for `said_whole`.
    """

    said_part: Floats
    said_whole: Floats
    part_variance: Floats | float = 0.0
    whole_variance: Floats | float = 0.0


class Range(NamedTuple):
    """The smallest and the largest possible value."""

    low: float
    high: float


SHARES: Final = Range(0.0, 1.0)
CHANGES: Final = Range(-LARGEST_CHANGE_POINTS, LARGEST_CHANGE_POINTS)


class Equation(NamedTuple):
    """The estimating equation: the sum of weight * (part - x whole - lambda (...)) is 0.

    Attributes:
      moments: the calibrated sums over the sample.
      estimate: its solution x.
      power: lambda.
      said: the said share of all.
      noise: the variance of the noise in the sum, if lambda is 1.
      range: the smallest and the largest possible x.
    """

    moments: Moments
    estimate: Floats
    power: Floats
    said: Floats
    noise: Floats
    range: Range

    @property
    def whole(self) -> Floats:
        """The estimated number of conversations in the whole."""
        whole: Floats = self.moments.first[WHOLE]
        return whole

    def factors(self, value: Floats) -> Floats:
        """Returns the factors of the columns in the sum, float64 (4, k)."""
        one = np.ones_like(value)
        return np.stack([one, -value, -self.power, self.power * self.said])

    def variance(self, value: Floats) -> Floats:
        """Returns the variance of the sum, if `value` solves the equation."""
        spread = square(self.moments.second, self.factors(value)) + self.power**2 * self.noise
        positive: Floats = np.maximum(spread, 0.0)
        return positive

    def third(self, value: Floats) -> Floats:
        """Returns the third cumulant of the sum, if `value` solves the equation."""
        factors = self.factors(value)
        found: Floats = np.einsum("hijk,hk,ik,jk->k", self.moments.third, factors, factors, factors)
        return found


class _Control(NamedTuple):
    """The control variable: said part - said share of all * said whole. Its true total is 0.

    Attributes:
      said: the said share of all; 0 if it is not known.
      is_known: whether it is known.
      noise: the variance that the noise adds to the total.
      factors: the control's factors of the columns, float64 (4, k).
    """

    said: Floats
    is_known: NDArray[np.bool_]
    noise: Floats
    factors: Floats


def _control(moments: Moments, known: Known) -> _Control:
    said_part, said_whole = (np.asarray(x, np.float64) for x in known[:2])
    with np.errstate(divide="ignore", invalid="ignore"):
        said = said_part / said_whole
        size = moments.first[SAID_WHOLE] / said_whole
    noise = size**2 * (known.part_variance + said**2 * known.whole_variance)
    is_known = np.isfinite(said) & (said_whole > 0)
    said, noise = (np.where(is_known, x, 0.0) for x in (said, noise))
    return _Control(said, is_known, noise, unit(SAID_PART) - said * unit(SAID_WHOLE))


def calibrate(moments: Moments, known: Known) -> Moments:
    """Returns the moments of totals that are corrected by the known number in the said whole.

    The sample's weights add up to that number only on average. Where they add up to more, other
    totals are too large, too. How much is found by regression with the least variance (the optimal
    estimator: Montanari 1987). If the number is not known, the moments stay as they are.
    """
    said_whole = np.broadcast_to(np.asarray(known.said_whole, np.float64), moments.right.shape)
    is_known = np.isfinite(said_whole)
    noise = np.where(is_known, known.whole_variance, 0.0)
    spread = moments.second[SAID_WHOLE, SAID_WHOLE] + noise
    slopes = np.zeros_like(moments.first)
    np.divide(moments.second[SAID_WHOLE], spread, out=slopes, where=is_known & (spread > 0))
    gap = np.where(is_known, said_whole - moments.first[SAID_WHOLE], 0.0)
    turn = np.eye(COLUMNS)[:, :, None] - slopes[:, None] * unit(SAID_WHOLE)
    second = np.einsum("ijk,aik,bjk->abk", moments.second, turn, turn)
    third = np.einsum("hijk,chk->cijk", moments.third, turn)
    return moments._replace(
        first=moments.first + slopes * gap,
        second=second + slopes * slopes[:, None] * noise,
        third=np.einsum("cijk,aik,bjk->cabk", third, turn, turn),
    )


def _estimate(moments: Moments, control: _Control, power: Floats) -> Floats:
    whole = moments.first[WHOLE]
    gap = (control.factors * moments.first).sum(axis=0)
    found: Floats = np.full_like(whole, np.nan)
    np.divide(moments.first[PART] - power * gap, whole, out=found, where=whole > 0)
    return found


def _tuned(moments: Moments, control: _Control, range_: Range) -> Floats:
    """Returns lambda. It depends on the estimate, which depends on it, but both settle at once."""
    spread = square(moments.second, control.factors) + control.noise
    power = np.zeros_like(spread)
    for _ in range(_TUNINGS):
        estimate = np.clip(_estimate(moments, control, power), *range_)
        error = unit(PART) - estimate * unit(WHOLE)
        shared = np.einsum("ijk,ik,jk->k", moments.second, error, control.factors)
        tuned = np.divide(shared, spread, out=np.zeros_like(spread), where=spread > 0)
        power = np.clip(np.nan_to_num(tuned), 0.0, 1.0) * control.is_known
    return power


def tune(moments: Moments, known: Known, range_: Range) -> Equation:
    """Tunes lambda and solves the equation; the estimate is NaN with too few judgements."""
    moments = calibrate(moments, known)
    control = _control(moments, known)
    power = _tuned(moments, control, range_)
    estimate = np.clip(_estimate(moments, control, power), *range_)
    estimate = np.where(moments.numbers[WHOLE] >= MIN_JUDGED, estimate, np.nan)
    return Equation(moments, estimate, power, control.said, control.noise, range_)


def tuned_power(moments: Moments, known: Known) -> Floats:
    """Returns lambda for shares, float64 (k,): 0 ignores the classifier, 1 trusts it fully."""
    moments = calibrate(moments, known)
    return _tuned(moments, _control(moments, known), SHARES)


def share_given(moments: Moments, known: Known, power: Floats) -> tuple[Floats, Floats]:
    """Returns what lambda leaves to the sample, and the variance of its estimated total.

    The first is the estimate without lambda * said share, float64 (k,); NaN if nothing in the whole
    was judged. The second is 0 then.
    """
    moments = calibrate(moments, known)
    control = _control(moments, known)
    estimate = _estimate(moments, control, power)
    equation = Equation(moments, estimate, power, control.said, control.noise, SHARES)
    variance = np.nan_to_num(equation.variance(np.nan_to_num(estimate)))
    return estimate - power * control.said, np.where(np.isfinite(estimate), variance, 0.0)


def unit(index: int) -> Floats:
    """Returns the factors that pick one column, float64 (4, 1)."""
    factors: Floats = np.eye(COLUMNS)[index][:, None]
    return factors


def square(second: Floats, factors: Floats) -> Floats:
    """Returns the variance of a weighted sum of the totals, float64 (k,)."""
    found: Floats = np.einsum("ijk,ik,jk->k", second, *np.broadcast_arrays(factors, factors))
    return found

"""Carries the errors of the judge into the interval of a judged share.

A judge is checked on conversations whose labels are known: how often it finds what is there, and
how often it finds what is not. With enough of them, the share is corrected (Rogan and Gladen 1978).
With fewer, a correction might move the share further from the truth. Then only the interval grows,
by all errors that the check does not rule out.

The errors of several steps are combined as in Zou and Donner (2008): the distances of each step's
limits are added as squares. So limits need not be symmetric.

This module does not use Beam.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from transforms.estimation.proportions import Floats, Interval, quotient_noise, score_interval
from transforms.estimation.rates import MIN_GAIN, MIN_NEGATIVES, MIN_POSITIVES


class JudgeErrors(NamedTuple):
    """What the judge said about conversations with known labels, float64 (k,).

    If the whole of a share is classified, only conversations in the whole count.

    Attributes:
      true_positives, positives: conversations in the part that the judge found, and all of them.
      false_positives, negatives: the same outside the part.
    """

    true_positives: Floats
    positives: Floats
    false_positives: Floats
    negatives: Floats

    @property
    def is_supported(self) -> NDArray[np.bool_]:
        """Whether the errors are known well enough to correct a share, bool (k,)."""
        enough = (self.positives >= MIN_POSITIVES) & (self.negatives >= MIN_NEGATIVES)
        with np.errstate(divide="ignore", invalid="ignore"):
            gain = self.true_positives / self.positives - self.false_positives / self.negatives
        supported: NDArray[np.bool_] = enough & (gain >= MIN_GAIN)
        return supported


def carry(judged: Interval, errors: JudgeErrors) -> Interval:
    """Returns the share with the judge's errors corrected or carried into its interval.

    Args:
      judged: the share that the judge would find if it read everything, float64 (k,).
      errors: the judge's errors.
    """
    found = _rate(errors.true_positives, errors.positives)
    alarms = _rate(errors.false_positives, errors.negatives)
    corrected, widened = _correct(judged, found, alarms), _widen(judged, found, alarms)
    is_supported = errors.is_supported
    return Interval(
        *(np.where(is_supported, a, b) for a, b in zip(corrected, widened, strict=True))
    )


def _rate(count: Floats, number: Floats) -> Interval:
    with np.errstate(divide="ignore", invalid="ignore"):
        found = score_interval(count, number, quotient_noise(0.0, np.ones(np.shape(number))))
    unknown = number == 0
    low, high = np.where(unknown, 0.0, found.low), np.where(unknown, 1.0, found.high)
    return Interval(found.share, low, high)


def _true(share: Floats, found: Floats, alarms: Floats) -> Floats:
    """Returns the true share behind a judged one; 1 if the judge tells nothing."""
    gain = found - alarms
    solved = np.divide(share - alarms, gain, out=np.ones_like(gain * share), where=gain > 0)
    return np.clip(solved, 0.0, 1.0)


def _correct(judged: Interval, found: Interval, alarms: Interval) -> Interval:
    middle = _true(judged.share, found.share, alarms.share)
    lows = (
        _true(judged.low, found.share, alarms.share),
        _true(judged.share, found.high, alarms.share),
        _true(judged.share, found.share, alarms.high),
    )
    highs = (
        _true(judged.high, found.share, alarms.share),
        _true(judged.share, found.low, alarms.share),
        _true(judged.share, found.share, alarms.low),
    )
    return _combine(middle, lows, highs)


def _widen(judged: Interval, found: Interval, alarms: Interval) -> Interval:
    share = judged.share
    none, all_ = np.zeros_like(share), np.ones_like(share)
    fewer, more = _true(share, all_, alarms.high), _true(share, found.low, none)
    return _combine(share, (judged.low, fewer), (judged.high, more))


def _combine(middle: Floats, lows: tuple[Floats, ...], highs: tuple[Floats, ...]) -> Interval:
    below = np.sqrt(sum(((middle - low) ** 2 for low in lows), np.zeros_like(middle)))
    above = np.sqrt(sum(((high - middle) ** 2 for high in highs), np.zeros_like(middle)))
    return Interval(middle, np.maximum(middle - below, 0.0), np.minimum(middle + above, 1.0))

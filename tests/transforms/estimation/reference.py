"""Computes corrected shares in plain Python, without noise; `corrections` must give the same.

This module is written from the literature, not from `corrections`: Rogan and Gladen 1978; Lang and
Reiczigel 2014; Zou and Donner 2008; Donner and Zou 2012.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

Z: Final = 1.959964
LEAST_GAIN: Final = 0.1

Triple = tuple[float | None, float | None, float | None]
"""A corrected share, and the lower and upper end of its interval."""
NOTHING: Final[Triple] = (None, None, None)


@dataclass(frozen=True)
class Counts:
    """The measured counts of a classifier: its hits among the positives and the negatives."""

    true_positives: int
    positives: int
    false_positives: int
    negatives: int

    @property
    def is_usable(self) -> bool:
        """Whether the classifier tells positives from negatives."""
        if not self.positives or not self.negatives:
            return False
        return min(self.gain, self.shrunken_gain) > LEAST_GAIN

    @property
    def fpr(self) -> float:
        return self.false_positives / self.negatives

    @property
    def gain(self) -> float:
        return self.true_positives / self.positives - self.fpr

    @property
    def se(self) -> float:
        return (self.true_positives + 1) / (self.positives + 2)

    @property
    def sp(self) -> float:
        return (self.negatives - self.false_positives + 1) / (self.negatives + 2)

    @property
    def shrunken_gain(self) -> float:
        return self.se + self.sp - 1

    @property
    def se_variance(self) -> float:
        return self.se * (1 - self.se) / (self.positives + 2)

    @property
    def sp_variance(self) -> float:
        return self.sp * (1 - self.sp) / (self.negatives + 2)

    def variance(self, share: float) -> float:
        """Returns the variance that the rates add to a raw share, given the true `share`."""
        return share**2 * self.se_variance + (1 - share) ** 2 * self.sp_variance


def _clipped(*values: float) -> Triple:
    share, low, high = (min(max(value, 0.0), 1.0) for value in values)
    return share, low, high


def _direct(hits: int, tried: int, rate: Counts) -> tuple[float, float, float]:
    """Returns Rogan and Gladen's share, and Lang and Reiczigel's middle and standard error."""
    share = (hits / tried - rate.fpr) / rate.gain
    size = tried + Z**2
    raw = (hits + Z**2 / 2) / size
    prevalence = (raw + rate.sp - 1) / rate.shrunken_gain
    shift = prevalence * rate.se_variance - (1 - prevalence) * rate.sp_variance
    error = math.sqrt(raw * (1 - raw) / size + rate.variance(prevalence)) / rate.shrunken_gain
    return share, prevalence + 2 * Z**2 * shift, error


def direct(hits: int, tried: int, rate: Counts) -> Triple:
    """Corrects the share of a classified part among all conversations."""
    if not rate.is_usable:
        return NOTHING
    share, middle, error = _direct(hits, tried, rate)
    return _clipped(share, middle - Z * error, middle + Z * error)


def quotient(part: int, whole: int, tried: int, rate: Counts, whole_rate: Counts) -> Triple:
    """Corrects a share whose whole is classified too: a quotient of two corrected shares.

    An end is the ratio r at which upper - r * lower is 0, less or plus what the intervals of the
    two allow. It is found by bisection.
    """
    if not (rate.is_usable and whole_rate.is_usable):
        return NOTHING
    upper, upper_low, upper_high = _ordered(direct(part, tried, rate))
    lower, lower_low, lower_high = _ordered(direct(whole, tried, whole_rate))
    if lower <= 0:
        return NOTHING

    def least(r: float) -> float:
        return upper - r * lower - math.hypot(upper - upper_low, r * (lower_high - lower))

    def most(r: float) -> float:
        return upper - r * lower + math.hypot(upper_high - upper, r * (lower - lower_low))

    return _clipped(upper / lower, _root(least), _root(most))


def _ordered(found: Triple) -> tuple[float, float, float]:
    """Returns a share that lies within its interval."""
    share, low, high = (value or 0.0 for value in found)
    return share, min(low, share), max(high, share)


def _root(falling: Callable[[float], float]) -> float:
    """Finds where a function that begins above 0 falls below it, in [0, 1]."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if falling(middle) > 0 else (low, middle)
    return low


def wilson(hits: int, tried: int) -> tuple[float, float]:
    """Returns Wilson's interval of the raw share, which covers only the chance in the counts."""
    share = hits / tried
    middle = (share + Z**2 / 2 / tried) / (1 + Z**2 / tried)
    half = math.sqrt(share * (1 - share) / tried + Z**2 / 4 / tried**2) * Z / (1 + Z**2 / tried)
    return max(middle - half, 0.0), min(middle + half, 1.0)


def _inside(
    part: int, whole: int, alike: int, tried: int, whole_rate: Counts
) -> tuple[float, float, float] | None:
    """Returns a part's share of the true whole, and how far its interval reaches down and up."""
    if not whole_rate.is_usable:
        return None
    _, middle, error = _direct(whole, tried, whole_rate)
    false = whole_rate.fpr * tried / whole
    if middle - Z * error <= 0 or false >= 1:
        return None
    raw, among_false = part / whole, alike / tried
    low, high = wilson(part, whole)
    share = (part - whole_rate.fpr * alike) / (whole - whole_rate.fpr * tried)
    by_false = (raw - among_false) / (1 - false) ** 2
    by_alike = -false / (1 - false)
    false_variance = (tried / whole) ** 2 * whole_rate.sp_variance
    false_variance += false**2 * (1 / whole - 1 / tried)
    more = by_false**2 * false_variance + by_alike**2 * among_false * (1 - among_false) / tried
    return (
        share,
        math.sqrt(((raw - low) / (1 - false)) ** 2 + Z**2 * more),
        math.sqrt(((high - raw) / (1 - false)) ** 2 + Z**2 * more),
    )


def long_inside(part: int, whole: int, alike: int, tried: int, whole_rate: Counts) -> Triple:
    """Corrects the share of long conversations within a type."""
    found = _inside(part, whole, alike, tried, whole_rate)
    if found is None:
        return NOTHING
    share, below, above = found
    return _clipped(share, share - below, share + above)


def pushback_inside(
    part: int, whole: int, alike: int, tried: int, rate: Counts, whole_rate: Counts
) -> Triple:
    """Corrects the rate of pushback within a type."""
    found = _inside(part, whole, alike, tried, whole_rate)
    if found is None or not rate.is_usable:
        return NOTHING
    seen, below, above = found
    share = (seen - rate.fpr) / rate.gain
    more = Z**2 * rate.variance(share)
    return _clipped(
        share,
        share - math.sqrt(below**2 + more) / rate.shrunken_gain,
        share + math.sqrt(above**2 + more) / rate.shrunken_gain,
    )

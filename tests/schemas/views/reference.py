"""Computes corrected shares in plain Python; the view `ratios` must give the same.

This module is written from the literature, not from the view: Rogan and Gladen 1978; Lang and
Reiczigel 2014; the delta method; Zou and Donner 2008.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
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
    """Corrects a share whose whole is classified too: a quotient of two corrected shares."""
    if not (rate.is_usable and whole_rate.is_usable):
        return NOTHING
    upper, _, upper_error = _direct(part, tried, rate)
    lower, _, lower_error = _direct(whole, tried, whole_rate)
    upper, lower = min(upper, 1.0), min(lower, 1.0)
    if lower <= 0:
        return NOTHING
    if upper <= 0:
        return 0.0, 0.0, None
    ratio = upper / lower
    factor = math.exp(min(Z * math.hypot(upper_error / upper, lower_error / lower), 50))
    return _clipped(ratio, ratio / factor, ratio * factor)


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


@dataclass(frozen=True)
class Sums:
    """A part and its whole, summed over the days on which they were released.

    Attributes:
      part: conversations in the part, on the days on which both part and whole were released. If
        there is no such day, on all days on which the part was released.
      days: number of the days that `part` adds up.
      whole: conversations in the whole, on the days on which the whole was released.
      whole_days: number of the days that `whole` adds up; 0 if no day has both part and whole.
    """

    part: int
    days: int
    whole: int
    whole_days: int

    @property
    def is_whole(self) -> bool:
        """Whether the part was released on every day on which the whole was released."""
        return self.days == self.whole_days


Cell = tuple[str, str]


def summed(days: Sequence[Mapping[Cell, int]], part: Cell, whole: Cell) -> Sums:
    """Adds up days, each given as the number of conversations in each of its released cells."""
    both = [day for day in days if part in day and whole in day and day[part] <= day[whole]]
    if not both:
        alone = [day[part] for day in days if part in day]
        return Sums(sum(alone), len(alone), 0, 0)
    wholes = [day[whole] for day in days if whole in day]
    return Sums(sum(day[part] for day in both), len(both), sum(wholes), len(wholes))


def needed(part: Cell, whole: Cell) -> list[Cell]:
    """Returns the cells that a corrected share needs in addition to part and whole."""
    if whole[0] in ("all", "long"):
        return []
    inside = part[0] in ("long", "pushback")
    return [("all", "all"), (part[0], "all")] if inside else [("all", "all")]

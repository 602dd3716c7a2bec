"""Corrects shares for the classifier's errors, using error rates that were measured elsewhere.

A share is a part divided by a whole. There are five ways to correct it. They differ in whether the
classifier decides the part, the whole or both.

`direct`: the classifier decides only the part. Share: (raw - FPR) / (TPR - FPR) (Rogan and Gladen
1978). Interval: Lang and Reiczigel 2014 (Prev. Vet. Med. 113:13), which covers the truth in about
95 % of the cases even if the rates come from few labelled conversations.

`quotient`: it decides both, each with its own errors, e.g. types of the affective conversations.
Share: corrected part / corrected whole. Interval: combines the intervals of the two as if they were
independent (MOVER for ratios; Donner and Zou 2012). They are not, because both come from the same
conversations, so the interval is somewhat too wide. Where the part is rare, the delta method on the
logarithms would cover the truth in only 88 to 91 % of the cases.

`inside`: it decides only the whole, e.g. long conversations within a type. Suppose that no
conversation truly belonged to the whole. Then false alarms would make up a share w = FPR * all /
whole of it. A share r of all conversations is long, and the same share of the false alarms. Share:
(raw - w r) / (1 - w), i.e. without the false alarms. Interval: the raw share's interval under the
same formula. The squares of the errors of w and r are added to the square of its width on either
side (MOVER; Zou and Donner 2008). If false alarms alone may explain the whole, there is no
corrected share.

`inside_detected`: it decides the whole and also detects the part, e.g. pushback within a type.
`direct` is applied to the result of `inside`. The error of the part's rates is added in the same
way.

`union`: several types together, for which no common rates were measured. Share: the sum of the
corrected types, reduced by the overlap of the raw numbers. Interval: from the highest of the lower
ends to the sum of the upper ends (Boole 1854).

Assumptions: these conversations are like those on which the rates were measured. Errors are as
frequent in long conversations as in short ones, with pushback as without, and for each value of a
breakdown. Errors about type and errors about pushback are independent.

All intervals also contain the noise of the published counts. All arrays are float64 and broadcast.
If a count or a rate is NaN, the result is NaN.

This module does not use Beam.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from transforms.estimation.proportions import (
    Floats,
    Interval,
    QuotientNoise,
    Z,
    quotient_noise,
    score_interval,
    within,
)

_INDEPENDENT: Final = np.zeros((1, 1))


@dataclass(frozen=True)
class ErrorRates:
    """Measured error rates, as counts of labelled conversations.

    The shrunken rates are those of Lang and Reiczigel: one hit and one miss are added.
    """

    true_positives: Floats
    positives: Floats
    false_positives: Floats
    negatives: Floats

    @cached_property
    def false_alarms(self) -> Floats:
        """The false positive rate."""
        return self.false_positives / self.negatives

    @cached_property
    def gain(self) -> Floats:
        """The true positive rate minus the false positive rate."""
        return self.true_positives / self.positives - self.false_alarms

    @cached_property
    def sensitivity(self) -> Floats:
        """The shrunken true positive rate."""
        return (self.true_positives + 1) / (self.positives + 2)

    @cached_property
    def specificity(self) -> Floats:
        """The shrunken true negative rate."""
        return (self.negatives - self.false_positives + 1) / (self.negatives + 2)

    @cached_property
    def shrunken_gain(self) -> Floats:
        """The gain, computed from the shrunken rates."""
        return self.sensitivity + self.specificity - 1

    @cached_property
    def sensitivity_variance(self) -> Floats:
        """The variance of the shrunken true positive rate."""
        return self.sensitivity * (1 - self.sensitivity) / (self.positives + 2)

    @cached_property
    def specificity_variance(self) -> Floats:
        """The variance of the shrunken true negative rate."""
        return self.specificity * (1 - self.specificity) / (self.negatives + 2)

    def variance(self, share: Floats) -> Floats:
        """Returns the variance that uncertain rates add to a raw share, given the true share."""
        missed = share**2 * self.sensitivity_variance
        return missed + (1 - share) ** 2 * self.specificity_variance


@dataclass(frozen=True)
class _Solved:
    """A corrected share before clipping, and the middle and standard error of its interval."""

    share: Floats
    middle: Floats
    error: Floats

    @property
    def interval(self) -> Interval:
        return Interval(self.share, self.middle - Z * self.error, self.middle + Z * self.error)


def _solve(part: Floats, whole: Floats, rates: ErrorRates, noise: QuotientNoise) -> _Solved:
    share = (np.minimum(part / whole, 1.0) - rates.false_alarms) / rates.gain
    size = whole + Z * Z
    raw = (np.minimum(part, whole) + Z * Z / 2) / size
    shrunken = (raw + rates.specificity - 1) / rates.shrunken_gain
    pull = shrunken * rates.sensitivity_variance - (1 - shrunken) * rates.specificity_variance
    chance = raw * (1 - raw) / size + noise.variance(raw, size)
    error = np.sqrt(chance + rates.variance(shrunken)) / rates.shrunken_gain
    return _Solved(share, shrunken + 2 * Z * Z * pull, error)


def direct(part: Floats, whole: Floats, rates: ErrorRates, noise: QuotientNoise) -> Interval:
    """Corrects a share if the classifier decides only the part."""
    return within(_solve(part, whole, rates, noise).interval)


def quotient(
    part: Floats,
    whole: Floats,
    everything: Floats,
    rates: ErrorRates,
    whole_rates: ErrorRates,
    variance: float,
) -> Interval:
    """Corrects a share if the classifier decides both among all conversations."""
    noise = quotient_noise(variance, _INDEPENDENT)
    upper = within(_solve(part, everything, rates, noise).interval)
    lower = within(_solve(whole, everything, whole_rates, noise).interval)
    return within(_divided(upper, lower))


@np.errstate(divide="ignore", invalid="ignore")
def _divided(upper: Interval, lower: Interval) -> Interval:
    """Divides two shares; NaN where the divisor is 0. Where it may be 0, the upper end is 1."""
    share = np.where(lower.share > 0, upper.share / lower.share, np.nan)
    product = upper.share * lower.share
    # The ends are roots of square * x^2 - 2 * product * x + constant.
    constant = upper.share**2 - (upper.share - upper.low) ** 2
    square = lower.share**2 - (lower.high - lower.share) ** 2
    root = np.sqrt(np.maximum(product**2 - square * constant, 0.0))
    low = np.where(constant > 0, constant / (product + root), 0.0)
    constant = upper.share**2 - (upper.high - upper.share) ** 2
    square = lower.share**2 - (lower.share - lower.low) ** 2
    root = np.sqrt(np.maximum(product**2 - square * constant, 0.0))
    high = np.where(square > 0, (product + root) / square, 1.0)
    return Interval(share, low, high)


@dataclass(frozen=True)
class Group:
    """Numbers of conversations in a group that the classifier decides, and in total.

    Attributes:
      part: conversations of the group with the property in question, e.g. long ones.
      whole: conversations of the group.
      alike: all conversations with that property.
      everything: all conversations.
    """

    part: Floats
    whole: Floats
    alike: Floats
    everything: Floats


@dataclass(frozen=True)
class _Reach:
    """A share before clipping, and how far its interval reaches down and up."""

    share: Floats
    below: Floats
    above: Floats

    @property
    def interval(self) -> Interval:
        return Interval(self.share, self.share - self.below, self.share + self.above)


def _reach(group: Group, whole_rates: ErrorRates, variance: float) -> _Reach:
    # Part and whole also count false alarms, so their noise is added at the end.
    raw = score_interval(group.part, group.whole, quotient_noise(0.0, _INDEPENDENT))
    noise = quotient_noise(variance, _INDEPENDENT)
    solved = _solve(group.whole, group.everything, whole_rates, noise)
    among_all = np.minimum(group.alike / group.everything, 1.0)
    false = whole_rates.false_alarms * group.everything / group.whole
    is_real = (solved.middle - Z * solved.error > 0) & (false < 1)
    true = np.where(is_real, 1 - false, np.nan)
    share = (raw.share - false * among_all) / true
    by_false = ((raw.share - among_all) / true**2) ** 2
    by_false = by_false * _false_variance(group, whole_rates, false)
    by_alike = (false / true) ** 2 * among_all * (1 - among_all) / group.everything
    # The noise of the four counts in (part - FPR * alike) / (whole - FPR * all).
    by_noise = (1 + whole_rates.false_alarms**2) * noise.variance(share, group.whole * true)
    more = Z * Z * (by_false + by_alike + by_noise)
    return _Reach(
        share,
        np.sqrt(((raw.share - raw.low) / true) ** 2 + more),
        np.sqrt(((raw.high - raw.share) / true) ** 2 + more),
    )


def _false_variance(group: Group, whole_rates: ErrorRates, false: Floats) -> Floats:
    """Returns the variance of `false`, the share of false alarms in the whole, without noise."""
    by_rate = (group.everything / group.whole) ** 2 * whole_rates.specificity_variance
    by_chance = np.maximum(1 / group.whole - 1 / group.everything, 0.0)
    return by_rate + false**2 * by_chance


def inside(group: Group, whole_rates: ErrorRates, variance: float) -> Interval:
    """Corrects a share if the classifier decides only the whole."""
    return within(_reach(group, whole_rates, variance).interval)


def inside_detected(
    group: Group, rates: ErrorRates, whole_rates: ErrorRates, variance: float
) -> Interval:
    """Corrects a share if the classifier decides the whole and also detects the part."""
    reach = _reach(group, whole_rates, variance)
    share = (reach.share - rates.false_alarms) / rates.gain
    more = Z * Z * rates.variance(share)
    below = np.sqrt(reach.below**2 + more) / rates.shrunken_gain
    above = np.sqrt(reach.above**2 + more) / rates.shrunken_gain
    return within(Interval(share, share - below, share + above))


def union(raw: Floats, raw_parts: Floats, parts: Interval) -> Interval:
    """Corrects the share of conversations that belong to at least one of several parts.

    Args:
      raw: raw share of the union, of shape [n, 1].
      raw_parts: raw shares of the parts, of shape [n, parts].
      parts: their corrected shares, of the same shape.
    """
    total = raw_parts.sum(axis=1, keepdims=True)
    overlap = np.where(total > 0, np.minimum(raw / total, 1.0), 1.0)
    low, high = (
        parts.low.max(axis=1, keepdims=True),
        parts.high.sum(axis=1, keepdims=True),
    )
    share = parts.share.sum(axis=1, keepdims=True) * overlap
    return within(Interval(np.maximum(share, low), low, high))

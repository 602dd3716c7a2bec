"""Lets the judgements of several days serve each of them.

The classifier's error hardly changes from one day to the next, so the other days' samples say
something about it. Each day's share is

    lambda * said share of that day + an adjustment,

and its adjustment is drawn towards that of all days (random effects: DerSimonian and Laird 1986).
How far depends on how much adjustments differ between days beyond chance. Few days tell little
about that. So we average over the standard deviations that it may have, with a flat prior (Gelman
2006). The usual point estimate is 0 for half of all weeks without drift and for many with some
drift, and then the intervals are too short.

The variance of a day's adjustment is taken from all days, in proportion to what the day's sample
can say. Its own variance would be too small just when its sample missed the heaviest conversations,
and such days would count too much.

If Cochran's Q (1954) finds that the adjustments drift, the days are not pooled.

The estimate of the whole week needs no pooling: add the moments and the counts of its days.

This module does not use Beam.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from typing import Final, NamedTuple

import numpy as np

from transforms.estimation.difference.equation import Known, share_given, tuned_power
from transforms.estimation.difference.judge_errors import JudgeErrors
from transforms.estimation.difference.limits import Judged
from transforms.estimation.difference.moments import PART, SAID_WHOLE, WHOLE, Moments, add, scale
from transforms.estimation.judged import share_from
from transforms.estimation.proportions import Floats

DRIFT_LEVEL: Final = 0.05
"""If the p-value of Cochran's Q is below, the days are not pooled."""

MIN_DAYS: Final = 3
"""Fewer days say nothing about how much days differ, so they are not pooled."""

_STEPS: Final = 41
_LARGEST: Final = 4.0
"""The largest standard deviation between days, in standard errors of a day."""

_TINY: Final = 1e-300


class Day(NamedTuple):
    """One day's sums over the judged conversations, and what is known of all of that day."""

    moments: Moments
    known: Known


class Pooled(NamedTuple):
    """Estimates of each day.

    Attributes:
      days: one for each day, float64 (k,) each.
      drift: float64 (k,), the p-value of Cochran's Q; NaN if there are too few days.
      own: float64 (days, k), the weight of the day's own adjustment, from 0 to 1.
    """

    days: tuple[Judged, ...]
    drift: Floats
    own: Floats


class _Effects(NamedTuple):
    """What is known of each day's adjustment, float64 (days, k).

    Attributes:
      adjustment: 0 if nothing was judged.
      variance: its variance; infinite if nothing was judged.
      by_chance: the largest variance that adjustments have between days whose conversations come
        from the same distribution.
    """

    adjustment: Floats
    variance: Floats
    by_chance: Floats


def pool_shares(
    days: Sequence[Day],
    *,
    wanted: Sequence[int] | None = None,
    errors: JudgeErrors | None = None,
    as_sample: bool = False,
) -> Pooled:
    """Estimates each day's shares from the judgements of all days.

    Args:
      days: the days, in any order. A day may have no judgements.
      wanted: indexes of the days to estimate; None for all.
      errors: the judge's errors; None if the judge is taken to be right.
      as_sample: as for `judged_share`.

    Raises:
      ValueError: if there are no days.
    """
    if not days:
        raise ValueError("days must not be empty; pass at least one day")
    effects = _effects(days)
    drift = _drift(effects)
    weights, between = _borrow(effects)
    is_pooled = drift >= DRIFT_LEVEL
    weights = np.where(is_pooled, weights, np.eye(len(days))[:, :, None])
    between = np.where(is_pooled, between, 0.0)
    found = tuple(
        share_from(
            _combine(days, row, weights[row]),
            day.known,
            errors=errors,
            as_sample=as_sample,
            between=between[row],
        )
        for row, day in enumerate(days)
        if wanted is None or row in wanted
    )
    return Pooled(found, drift, np.einsum("ddk->dk", weights))


def _effects(days: Sequence[Day]) -> _Effects:
    """Returns the adjustments with a common lambda."""
    whole_week = reduce(add, (day.moments for day in days))
    power = tuned_power(whole_week, _sum([day.known for day in days]))
    given = [share_given(day.moments, day.known, power) for day in days]
    adjustment, variance = (np.stack([one[i] for one in given]) for i in range(2))
    sizes = np.stack([day.moments.first[WHOLE] for day in days])
    judged = np.stack([day.moments.numbers[WHOLE] for day in days])
    with np.errstate(divide="ignore", invalid="ignore"):
        doubt = np.where(judged > 0, 1 / judged, np.inf)
        scatter = np.where(judged > 0, sizes**2 / judged, 0.0).sum(axis=0)
        typical = variance.sum(axis=0) / scatter
        found = np.where(judged > 0, np.maximum(typical, _TINY) * doubt, np.inf)
        share = np.clip(whole_week.first[PART] / whole_week.first[WHOLE], 0.0, 1.0)
        by_chance = np.where(judged > 0, share * (1 - share) / sizes, 0.0)
    return _Effects(np.where(judged > 0, adjustment, 0.0), found, by_chance)


def _sum(known: Sequence[Known]) -> Known:
    columns = zip(*known, strict=True)
    return Known(*(np.sum([np.asarray(x) for x in column], axis=0) for column in columns))


def _centre(effects: _Effects, spread: Floats | float) -> tuple[Floats, Floats, Floats]:
    """Returns the precision of each day, their sum, and the mean adjustment."""
    precision = 1 / (effects.variance + spread)
    total = np.maximum(precision.sum(axis=-2), _TINY)
    return precision, total, (precision * effects.adjustment).sum(axis=-2) / total


def _drift(effects: _Effects) -> Floats:
    """Returns the p-value of Cochran's Q, by Wilson and Hilferty's approximation."""
    freedom = np.isfinite(effects.variance).sum(axis=0) - 1
    precision, _, middle = _centre(effects, effects.by_chance)
    statistic = (precision * (effects.adjustment - middle) ** 2).sum(axis=0)
    ratio = 2 / (9 * np.maximum(freedom, 1))
    normal = (np.cbrt(statistic / np.maximum(freedom, 1)) - 1 + ratio) / np.sqrt(ratio)
    found = np.array([math.erfc(z / math.sqrt(2)) / 2 for z in normal.tolist()])
    return np.where(freedom + 1 >= MIN_DAYS, found, np.nan)


def _borrow(effects: _Effects) -> tuple[Floats, Floats]:
    """Returns the weight of each day's adjustment in each day's, and the variance it adds.

    The weights are float64 (days, days, k), the variances (days, k).
    """
    known = np.where(np.isfinite(effects.variance), effects.variance, 0.0)
    largest = _LARGEST * np.sqrt(known.max(axis=0))
    spread = (np.linspace(0, 1, _STEPS)[:, None] * largest) ** 2
    precision, total, middle = _centre(effects, spread[:, None])
    chance = _chances(effects, precision, total, middle)
    own = spread[:, None] * precision
    shared = precision / total[:, None]
    weights = np.einsum("tk,tdk,tjk->djk", chance, 1 - own, shared)
    rows = np.arange(len(effects.variance))
    weights[rows, rows] += np.einsum("tk,tdk->dk", chance, own)
    lent = (weights**2).sum(axis=1) - weights[rows, rows] ** 2
    return weights, (chance * spread).sum(axis=0) * ((1 - weights[rows, rows]) ** 2 + lent)


def _chances(effects: _Effects, precision: Floats, total: Floats, middle: Floats) -> Floats:
    """Returns the posterior probability of each spread, float64 (steps, k)."""
    with np.errstate(divide="ignore"):
        logs = np.where(precision > 0, np.log(np.maximum(precision, _TINY)), 0.0).sum(axis=1)
    squares = (precision * (effects.adjustment - middle[:, None]) ** 2).sum(axis=1)
    likelihood = (logs - squares - np.log(total)) / 2
    relative = np.exp(likelihood - likelihood.max(axis=0))
    chance: Floats = relative / relative.sum(axis=0)
    return chance


def _combine(days: Sequence[Day], row: int, weights: Floats) -> Moments:
    """Adds up all days' moments by weight, scaled to the size of one day."""
    sizes = np.stack([day.moments.first[WHOLE] for day in days])
    said = np.stack([day.moments.first[SAID_WHOLE] for day in days]).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        size = days[row].known.said_whole * sizes.sum(axis=0) / said
    size = np.where(np.isfinite(size), size, sizes.mean(axis=0))
    size = np.where(weights[row] == 1, sizes[row], size)  # Then the day is not pooled.
    factors = np.divide(weights * size, sizes, out=np.zeros_like(weights), where=sizes > 0)
    return reduce(add, (scale(day.moments, f) for day, f in zip(days, factors, strict=True)))

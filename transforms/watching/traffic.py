"""Measures a classifier's rates on this traffic, in the format of the shipped ones.

A judged conversation stands for 1 / probability others, so a measured rate is not a quotient of two
numbers of conversations. It is written as one all the same: as a count of an *effective number* of
conversations, which is the number for which Wilson's interval is as wide as the rate's. So the
counts mean the same as those of other rates: their intervals, and whether they are enough to
correct a share (`Rate.is_supported`).

The rates are those of all judged days together, over all languages. Their judged totals have the
noise that they have in the figures, so a file of rates tells no more than these.

This module does not use Beam.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from typing import Final

import numpy as np

from schemas.published import FALSE_ALARMS, RECALL
from transforms.estimation.difference.equation import Known
from transforms.estimation.difference.moments import add
from transforms.estimation.judged import share_from
from transforms.estimation.judged_figures import JudgedTable, Noise, by_day
from transforms.estimation.proportions import Z
from transforms.estimation.rates import ALL_LANGUAGES, Rate, Rates
from transforms.judging.conversations import JudgedConversation
from transforms.watching.watch import WATCHED, rate_moments

_MOST: Final = 1_000_000
"""The largest effective number of conversations."""


def traffic_rates(judged: Sequence[JudgedConversation], version: str, noise: Noise) -> Rates:
    """Measures the rates of one version of the classifier.

    Args:
      judged: the judged conversations of any days, all decided by that version.
      version: the version.
      noise: the noise of judged numbers.

    Returns:
      The rates of those of `WATCHED` for which enough conversations are judged. They depend on the
      order of the conversations only by rounding.
    """
    recall, false_alarms = (_measured(judged, measure, noise) for measure in (RECALL, FALSE_ALARMS))
    rates = []
    for slice_, found, wrong in zip(WATCHED, recall, false_alarms, strict=True):
        if found is not None and wrong is not None:
            rates.append(Rate(ALL_LANGUAGES, *slice_, *found, *wrong))
    return Rates(version, tuple(rates))


def _measured(
    judged: Sequence[JudgedConversation], measure: str, noise: Noise
) -> list[tuple[int, int] | None]:
    """Returns the counts of each slice; None where too few conversations are judged."""
    days = by_day(judged)
    if not days:
        return [None] * len(WATCHED)
    moments = reduce(add, (rate_moments(measure, JudgedTable(day), noise) for day in days))
    unknown = np.full(len(WATCHED), np.nan)
    found = share_from(moments, Known(unknown, unknown))
    return [_counts(*values) for values in zip(*(x.tolist() for x in found), strict=True)]


def _counts(rate: float, low: float, high: float) -> tuple[int, int] | None:
    if math.isnan(rate):
        return None
    total = effective_number(rate, high - low)
    return round(rate * total), total


def effective_number(rate: float, width: float) -> int:
    """Returns for how many conversations Wilson's 95 % interval of a rate has this width.

    Args:
      rate: the rate, in [0, 1].
      width: the width, in [0, 1].

    Returns:
      The smallest number for which the interval is not wider, at most a million. It is 0 if any
      interval is narrow enough.
    """
    low, high = 0, _MOST
    while low < high:
        middle = (low + high) // 2
        is_enough = _width(rate, middle) <= width
        low, high = (low, middle) if is_enough else (middle + 1, high)
    return low


def _width(rate: float, number: int) -> float:
    if not number:
        return 1.0
    half = Z * math.sqrt(rate * (1 - rate) / number + Z * Z / (4 * number * number))
    return 2 * half / (1 + Z * Z / number)

"""What the classifier's measured rates say about its recall and its false alarms.

The shipped rates are those of the model card. A run may take rates of its own instead.

This module does not use Beam.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

import numpy as np

from schemas.published import FALSE_ALARMS, RECALL
from transforms.estimation.proportions import QuotientNoise, Z, score_interval
from transforms.estimation.rates import ALL_LANGUAGES, Rate, Rates
from transforms.facets.registry import Slice

_NO_NOISE: Final = QuotientNoise(0.0, np.zeros(1), np.zeros(1))


class Measured(NamedTuple):
    """A rate in [0, 1] with its 95 % interval."""

    rate: float
    low: float
    high: float

    def is_apart(self, low: float, high: float) -> bool:
        """Tells whether another interval has nothing in common with this one."""
        return high < self.low or low > self.high


Card = Mapping[tuple[Slice, str], Measured]
"""Rates by slice and measure, which is `published.RECALL` or `published.FALSE_ALARMS`."""


def card_of(rates: Rates | None) -> Card:
    """Returns what was measured over all languages, with Wilson's intervals.

    The interval of the false alarms also covers that they differ between platforms, as far as
    `Rate.spread` says so. Nothing is known about how recall differs.
    """
    return dict(_entries(rates)) if rates is not None else {}


def _entries(rates: Rates) -> Iterator[tuple[tuple[Slice, str], Measured]]:
    for rate in rates.rates:
        if rate.language == ALL_LANGUAGES:
            slice_ = Slice(rate.facet, rate.facet_value)
            if rate.positives:
                yield (slice_, RECALL), _measured(rate.true_positives, rate.positives)
            if rate.negatives:
                yield (slice_, FALSE_ALARMS), _false_alarms(rate)


def _false_alarms(rate: Rate) -> Measured:
    found, low, high = _measured(rate.false_positives, rate.negatives)
    spread = Z * rate.spread
    return Measured(
        found,
        max(0.0, found - math.hypot(found - low, spread)),
        min(1.0, found + math.hypot(high - found, spread)),
    )


def _measured(count: int, total: int) -> Measured:
    found = score_interval(np.array([float(count)]), np.array([float(total)]), _NO_NOISE)
    return Measured(*(float(x[0]) for x in found))

"""Corrects a share for the classifier's errors, to estimate the true share.

`transforms/estimation/corrections.py` has the same estimator, for many shares at once. This module
tests it on resamples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from transforms.estimation.rates import Rate

Z: Final = 1.959964
RESAMPLES: Final = 200
SAMPLE: Final = 5000
"""The number of conversations drawn for one share."""


@dataclass(frozen=True)
class Estimate:
    """Holds a corrected share and its 95 % interval."""

    share: float
    low: float
    high: float


def correct(
    flagged: int,
    count: int,
    true_positives: int,
    positives: int,
    false_positives: int,
    negatives: int,
) -> Estimate:
    """Corrects a share (Rogan and Gladen 1978; interval of Lang and Reiczigel 2014)."""
    sensitivity, specificity = true_positives / positives, 1 - false_positives / negatives
    plain = (flagged / count + specificity - 1) / (sensitivity + specificity - 1)
    count_2, positives_2, negatives_2 = count + Z * Z, positives + 2, negatives + 2
    raw = (flagged + Z * Z / 2) / count_2
    sens = (true_positives + 1) / positives_2
    spec = (negatives - false_positives + 1) / negatives_2
    youden = sens + spec - 1
    middle = (raw + spec - 1) / youden
    sens_error = sens * (1 - sens) / positives_2
    spec_error = spec * (1 - spec) / negatives_2
    pull = 2 * Z * Z * (middle * sens_error - (1 - middle) * spec_error)
    error = raw * (1 - raw) / count_2 + middle**2 * sens_error + (1 - middle) ** 2 * spec_error
    half = Z * error**0.5 / youden
    low, high = middle + pull - half, middle + pull + half
    return Estimate(*(float(np.clip(value, 0, 1)) for value in (plain, low, high)))


def resample(
    positive: NDArray[np.bool_], negative: NDArray[np.bool_], rates: Sequence[float], seed: int
) -> dict[str, Any]:
    """Corrects samples with known rates, 200 for each rate.

    Each time, half of the conversations measure the classifier's error rates. From the other half,
    a sample with the known rate is drawn with replacement.

    Args:
        positive: bool (n,), the decisions about conversations that are affective.
        negative: bool (m,), the decisions about conversations that are not.
        rates: the true shares, which the correction should recover.
        seed: the seed of the random draws.
    """
    random = np.random.default_rng(seed)
    found = {}
    for rate in rates:
        errors, raw_errors, widths, covered = [], [], [], 0
        for _ in range(RESAMPLES):
            own, rest = _halves(positive, random), _halves(negative, random)
            drawn = int(random.binomial(SAMPLE, rate))
            flagged = int(random.choice(own[1], drawn).sum())
            flagged += int(random.choice(rest[1], SAMPLE - drawn).sum())
            estimate = correct(
                flagged, SAMPLE, int(own[0].sum()), len(own[0]), int(rest[0].sum()), len(rest[0])
            )
            errors.append(abs(estimate.share - rate))
            raw_errors.append(abs(flagged / SAMPLE - rate))
            widths.append(estimate.high - estimate.low)
            covered += estimate.low <= rate <= estimate.high
        found[f"{rate:.0%}"] = {
            "coverage": covered / RESAMPLES,
            "mean_error": round(float(np.mean(errors)), 5),
            "mean_error_raw": round(float(np.mean(raw_errors)), 5),
            "mean_width": round(float(np.mean(widths)), 5),
        }
    return found


def transfer(
    positive: NDArray[np.bool_],
    negative: NDArray[np.bool_],
    errors: Rate,
    rates: Sequence[float],
    seed: int,
) -> dict[str, Any]:
    """Corrects samples of one platform by error rates that were measured on another.

    Args:
        positive: bool (n,), the decisions about this platform's affective conversations.
        negative: bool (m,), the decisions about the others.
        errors: the error rates.
        rates: the true shares, which the correction should recover.
        seed: the seed of the random draws.
    """
    random = np.random.default_rng(seed)
    found = {}
    for rate in rates:
        off, off_raw, covered = [], [], 0
        for _ in range(RESAMPLES):
            drawn = int(random.binomial(SAMPLE, rate))
            flagged = int(random.choice(positive, drawn).sum())
            flagged += int(random.choice(negative, SAMPLE - drawn).sum())
            estimate = correct(
                flagged,
                SAMPLE,
                errors.true_positives,
                errors.positives,
                errors.false_positives,
                errors.negatives,
            )
            off.append(abs(estimate.share - rate))
            off_raw.append(abs(flagged / SAMPLE - rate))
            covered += estimate.low <= rate <= estimate.high
        found[f"{rate:.0%}"] = {
            "coverage": covered / RESAMPLES,
            "mean_error": round(float(np.mean(off)), 5),
            "mean_error_raw": round(float(np.mean(off_raw)), 5),
        }
    return found


def _halves(
    flags: NDArray[np.bool_], random: np.random.Generator
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    order = random.permutation(len(flags))
    return flags[order[: len(flags) // 2]], flags[order[len(flags) // 2 :]]

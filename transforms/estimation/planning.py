"""Says beforehand how many judgements buy which width of the interval.

**From a judged sample.** Each judged conversation stands for 1 / probability others. So the sample
tells what another one of another size would be like.

**Without one.** The gate's logits are modelled by two normal distributions of equal spread, as far
apart as the gate's AUC says (the binormal model: Hanley 1988). The threshold is set where the
recall or the false alarms are as given, for each of the two. The weights are those of
`transforms.judging.allocation`, for a gate that is calibrated.

Either way, the expected sums over a sample go through the same estimator as those of a real sample.

This module does not use Beam.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Final, NamedTuple

import numpy as np

from transforms.classifiers.head import PRIOR
from transforms.classifiers.interface import LOGIT_UNIT
from transforms.estimation.difference.equation import Known
from transforms.estimation.difference.moments import Sample, moments_of
from transforms.estimation.judged import share_from
from transforms.estimation.proportions import Floats
from transforms.judging.allocation import HIGHEST, LOWEST, weight
from transforms.judging.conversations import MIN_JUDGED

_NORMAL: Final = NormalDist()
_LOGITS: Final = np.arange(LOWEST, HIGHEST + 1) * LOGIT_UNIT
_WEIGHTS: Final = np.array([weight(logit, 0, False) for logit in range(LOWEST, HIGHEST + 1)])
_HALVINGS: Final = 60


class Traffic(NamedTuple):
    """What is expected of conversations and classifier.

    Attributes:
      conversations: their number.
      share: the true share, above 0 and below 1.
      recall, false_alarms: the classifier's rates.
      auc: the probability that the gate's logit of an affective conversation is above that of
        another one; above one half and below 1.
      variance: variance of the noise on the published counts.

    Raises:
      ValueError: by the functions of this module, if a number is out of range.
    """

    conversations: int
    share: float
    recall: float
    false_alarms: float
    auc: float
    variance: float = 4.0


def expected_half_width(traffic: Traffic, judgements: int) -> float:
    """Returns half the width of the expected 95 % interval of the share.

    Raises:
      ValueError: if a number of `traffic` is out of range, or if there are fewer than 1 judgements.
    """
    _check(traffic)
    if judgements < 1:
        raise ValueError(f"judgements must be at least 1, got {judgements}")
    chance, is_in, said = _cells(traffic)
    number = chance * traffic.conversations
    probability = _probabilities(number.sum(axis=0), _WEIGHTS, judgements)
    sample = Sample(
        np.tile(probability, 4),
        np.repeat(is_in, len(_LOGITS))[:, None],
        np.repeat(said, len(_LOGITS))[:, None],
        np.ones((number.size, 1)),
        np.ones((number.size, 1)),
    )
    moments = moments_of(sample, (number * probability).ravel())
    everything = float(traffic.conversations)
    counted = (said * chance.sum(axis=1)).sum() * everything
    known = Known(np.array([counted]), np.array([everything]), traffic.variance, traffic.variance)
    found = share_from(moments, known)
    return float(found.high[0] - found.low[0]) / 2


def half_width_like(
    sample: Sample, weights: Floats, judgements: int, *, times: float = 1.0, variance: float = 4.0
) -> float:
    """Returns half the width of the expected 95 % interval, if conversations are like a sample's.

    Args:
      sample: judged conversations, for one share, float64 (n, 1).
      weights: float64 (n,), by which conversations are chosen; see `judging.allocation.weight`.
      judgements: how many conversations will be judged.
      times: how many times as many conversations there will be.
      variance: variance of the noise on the published counts.

    Raises:
      ValueError: if there are fewer than 1 judgements, or none in the sample.
    """
    if judgements < 1 or not len(weights):
        raise ValueError(f"there must be judgements, got {judgements} and {len(weights)} before")
    number = times / sample.probability
    probability = _probabilities(number, weights, judgements)
    moments = moments_of(sample._replace(probability=probability), number * probability)
    said_part, said_whole = (number @ x for x in (sample.said_part, sample.said_whole))
    found = share_from(moments, Known(said_part, said_whole, variance, variance))
    return float(found.high[0] - found.low[0]) / 2


def judgements_needed(traffic: Traffic, half_width: float) -> int:
    """Returns the fewest judgements with at most this half-width: all of them, if need be.

    Raises:
      ValueError: if a number of `traffic` is out of range, or if the half-width is not above 0.
    """
    if not half_width > 0:
        raise ValueError(f"half_width must be positive, got {half_width}")
    low, high = MIN_JUDGED, traffic.conversations
    while low < high:
        middle = (low + high) // 2
        is_enough = expected_half_width(traffic, middle) <= half_width
        low, high = (low, middle) if is_enough else (middle + 1, high)
    return low


def _check(traffic: Traffic) -> None:
    if traffic.conversations < 1:
        raise ValueError(f"conversations must be at least 1, got {traffic.conversations}")
    for name in ("share", "recall", "false_alarms"):
        value = getattr(traffic, name)
        if not 0 < value < 1:
            raise ValueError(f"{name} must be above 0 and below 1, got {value}")
    if not 0.5 < traffic.auc < 1:
        raise ValueError(f"auc must be above 0.5 and below 1, got {traffic.auc}")


def _cells(traffic: Traffic) -> tuple[Floats, Floats, Floats]:
    """Returns the shares of conversations by truth and decision and by logit, float64 (4, 256).

    Also returns the truth and the decision of each of the four rows.
    """
    gap = math.sqrt(2) * _NORMAL.inv_cdf(traffic.auc)
    # With these means and spreads, the logit is the log odds at the prior.
    middle = math.log(PRIOR / (1 - PRIOR))
    rows = []
    for share, mean, said in (
        (traffic.share, middle + gap**2 / 2, traffic.recall),
        (1 - traffic.share, middle - gap**2 / 2, traffic.false_alarms),
    ):
        spread = NormalDist(mean, gap)
        edges = [-math.inf, *(_LOGITS[1:] - LOGIT_UNIT / 2).tolist(), math.inf]
        below = np.array([spread.cdf(edge) for edge in edges])
        counted = np.maximum(below - (1 - said), 0.0)
        yes = np.diff(counted)
        rows += [share * yes, share * (np.diff(below) - yes)]
    return np.array(rows), np.array([1.0, 1.0, 0.0, 0.0]), np.array([1.0, 0.0, 1.0, 0.0])


def _probabilities(number: Floats, weights: Floats, judgements: int) -> Floats:
    """Returns the probability of being judged for each kind of conversation.

    Args:
      number: how many conversations of each kind there are, float64 (n,).
      weights: their weights, float64 (n,).
      judgements: how many of all are judged.
    """
    wanted = min(float(judgements), float(number.sum()))
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        is_enough = number @ np.minimum(1.0, middle * weights) >= wanted
        low, high = (low, middle) if is_enough else (middle, high)
    found: Floats = np.minimum(1.0, high * weights)
    return found

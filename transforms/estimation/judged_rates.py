"""Measures how well the classifier does on this traffic, from the judged sample.

Recall and the rate of false alarms are shares too: of the conversations in a slice, those that the
classifier puts there, and the same of the conversations outside. So they have the same estimator
and the same intervals (`transforms.estimation.judged`). The number of conversations that the
classifier puts into the slice is known, which helps most for the false alarms.

This module does not use Beam.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from transforms.estimation.difference.equation import Known
from transforms.estimation.difference.limits import Judged
from transforms.estimation.difference.moments import Sample
from transforms.estimation.judged import judged_share
from transforms.estimation.proportions import Floats


class TrafficRates(NamedTuple):
    """Rates of `k` slices with their 95 % intervals; NaN where too few conversations are judged.

    Attributes:
      recall: the share of the conversations in the slice that the classifier puts there.
      false_alarms: the share of the conversations outside that the classifier puts there.
    """

    recall: Judged
    false_alarms: Judged


def recall_sample(probability: Floats, truth: Floats, said: Floats) -> Sample:
    """Returns the sample whose share is the recall; arguments as for `rates_on_traffic`."""
    return Sample(probability, truth * said, said, truth, np.ones_like(said))


def false_alarm_sample(probability: Floats, truth: Floats, said: Floats) -> Sample:
    """Returns the sample whose share is the false alarms; arguments as for `rates_on_traffic`."""
    return Sample(probability, (1 - truth) * said, said, 1 - truth, np.ones_like(said))


def rates_on_traffic(
    probability: Floats, truth: Floats, said: Floats, known: Known
) -> TrafficRates:
    """Measures recall and false alarms of slices.

    Args:
      probability: float64 (n,), each judged conversation's probability of being sampled.
      truth: float64 (n, k), 1 if the judge puts the conversation in the slice, else 0.
      said: float64 (n, k), the same by the classifier.
      known: the number of conversations that the classifier puts in each slice, and of all.

    Raises:
      ValueError: if a probability is not in (0, 1].
    """
    return TrafficRates(
        judged_share(recall_sample(probability, truth, said), known),
        judged_share(false_alarm_sample(probability, truth, said), known),
    )

"""Arranges a judged sample so that its shares are the classifier's recall and false alarms.

Recall and the rate of false alarms are shares too: of the conversations in a slice, those that the
classifier puts there, and the same of the conversations outside. So they have the same estimator
and the same intervals (`transforms.estimation.judged`). The number of conversations that the
classifier puts into the slice is known, which helps most for the false alarms.

This module does not use Beam.
"""

from __future__ import annotations

import numpy as np

from transforms.estimation.difference.moments import Sample
from transforms.estimation.proportions import Floats


def recall_sample(probability: Floats, truth: Floats, said: Floats) -> Sample:
    """Returns the sample whose share is the recall.

    Args:
      probability: float64 (n,), each judged conversation's probability of being sampled.
      truth: float64 (n, k), 1 if the judge puts the conversation in the slice, else 0.
      said: float64 (n, k), the same by the classifier.
    """
    return Sample(probability, truth * said, said, truth, np.ones_like(said))


def false_alarm_sample(probability: Floats, truth: Floats, said: Floats) -> Sample:
    """Returns the sample whose share is the false alarms; arguments as for `recall_sample`."""
    return Sample(probability, (1 - truth) * said, said, 1 - truth, np.ones_like(said))

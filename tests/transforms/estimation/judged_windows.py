"""Draws small windows with a gate, true labels and decisions, and samples of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from transforms.estimation.difference.equation import Known
from transforms.estimation.difference.moments import Sample
from transforms.estimation.proportions import Floats
from transforms.judging.allocation import weight

WEIGHTS = np.array([weight(logit, 0, False) for logit in range(-128, 128)], np.float64)


class Window(NamedTuple):
    """Conversations: float64 (n,), the weights and whether each is or is said to be affective."""

    weights: Floats
    truth: Floats
    said: Floats

    @property
    def share(self) -> float:
        """The true share."""
        return float(self.truth.mean())

    @property
    def known(self) -> Known:
        """The counts, without noise."""
        return Known(np.array([self.said.sum()]), np.array([float(len(self.said))]))

    def sample(self, rows: NDArray[np.int64], probability: Floats) -> Sample:
        """Returns some conversations as judged."""
        one = np.ones((len(rows), 1))
        return Sample(probability, self.truth[rows, None], self.said[rows, None], one, one)

    def poisson(self, random: np.random.Generator, judgements: int) -> Sample:
        """Draws a Poisson sample with about so many judgements."""
        chance = np.minimum(1.0, self.weights * judgements / self.weights.sum())
        rows = np.flatnonzero(random.random(len(chance)) < chance)
        return self.sample(rows, chance[rows])

    def plain(self, random: np.random.Generator, judgements: int) -> Sample:
        """Draws a plain random sample."""
        rows = random.choice(len(self.truth), judgements, replace=False)
        return self.sample(rows, np.full(judgements, judgements / len(self.truth)))


def window(
    random: np.random.Generator,
    conversations: int = 10_000,
    share: float = 0.03,
    gap: float = 4.7,
    threshold: float = -1.3,
) -> Window:
    """Draws a window; `gap` is by how much affective conversations have higher logits."""
    truth = random.random(conversations) < share
    logit = random.normal(-6.0, 2.1, conversations) + gap * truth
    stored = np.clip(np.rint(logit * 8), -128, 127).astype(int)
    said = logit >= threshold
    return Window(WEIGHTS[stored + 128], truth.astype(np.float64), said.astype(np.float64))

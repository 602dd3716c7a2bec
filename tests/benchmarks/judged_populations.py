"""Simulates the conversations of a window, with their true labels and a classifier's decisions.

The simulation follows measured figures. No text is needed. The gate's logits of conversations that
are not affective are those of ShareGPT, a platform that the models have never seen (4,261
conversations; quantiles). It has only 30 affective ones, too few to resample. So their logits are
normal, with the mean and spread that give the AUC and the recall of the model card on real_dev.
Types, changes of mood and pushback follow the labels in `training/labels` and the model card.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.labels import TYPES
from transforms.judging.allocation import HIGHEST, LOWEST, weight

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

_LEVELS: Final = (
    *(0, 0.01, 0.03, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
    *(0.95, 0.97, 0.98, 0.99, 0.995, 0.998, 1),
)
_DEFAULT: Final = (
    *(-19.12, -10.78, -9.4, -8.63, -7.69, -7.05, -6.5, -5.98, -5.48, -4.99, -4.43, -3.49),
    *(-2.76, -2.19, -1.63, -0.92, -0.16, 0.4, 3.05),
)
_ACCURATE: Final = (
    *(-23.03, -12.26, -10.65, -9.71, -8.71, -7.95, -7.28, -6.75, -6.15, -5.56, -4.92, -3.96),
    *(-3.08, -2.4, -2.03, -1.31, -0.64, 0.15, 1.53),
)


@dataclass(frozen=True)
class Model:
    """A classifier.

    Attributes:
      others: quantiles of the logits of conversations that are not affective, at `_LEVELS`.
      mean, spread: of the logits of affective conversations.
      threshold: the lowest logit that counts as affective.
      missed: the share of affective conversations of a kind that the gate does not know.
      pushback_alarms: how often it finds pushback where there is none.
    """

    others: tuple[float, ...]
    mean: float
    spread: float
    threshold: float
    missed: float = 0.0
    pushback_alarms: float = 0.11


MODELS: Final = {
    "default": Model(_DEFAULT, -1.3, 1.9, -1.34),
    "accurate": Model(_ACCURATE, -1.2, 1.8, -1.02),
    "bad": Model(_DEFAULT, -4.35, 2.0, -2.76, pushback_alarms=0.25),
    "one-sided": Model(_DEFAULT, -0.8, 1.8, -1.34, missed=0.55),
}
_MISSED_MEAN, _MISSED_SPREAD = -4.2, 1.5

_TRUE_TYPES: Final = (0.32, 0.42, 0.16, 0.07, 0.03)
"""Companionship and romantic roleplay are commoner than in the labels, as in the study."""
_SAID_TYPES: Final = (0.30, 0.42, 0.14, 0.10, 0.04)
_TYPE_RIGHT: Final = 0.7
_SECOND: Final = 0.1

SHARE_NAMES: Final = (
    "affective",
    *TYPES,
    *(f"{name} / affective" for name in TYPES[:5]),
    "pushback",
    "pushback / affective",
    "drift headline",
)
MEAN_NAMES: Final = ("change", "change / affective")
NAMES: Final = (*SHARE_NAMES, *MEAN_NAMES)


class Columns(NamedTuple):
    """Numbers of all conversations for several shares or means, float64 (n, k)."""

    part: Floats
    said_part: Floats
    whole: Floats
    said_whole: Floats

    def at(self, rows: NDArray[np.int64]) -> Columns:
        """Returns the numbers of some conversations."""
        return Columns(*(values[rows] for values in self))

    def truth(self) -> Floats:
        """Returns the true shares or means; NaN if the whole is empty."""
        with np.errstate(invalid="ignore"):
            found: Floats = self.part.sum(axis=0) / self.whole.sum(axis=0)
        return found


class Population(NamedTuple):
    """The conversations of a window: their weights for the sample, shares and means."""

    weights: Floats
    shares: Columns
    means: Columns


def simulate(
    random: np.random.Generator, conversations: int, share: float, model: Model, shift: float = 0.0
) -> Population:
    """Simulates a window.

    Args:
      random: the source of randomness.
      conversations: their number.
      share: the probability that a conversation is affective.
      model: the classifier.
      shift: is added to all logits.
    """
    affective = random.random(conversations) < share
    logit = _logits(random, affective, model) + shift
    said = logit >= model.threshold
    types, said_types = _types(random, affective, said)
    pushback = random.random(conversations) < np.where(affective, 0.09, 0.06)
    chance = np.where(pushback, 0.8, model.pushback_alarms)
    said_pushback = random.random(conversations) < chance
    opening, said_opening = types[:, 1] | types[:, 2], said_types[:, 1] | said_types[:, 2]
    drift = opening & (random.random(conversations) < 0.05)
    found = np.where(drift, 0.4, 0.02)
    said_drift = said_opening & (random.random(conversations) < found)
    every = np.ones(conversations, np.bool_)
    shares = Columns(
        _stack([affective, *types.T, *types.T[:5], pushback, pushback & affective, drift]),
        _stack(
            [
                said,
                *said_types.T,
                *said_types.T[:5],
                said_pushback,
                said_pushback & said,
                said_drift,
            ]
        ),
        _stack([*[every] * 7, *[affective] * 5, every, affective, opening]),
        _stack([*[every] * 7, *[said] * 5, every, said, said_opening]),
    )
    weights = _weights(logit, said_types, said_pushback)
    return Population(weights, shares, _changes(random, affective, said))


def _logits(random: np.random.Generator, affective: Flags, model: Model) -> Floats:
    logit = np.interp(random.random(len(affective)), _LEVELS, model.others)
    count = int(affective.sum())
    known = random.normal(model.mean, model.spread, count)
    missed = random.normal(_MISSED_MEAN, _MISSED_SPREAD, count)
    logit[affective] = np.where(random.random(count) < model.missed, missed, known)
    return logit


def _types(random: np.random.Generator, affective: Flags, said: Flags) -> tuple[Flags, Flags]:
    size, five = len(affective), len(_TRUE_TYPES)
    main = np.where(affective, random.choice(five, size, p=_TRUE_TYPES), -1)
    other = random.choice(five, size, p=_SAID_TYPES)
    is_right = affective & (random.random(size) < _TYPE_RIGHT)
    said_main = np.where(said, np.where(is_right, main, other), -1)
    types = main[:, None] == np.arange(len(TYPES))
    said_types = said_main[:, None] == np.arange(len(TYPES))
    types[:, 2] |= affective & (random.random(size) < _SECOND)
    said_types[:, 2] |= said & (random.random(size) < _SECOND)
    said_types[:, 5] = random.random(size) < 0.006
    chance = np.where(said_types[:, 5], 0.5, 0.002)
    types[:, 5] = random.random(size) < chance
    return types, said_types


def _changes(random: np.random.Generator, affective: Flags, said: Flags) -> Columns:
    size = len(affective)
    has_change = random.random(size) < 0.3
    change = np.clip(random.normal(0.05, 0.3, size) + 0.1 * affective, -2, 2) * has_change
    said_change = np.clip(0.6 * change + random.normal(0.0, 0.2, size), -2, 2) * has_change
    return Columns(
        _stack([change, change * affective]),
        _stack([said_change, said_change * said]),
        _stack([has_change, has_change & affective]),
        _stack([has_change, has_change & said]),
    )


def _stack(columns: list[Flags] | list[Floats]) -> Floats:
    return np.stack(columns, axis=1).astype(np.float64)


def _weights(logit: Floats, types: Flags, pushback: Flags) -> Floats:
    stored = np.clip(np.rint(logit * 8), LOWEST, HIGHEST).astype(int)
    bits = types @ (1 << np.arange(len(TYPES)))
    rows = zip(stored.tolist(), bits.tolist(), pushback.tolist(), strict=True)
    return np.array([weight(*row) for row in rows], np.float64)


def priority_sample(
    random: np.random.Generator, weights: Floats, judgements: int
) -> tuple[NDArray[np.int64], Floats]:
    """Draws the rows with the smallest u / weight, and returns them with their probabilities.

    Source: priority sampling, Duffield, Lund and Thorup (2007).
    """
    if judgements >= len(weights):
        return np.arange(len(weights)), np.ones(len(weights))
    rank = random.random(len(weights)) / weights
    limit = np.partition(rank, judgements)[judgements]
    rows = np.flatnonzero(rank < limit)
    return rows, np.minimum(1.0, limit * weights[rows])

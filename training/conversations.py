"""Fits the conversation head on the scores of messages that the scoring model did not see.

No labelled real conversations may be learned from, so affective and roleplay conversations are put
together of held-out written messages: an opening, some from the middle, sometimes a closing, now
and then a bare greeting or another off-topic line, as real ones have. The negatives are real
conversations, unlabelled, and put-together tasks. Together they are weighed to the natural prior.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas.labels import AFFECTIVE_TYPES, TYPES
from training.sources import HumanExample
from transforms.classifiers.conversation import FIGURES, pool

PRIOR: Final = 0.03
"""The study's share of affective conversations, 2.9 %."""

ROLEPLAY_PRIOR: Final = 0.02
SHARE: Final = 0.035
"""The share of real, unlabelled conversations that the gate lets through: prior and some slack."""

LENGTHS: Final = (2, 2, 2, 3, 3, 4, 5, 8)
OFF_TOPIC: Final = 0.15
DRAWN: Final = 150
"""Conversations drawn for each type and each written language."""

RIDGE: Final = 0.01


@dataclass(frozen=True)
class Pooled:
    """Holds conversations as rows, in the form that `judge` takes them, and their type."""

    scores: NDArray[np.int8]
    starts: NDArray[np.int64]
    kind: NDArray[np.int64]

    def figures(self) -> NDArray[np.float64]:
        """Gives float64 (`FIGURES`, b, 7)."""
        first, last = self.starts[:-1], self.starts[1:]
        return pool(self.scores, first, last, last - first)


def compose(examples: Sequence[HumanExample], scores: NDArray[np.int8], seed: int) -> Pooled:
    """Puts conversations together of written messages; `kind` is a type index, -1 for a task."""
    random = np.random.default_rng(seed)
    picked: list[NDArray[np.int64]] = []
    kinds: list[int] = []
    for source in sorted({example.source for example in examples}):
        rows = [row for row, example in enumerate(examples) if example.source == source]
        for kind in range(-1, len(TYPES)):
            mine = [row for row in rows if _is(examples[row], kind)]
            if len(mine) >= max(LENGTHS):
                kinds += [kind] * DRAWN
                picked += [_draw(examples, mine, random) for _ in range(DRAWN)]
    off_topic = [row for row, example in enumerate(examples) if example.use == "other"]
    for rows_drawn in picked:
        swapped = random.random(len(rows_drawn)) < OFF_TOPIC
        rows_drawn[swapped] = random.choice(off_topic, int(swapped.sum()))
    starts = np.cumsum([0, *map(len, picked)])
    return Pooled(scores[np.concatenate(picked)], starts, np.array(kinds))


def _is(example: HumanExample, kind: int) -> bool:
    """Says whether a message is of a type; of none, -1, if it is no more than a task."""
    return not example.types if kind < 0 else TYPES[kind] in example.types


def _draw(
    examples: Sequence[HumanExample], rows: Sequence[int], random: np.random.Generator
) -> NDArray[np.int64]:
    """Draws a conversation of one type, its stages in order."""
    rank = {"opening": 0, "middle": 1, "closing": 2}
    size = int(random.choice(LENGTHS))
    openings = [row for row in rows if examples[row].stage == "opening"] or rows
    drawn = [int(random.choice(openings)), *random.choice(rows, size - 1).tolist()]
    drawn[1:] = sorted(drawn[1:], key=lambda row: rank[examples[row].stage])
    return np.array(drawn)


def fit_head(written: Pooled, real: Pooled) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fits weights (7, `FIGURES`) and thresholds (7,).

    The affective types are fitted among affective conversations, so their logits hold *given* that
    the gate is open, and 0 decides. Gate and roleplay are fitted against all, and their thresholds
    are quantiles of the real scores: a share of conversations, which needs no label.
    """
    own, other = written.figures(), real.figures()
    affective = (written.kind >= 0) & (written.kind < len(AFFECTIVE_TYPES))
    roleplay = written.kind == TYPES.index("roleplay")
    weights = np.zeros((1 + len(TYPES), FIGURES))
    weights[0] = _against_real(own[:, :, 0], affective, other[:, :, 0], PRIOR)
    weights[-1] = _against_real(own[:, :, -1], roleplay, other[:, :, -1], ROLEPLAY_PRIOR)
    for kind in range(len(AFFECTIVE_TYPES)):
        is_kind = written.kind[affective] == kind
        weights[1 + kind] = _logistic(
            own[:, affective, 1 + kind].T, is_kind, np.ones(int(affective.sum()))
        )
    thresholds = np.zeros(1 + len(TYPES))
    for head, share in ((0, SHARE), (len(TYPES), ROLEPLAY_PRIOR)):
        logits = (other[:, :, head].T * weights[head]).sum(axis=1)
        thresholds[head] = np.quantile(logits, 1 - share)
    return weights, thresholds


def _against_real(
    own: NDArray[np.float64],
    positive: NDArray[np.bool_],
    other: NDArray[np.float64],
    prior: float,
) -> NDArray[np.float64]:
    """Fits written positives at the prior against written tasks and real conversations."""
    figures = np.concatenate([own, other], axis=1).T
    wanted = np.concatenate([positive, np.zeros(other.shape[1], np.bool_)])
    weight = np.where(wanted, prior / wanted.sum(), 0.0)
    written = np.arange(len(wanted)) < own.shape[1]
    weight[written & ~wanted] = (1 - prior) * 0.3 / (written & ~wanted).sum()
    weight[~written] = (1 - prior) * 0.7 / (~written).sum()
    return _logistic(figures, wanted, weight * len(wanted))


def _logistic(
    figures: NDArray[np.float64], wanted: NDArray[np.bool_], weight: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Fits a ridge logistic regression by projected Newton steps; evidence never counts against.

    The pooled means overlap, and an unbounded fit gives some of them negative weights that only
    suit the drawn conversations.
    """
    scale = RIDGE * weight.sum()
    fitted = np.zeros(figures.shape[1])
    means = slice(0, FIGURES - 2)
    for _ in range(50):
        said = 1 / (1 + np.exp(-figures @ fitted))
        slope = figures.T @ ((said - wanted) * weight) + scale * fitted * (
            np.arange(FIGURES) < FIGURES - 1
        )
        curve = (figures.T * (said * (1 - said) * weight)) @ figures
        fitted = fitted - 0.5 * np.linalg.solve(curve + scale * np.eye(FIGURES), slope)
        fitted[means] = np.maximum(fitted[means], 0)
    return fitted

"""Judges conversations from the packed scores of their human messages.

The gate and each type have a logit, which is a weighted sum of six pooled figures:

- the mean of the opening (the first three messages);
- the mean of the closing (the last three messages);
- the mean of all messages;
- the mean of the two highest messages;
- the highest message;
- a step for the length.

The gate's logit is the sum of two such sums: one over the gate's logits of the messages, one over
the second gate's logits.

An opening or a closing is judged in the same way, as a conversation of three messages. Pooling adds
integers, and weighting adds float64 terms in a fixed order. So no decision depends on the other
conversations of the batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas.labels import (
    AFFECTIVE_TYPES,
    LANGUAGES,
    MIN_ROLEPLAY_HUMAN_MESSAGES,
    ROLEPLAY_TYPES,
    TYPES,
    USES,
)
from transforms.classifiers.interface import (
    AFFECTIVE,
    LANGUAGE,
    LOGIT_UNIT,
    NO_INDEX,
    NO_LOGIT,
    SECOND_GATE,
    USE_COLUMNS,
    Judgements,
)

EDGE_MESSAGES: Final = 3
"""Number of messages in the opening, and also in the closing (docs/metrics.md)."""

GATED: Final = slice(AFFECTIVE, SECOND_GATE + 1)
"""The score columns that are pooled: the gate, the types and the second gate."""

LENGTH_STEPS: Final = (2, 3, 5, 9, 17)
"""Numbers of human messages at which the length figure rises by 1.

The figure is close to log2 of the number, but exactly the same on every machine.
"""

PRIOR: Final = 0.03
"""The gate is calibrated for this share of affective conversations; the study found 2.9 %."""

FIGURES: Final = 7
"""Number of pooled figures of a conversation; the last is a constant 1 for the bias."""

HIGHEST: Final = 4
"""Number of the figure that is a conversation's highest message."""

_AFFECTIVE_COUNT: Final = len(AFFECTIVE_TYPES)
_ROLEPLAYS: Final = tuple(TYPES.index(name) for name in ROLEPLAY_TYPES)
_CERTAIN: Final = 1e6
_OTHER_USE: Final = USES.index("other")
_SILENT: Final = NO_LOGIT * LOGIT_UNIT


@dataclass(frozen=True)
class ConversationHead:
    """Holds the weights and thresholds that judge a conversation.

    The gate's logit is calibrated: it gives the right probability if the share of affective
    conversations is `PRIOR`. The logits of the affective types assume that the conversation is
    affective.

    Attributes:
        weights: float64 (8, `FIGURES`), a row for the gate, one per type, one for the second gate.
        thresholds: float64 (7,), the lowest logits at which the gate and each type count.
        language_shift: float64 (languages,), added to the gate's logit of a conversation in each
            language of `labels.LANGUAGES`. So one threshold means the same in every language.
        edge_threshold: the lowest gate logit at which an opening or closing has an affective type.
        alert_threshold: the lowest gate logit at which a single conversation may be singled out.
    """

    weights: NDArray[np.float64]
    thresholds: NDArray[np.float64]
    language_shift: NDArray[np.float64]
    edge_threshold: float
    alert_threshold: float

    def judge(
        self,
        scores: NDArray[np.int8],
        starts: NDArray[np.int64],
        pushback: NDArray[np.bool_],
        human_messages: NDArray[np.int64],
    ) -> Judgements:
        """Judges conversations as `Classifier.judge` does.

        Here `pushback` says whether each conversation has pushback, instead of giving its highest
        pushback logit.
        """
        first, last = starts[:-1], starts[1:]
        language = _choose_language(scores, starts)
        shift = self.language_shift[language]
        logits = self.logits(scores, first, last, human_messages, shift)
        affective = logits[:, 0] >= self.thresholds[0]
        allowed = _allow(affective, human_messages)
        decided = (logits[:, 1:] >= self.thresholds[1:]) & allowed
        best = (logits[:, 1:] - self.thresholds[1:])[:, :_AFFECTIVE_COUNT].argmax(axis=1)
        rows = np.flatnonzero(affective)
        decided[rows, best[rows]] = allowed[rows, best[rows]]
        edge = np.minimum(last - first, EDGE_MESSAGES)
        return Judgements(
            affective_logit=logits[:, 0],
            type_logits=logits[:, 1:],
            affective=affective,
            alert=logits[:, 0] >= self.alert_threshold,
            types=np.packbits(decided, axis=1, bitorder="little")[:, 0],
            use=_choose_use(scores, starts, affective),
            opening_type=self._edge_type(scores, first, first + edge, allowed, shift),
            closing_type=self._edge_type(scores, last - edge, last, allowed, shift),
            pushback=pushback,
            language=language,
        )

    def logits(
        self,
        scores: NDArray[np.int8],
        first: NDArray[np.int64],
        last: NDArray[np.int64],
        human_messages: NDArray[np.int64],
        shift: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """Returns the logits of gate and types, float64 (b, 7).

        A conversation without messages has the lowest logits.
        """
        sums = self.sums(scores, first, last, human_messages)
        logits = sums[:, :-1]
        logits[:, 0] += sums[:, -1] + shift
        logits[first == last] = _SILENT
        return logits

    def sums(
        self,
        scores: NDArray[np.int8],
        first: NDArray[np.int64],
        last: NDArray[np.int64],
        human_messages: NDArray[np.int64],
    ) -> NDArray[np.float64]:
        """Returns the weighted sums of gate, types and second gate, float64 (b, 8)."""
        figures = pool(scores, first, last, human_messages)
        sums = np.zeros(figures.shape[1:])
        for figure, weight in zip(figures, self.weights.T, strict=True):
            sums += figure * weight
        return sums

    def _edge_type(
        self,
        scores: NDArray[np.int8],
        first: NDArray[np.int64],
        last: NDArray[np.int64],
        allowed: NDArray[np.bool_],
        shift: NDArray[np.float64],
    ) -> NDArray[np.int8]:
        """Picks the type of each conversation's edge (its opening or closing), or `NO_INDEX`.

        If the conversation is affective and the edge is past the gate, the edge takes its strongest
        affective type, even if that type is weak. The edge has no type if its strongest type is not
        allowed in the conversation.
        """
        found = self.logits(scores, first, last, last - first, shift)
        logits = found[:, 1:] - self.thresholds[1:]
        affective = allowed[:, :_AFFECTIVE_COUNT].any(axis=1)
        past_gate = found[:, 0] >= self.edge_threshold
        logits[:, :_AFFECTIVE_COUNT] += np.where(past_gate, _CERTAIN, -_CERTAIN)[:, None]
        logits[~affective, :_AFFECTIVE_COUNT] = -np.inf
        best = logits.argmax(axis=1)
        rows = np.arange(len(best))
        reached = (logits[rows, best] >= 0) & allowed[rows, best]
        return np.where(reached, best, NO_INDEX).astype(np.int8)


def pool(
    scores: NDArray[np.int8],
    first: NDArray[np.int64],
    last: NDArray[np.int64],
    human_messages: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Pools the gates' and types' logits of the rows `first` to `last` of each conversation.

    Returns:
        float64 (`FIGURES`, b, 8): the means of opening, closing, all messages and the two highest,
        the highest, then the length step, then 1. All but the last two are 0 for a conversation
        without messages.
    """
    gated = scores[:, GATED]
    edge = np.minimum(last - first, EDGE_MESSAGES)
    figures = np.ones((FIGURES, len(first), gated.shape[1]))
    figures[0] = _mean(gated, first, first + edge)
    figures[1] = _mean(gated, last - edge, last)
    figures[2] = _mean(gated, first, last)
    figures[3], figures[HIGHEST] = _highest(gated, first, last)
    figures[5] = np.searchsorted(LENGTH_STEPS, human_messages, side="right")[:, None]
    return figures


def _mean(
    values: NDArray[np.int8], first: NDArray[np.int64], last: NDArray[np.int64]
) -> NDArray[np.float64]:
    scaled = _sum(values, first, last) * LOGIT_UNIT
    mean: NDArray[np.float64] = scaled / np.maximum(last - first, 1)[:, None]
    return mean


def _sum(
    values: NDArray[np.int8] | NDArray[np.bool_],
    first: NDArray[np.int64],
    last: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Sums rows `first` to `last` exactly, as int64 (b, columns)."""
    running = np.zeros((len(values) + 1, values.shape[1]), np.int64)
    np.cumsum(values, axis=0, dtype=np.int64, out=running[1:])
    sums: NDArray[np.int64] = running[last] - running[first]
    return sums


def _highest(
    values: NDArray[np.int8], first: NDArray[np.int64], last: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns the mean of the two highest values of each column, and the highest value.

    If there is only one value, both are that value.
    """
    top_two, top = np.zeros((2, len(first), values.shape[1]))
    full = np.flatnonzero(last > first)
    if not len(full):
        return top_two, top
    owner = np.repeat(full, (last - first)[full])
    rows = values[_concatenate(first[full], last[full])].astype(np.int64)
    begins = np.searchsorted(owner, full)
    second = np.minimum(begins + 1, begins + (last - first)[full] - 1)
    for column in range(values.shape[1]):
        ordered = rows[np.lexsort((-rows[:, column], owner)), column]
        top_two[full, column] = (ordered[begins] + ordered[second]) * (LOGIT_UNIT / 2)
        top[full, column] = ordered[begins] * LOGIT_UNIT
    return top_two, top


def _concatenate(first: NDArray[np.int64], last: NDArray[np.int64]) -> NDArray[np.int64]:
    """Lists the row numbers of the runs `first` to `last`, one run after the other."""
    lengths = last - first
    ends = np.cumsum(lengths)
    rows: NDArray[np.int64] = np.arange(ends[-1]) + np.repeat(first - (ends - lengths), lengths)
    return rows


def _allow(affective: NDArray[np.bool_], human_messages: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Returns the types that docs/metrics.md allows for each conversation, as bool (b, 6)."""
    allowed = np.ones((len(affective), len(TYPES)), np.bool_)
    allowed[:, :_AFFECTIVE_COUNT] = affective[:, None]
    long_enough = human_messages >= MIN_ROLEPLAY_HUMAN_MESSAGES
    for index in _ROLEPLAYS:
        allowed[:, index] &= long_enough
    return allowed


def _choose_use(
    scores: NDArray[np.int8], starts: NDArray[np.int64], affective: NDArray[np.bool_]
) -> NDArray[np.int8]:
    """Picks "affective" if the gate is passed, otherwise the use with the highest sum of logits."""
    sums = _sum(scores[:, USE_COLUMNS], starts[:-1], starts[1:])
    use: NDArray[np.int8] = (sums.argmax(axis=1) + 1).astype(np.int8)
    use[starts[:-1] == starts[1:]] = _OTHER_USE
    use[affective] = 0
    return use


def _choose_language(scores: NDArray[np.int8], starts: NDArray[np.int64]) -> NDArray[np.int8]:
    """Picks the most common known language; in a tie, the first in `labels.LANGUAGES` wins."""
    spoken = scores[:, LANGUAGE, None] == np.arange(1, len(LANGUAGES), dtype=np.int8)
    counts = _sum(spoken, starts[:-1], starts[1:])
    return np.where(counts.any(axis=1), counts.argmax(axis=1) + 1, 0).astype(np.int8)

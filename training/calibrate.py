"""Calibrates a model: sets the scale, thresholds and cuts that turn scores into decisions.

Every score used here comes from a model that did not see the scored text. Calibration reads no
label of a real conversation. It only assumes that a few per cent of the real conversations are
affective.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from schemas.labels import AFFECTIVE_TYPES, LANGUAGES, SENTIMENT_STEPS, TYPES
from training.layers import Weights
from training.model_file import Arrays
from training.sources import Conversation, Reply
from transforms.classifiers.head import (
    EDGE_MESSAGES,
    FIGURES,
    PRIOR,
    ConversationHead,
)

LANGUAGE_COUNT: Final = len(LANGUAGES)

COUNTED: Final = 0.02
"""The share of real, unlabelled conversations that should count as affective.

This share includes the affective conversations that are found, and also about one in a hundred of
the other conversations.
"""

ALERTED: Final = 0.012

_LEVELS: Final = np.linspace(0.75, 0.95, 9)
_MEAN_FIGURES: Final = FIGURES - 2
"""The number of pooled figures that are means over messages."""

_LARGEST_SHIFT: Final = 2.0
_TINY: Final = 1e-12

_FEWEST_EXAMPLES: Final = 20
"""A language with fewer examples than this gets no shift of its own."""


@dataclass(frozen=True)
class Scored:
    """Holds conversations, and the scores of all their human messages in order."""

    conversations: Sequence[Conversation]
    scores: NDArray[np.int8]
    starts: NDArray[np.int64]


@dataclass(frozen=True)
class Seen:
    """Holds the logits of conversations, computed by a fitted head before calibration.

    Attributes:
        conversations: the `b` conversations.
        whole: float64 (b, 7), the logits of gate and types for whole conversations.
        edges: float64 (b, 2), the gate's logits for opening and closing.
    """

    conversations: list[Conversation]
    whole: NDArray[np.float64]
    edges: NDArray[np.float64]

    def take(self, rows: NDArray[np.int64]) -> Seen:
        """Returns only the conversations with the numbers `rows`, in that order."""
        kept = [self.conversations[row] for row in rows.tolist()]
        return Seen(kept, self.whole[rows], self.edges[rows])

    def level(self) -> NDArray[np.float64]:
        """Returns the mean upper quantile of logits, float64 (7,).

        The logits are those of the real, unlabelled conversations.
        """
        real = [row.is_real for row in self.conversations]
        level: NDArray[np.float64] = np.quantile(self.whole[real], _LEVELS, axis=0).mean(axis=0)
        return level

    def lowered(self, by: NDArray[np.float64]) -> Seen:
        """Returns the same conversations with `by`, float64 (7,), subtracted from the logits."""
        return Seen(self.conversations, self.whole - by, self.edges - by[0])


def look(head: ConversationHead, scored: Scored) -> Seen:
    """Computes a head's logits for conversations, and for their openings and closings."""
    first, last = scored.starts[:-1], scored.starts[1:]
    size = np.minimum(last - first, EDGE_MESSAGES)
    no_shift = np.zeros(len(first))

    def judge(begin: NDArray[np.int64], end: NDArray[np.int64]) -> NDArray[np.float64]:
        return head.logits(scored.scores, begin, end, end - begin, no_shift)

    edges = [judge(first, first + size)[:, 0], judge(last - size, last)[:, 0]]
    return Seen(list(scored.conversations), judge(first, last), np.stack(edges, axis=1))


def join(parts: Sequence[Seen]) -> Seen:
    """Joins the logits of different conversations, computed by several heads."""
    return Seen(
        [row for part in parts for row in part.conversations],
        np.concatenate([part.whole for part in parts]),
        np.concatenate([part.edges for part in parts]),
    )


def begin(weights: Weights) -> ConversationHead:
    """Returns the fitted head unchanged, with all thresholds set to 0."""
    pooled = np.logaddexp(weights["pool"], 0)
    ends = np.stack([weights["pool_length"], weights["pool_bias"]], axis=1)
    return ConversationHead(
        weights=np.concatenate([pooled, ends], axis=1),
        thresholds=np.zeros(1 + len(TYPES)),
        language_shift=np.zeros(len(LANGUAGES)),
        edge_threshold=0.0,
        alert_threshold=0.0,
    )


def lower(weights: Weights, by: NDArray[np.float64]) -> Weights:
    """Lowers all logits of a head by `by`, float64 (7,)."""
    return weights | {"pool_bias": weights["pool_bias"] - by}


def align(weights: Weights, logits: NDArray[np.float32]) -> Weights:
    """Lowers gate and types so that the upper quantiles of the given texts' logits become 0.

    The logits of models trained on different texts differ by an offset. This offset would spoil
    thresholds that are set on the scores of several models. So all models are aligned on the same
    unlabelled texts.

    Args:
        weights: the weights of a network and its head.
        logits: float32 (n, heads), the network's logits for the texts. Each text counts as a
            conversation of one message.
    """
    begun = begin(weights).weights
    gated = logits[:, : len(begun)] * begun[:, :_MEAN_FIGURES].sum(axis=1) + begun[:, -1]
    return lower(weights, np.quantile(gated, _LEVELS, axis=0).mean(axis=0))


def calibrate(head: ConversationHead, seen: Seen) -> ConversationHead:
    """Calibrates the gate at `PRIOR` and sets all thresholds."""
    rows = seen.conversations
    real = np.array([row.is_real for row in rows])
    affective = np.array([bool(row.labels and row.labels.affective) for row in rows])
    written = np.array([row.source == "written" for row in rows])
    slope, offset = _platt(seen.whole[affective & written, 0], seen.whole[real, 0])
    weights = head.weights.copy()
    weights[0] *= slope
    weights[0, -1] += offset
    gate = slope * seen.whole[:, 0] + offset
    shift = _language_shift(rows, gate, written & ~affective)
    index = [LANGUAGES.index(row.language) if row.language in LANGUAGES else 0 for row in rows]
    gate += shift[index]
    edges = slope * seen.edges + offset + shift[index][:, None]
    thresholds = np.zeros(1 + len(TYPES))
    thresholds[0] = np.quantile(gate[real], 1 - COUNTED)
    for kind, name in enumerate(TYPES):
        among = np.flatnonzero(written & affective if name in AFFECTIVE_TYPES else written)
        share = np.mean([name in _types(rows[row]) for row in among.tolist()])
        thresholds[1 + kind] = np.quantile(seen.whole[among, 1 + kind], 1 - share)
    alert = float(np.quantile(gate[real], 1 - ALERTED))
    return ConversationHead(weights, thresholds, shift, _edge_threshold(rows, edges), alert)


def head_arrays(name: str, head: ConversationHead) -> Arrays:
    """Converts a head to arrays for the model file."""
    return {
        f"{name}_{part}": np.asarray(getattr(head, part), np.float64)
        for part in ConversationHead.__dataclass_fields__
    }


def _types(conversation: Conversation) -> frozenset[str]:
    return conversation.labels.types if conversation.labels else frozenset()


def _platt(positive: NDArray[np.float64], unlabelled: NDArray[np.float64]) -> tuple[float, float]:
    """Fits a slope and an offset (Platt 1999) that separate written affective from real texts.

    The written conversations have the total weight `PRIOR`, and the real ones have 1 - `PRIOR`. A
    share `PRIOR` of the real conversations is affective too, but unlabelled. Let p be the wanted
    probability that a conversation is affective. If a conversation is drawn from both samples
    together, it is a written, labelled one with probability p / (p + 1 - PRIOR) (Elkan and Noto
    2008, for two samples).
    """

    def loss(line: NDArray[np.float64]) -> float:
        own, other = (expit(line[0] * part + line[1]) for part in (positive, unlabelled))
        labelled = np.log(own / (own + 1 - PRIOR) + _TINY).mean()
        rest = np.log(1 - other / (other + 1 - PRIOR) + _TINY).mean()
        return float(-PRIOR * labelled - (1 - PRIOR) * rest)

    found = minimize(loss, np.array([1.0, -1.0]), method="Nelder-Mead")
    return float(found.x[0]), float(found.x[1])


def _language_shift(
    conversations: Sequence[Conversation], logits: NDArray[np.float64], quiet: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Returns shifts that give each language's written negatives the same upper levels as English.

    Real conversations exist only in English. The written conversations have the same mixture in
    every language. So a score that is rare in English must be equally rare in the other languages.
    A language with few negatives gets no shift.
    """
    language = np.array([row.language for row in conversations])
    english = np.quantile(logits[quiet & (language == "en")], _LEVELS)
    shift = np.zeros(len(LANGUAGES))
    for index, code in enumerate(LANGUAGES):
        own = logits[quiet & (language == code)]
        if len(own) >= _FEWEST_EXAMPLES:
            apart = float(np.mean(english - np.quantile(own, _LEVELS)))
            shift[index] = np.clip(apart, -_LARGEST_SHIFT, _LARGEST_SHIFT)
    return shift


def _edge_threshold(rows: Sequence[Conversation], edges: NDArray[np.float64]) -> float:
    """Returns the threshold at which edges have a type as often as the labelled edges do."""
    logits, has = [], []
    for row, own in zip(rows, edges, strict=True):
        labels = row.labels
        if labels and labels.affective and len(row.human) > EDGE_MESSAGES:
            logits += own.tolist()
            has += [kind in AFFECTIVE_TYPES for kind in (labels.opening_type, labels.closing_type)]
    return float(np.quantile(logits, 1 - np.mean(has)))


def sentiment_cuts(logits: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns cuts that make each step as common among held-out messages as in the labels."""
    below = [float((wanted < step - 0.1).mean()) for step in SENTIMENT_STEPS[1:]]
    return np.quantile(logits, below).astype(np.float64)


def pushback_shift(replies: Sequence[Reply], logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns each language's shift, which moves the cut with the best F1 to a logit of 0.

    Only replies in written conversations count. A language with few pushbacks gets a common shift,
    which is fitted to all languages together.
    """
    written = np.array([reply.source == "written" for reply in replies])
    language = np.array([reply.language for reply in replies])
    truth = np.array([reply.pushback for reply in replies])
    shift = np.full(len(LANGUAGES), -_best_cut(logits[written], truth[written]))
    for index, code in enumerate(LANGUAGES):
        own = written & (language == code)
        if truth[own].sum() >= _FEWEST_EXAMPLES:
            shift[index] = -_best_cut(logits[own], truth[own])
    return shift


def _best_cut(logits: NDArray[np.float64], truth: NDArray[np.bool_]) -> float:
    """Finds the cut with the highest F1, after smoothing F1 over neighbouring cuts."""
    order = np.argsort(-logits)
    hits = np.cumsum(truth[order])
    f1 = 2 * hits / (np.arange(1, len(order) + 1) + truth.sum())
    width = max(len(f1) // 50, 1)
    smooth = np.convolve(f1, np.ones(width) / width, mode="same")
    return float(logits[order][smooth.argmax()])

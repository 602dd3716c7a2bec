"""Calibrates a model: sets the scale, thresholds and lines that turn scores into decisions.

Every score used here comes from a model that did not see the scored text. Real conversations set
the gate: how much each of its two parts weighs, what its logit means, and what counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit

from schemas.labels import AFFECTIVE_TYPES, LANGUAGES, TYPES
from training.layers import Weights
from training.model_file import Arrays
from training.second_gate import fit_labelled
from training.sources import REPLIES_READ, Conversation, Reply
from transforms.classifiers.head import (
    EDGE_MESSAGES,
    FIGURES,
    PRIOR,
    ConversationHead,
)

LANGUAGE_COUNT: Final = len(LANGUAGES)

NATURAL: Final = "real_dev"
"""The set that was read whole and was not chosen by topic, so its shares are those of traffic."""

COUNTED: Final = 0.03
"""The share of the natural set that should count as affective.

About 2.5 % of it are affective. The share includes those that are found, and also about one in a
hundred of the other conversations.
"""

ALERTED: Final = 0.012

_LEVELS: Final = np.linspace(0.75, 0.95, 9)
_MEAN_FIGURES: Final = FIGURES - 2
"""The number of pooled figures that are means over messages."""

PUSHBACK_PRIOR: Final = 0.1
"""The share of replies that push back for which the threshold is set.

The study found pushback in less than 10 % of conversations.
"""

_GATES: Final = [0, -1]
_FAR: Final = 50.0
_LARGEST_SHIFT: Final = 2.0
_WRITTEN_WEIGHT: Final = 0.2
_PENALTY: Final = 0.02

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
        whole: float64 (b, 8), the sums of gate, types and second gate for whole conversations.
        edges: float64 (b, 2, 2), the sums of gate and second gate for opening and closing.
    """

    conversations: list[Conversation]
    whole: NDArray[np.float64]
    edges: NDArray[np.float64]

    def take(self, rows: NDArray[np.int64]) -> Seen:
        """Returns only the conversations with the numbers `rows`, in that order."""
        kept = [self.conversations[row] for row in rows.tolist()]
        return Seen(kept, self.whole[rows], self.edges[rows])

    def level(self) -> NDArray[np.float64]:
        """Returns the mean upper quantile of the sums, float64 (8,).

        The sums are those of the natural set.
        """
        real = [row.dataset == NATURAL for row in self.conversations]
        level: NDArray[np.float64] = np.quantile(self.whole[real], _LEVELS, axis=0).mean(axis=0)
        return level

    def lowered(self, by: NDArray[np.float64]) -> Seen:
        """Returns the same conversations with `by`, float64 (8,), subtracted from the sums."""
        return Seen(self.conversations, self.whole - by, self.edges - by[_GATES])


def look(head: ConversationHead, scored: Scored) -> Seen:
    """Computes a head's sums for conversations, and for their openings and closings."""
    first, last = scored.starts[:-1], scored.starts[1:]
    size = np.minimum(last - first, EDGE_MESSAGES)

    def judge(begin: NDArray[np.int64], end: NDArray[np.int64]) -> NDArray[np.float64]:
        return head.sums(scored.scores, begin, end, end - begin)

    edges = [judge(first, first + size)[:, _GATES], judge(last - size, last)[:, _GATES]]
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
    return ConversationHead(
        weights=weights["figures"],
        thresholds=np.zeros(1 + len(TYPES)),
        language_shift=np.zeros(len(LANGUAGES)),
        edge_threshold=0.0,
        alert_threshold=0.0,
    )


def lower(weights: Weights, by: NDArray[np.float64]) -> Weights:
    """Lowers all sums of a head by `by`, float64 (8,)."""
    figures = weights["figures"].copy()
    figures[:, -1] -= by
    return weights | {"figures": figures}


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
    begun = weights["figures"]
    gated = logits[:, : len(begun)] * begun[:, :_MEAN_FIGURES].sum(axis=1) + begun[:, -1]
    return lower(weights, np.quantile(gated, _LEVELS, axis=0).mean(axis=0))


def calibrate(head: ConversationHead, seen: Seen) -> ConversationHead:
    """Calibrates the gate at `PRIOR` and sets all thresholds."""
    rows = seen.conversations
    natural = np.array([row.dataset == NATURAL for row in rows])
    affective = np.array([bool(row.labels and row.labels.affective) for row in rows])
    labelled = np.array([row.labels is not None for row in rows])
    written = np.array([row.source == "written" for row in rows])
    slopes = _slopes(rows, seen.whole[:, _GATES])
    gate = seen.whole[:, _GATES] @ slopes
    offset = _offset(gate[natural], affective[natural])
    weights = head.weights.copy()
    weights[_GATES] *= slopes[:, None]
    weights[0, -1] += offset
    gate += offset
    shift = _language_shift(rows, gate, written & ~affective)
    index = [LANGUAGES.index(row.language) if row.language in LANGUAGES else 0 for row in rows]
    gate += shift[index]
    edges = seen.edges @ slopes + offset + shift[index][:, None]
    thresholds = np.zeros(1 + len(TYPES))
    thresholds[0] = np.quantile(gate[natural], 1 - COUNTED)
    for kind, name in enumerate(TYPES):
        among = np.flatnonzero(labelled & affective if name in AFFECTIVE_TYPES else written)
        share = np.mean([name in _types(rows[row]) for row in among.tolist()])
        thresholds[1 + kind] = np.quantile(seen.whole[among, 1 + kind], 1 - share)
    alert = float(np.quantile(gate[natural], 1 - ALERTED))
    return ConversationHead(weights, thresholds, shift, _edge_threshold(rows, edges), alert)


def head_arrays(name: str, head: ConversationHead) -> Arrays:
    """Converts a head to arrays for the model file."""
    return {
        f"{name}_{part}": np.asarray(getattr(head, part), np.float64)
        for part in ConversationHead.__dataclass_fields__
    }


def _types(conversation: Conversation) -> frozenset[str]:
    return conversation.labels.types if conversation.labels else frozenset()


def _slopes(rows: Sequence[Conversation], gates: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fits how much each of the two gates weighs, float64 (2,); each set has its own offset."""
    return np.maximum(fit_labelled(rows, gates, _WRITTEN_WEIGHT, _PENALTY), 0)


def _offset(logits: NDArray[np.float64], affective: NDArray[np.bool_]) -> float:
    """Finds the offset at which the logits are right on average if `PRIOR` is affective."""
    weight = np.where(affective, PRIOR / affective.sum(), (1 - PRIOR) / (~affective).sum())

    def excess(offset: float) -> float:
        return float(weight @ expit(logits + offset)) - PRIOR

    return float(brentq(excess, -_FAR, _FAR))


def _language_shift(
    conversations: Sequence[Conversation], logits: NDArray[np.float64], quiet: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Returns shifts that give each language's written negatives the same upper levels as English.

    Real conversations are mostly English. The written conversations have the same mixture in every
    language. So a score that is rare in English must be equally rare in the other languages.
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


def mood_line(logits: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the slope and the offset, float64 (2,), that give moods the labels' mean and spread.

    A regression would have a smaller slope, and changes of mood would be found half as large as
    they are.
    """
    slope = wanted.std() / logits.std()
    return np.array([slope, wanted.mean() - slope * logits.mean()])


def pushback_shift(replies: Sequence[Reply], logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns each language's shift, which moves the cut for pushback to a logit of 0.

    The cut for English has the best F1 on real replies. Written ones would set it lower, and most
    real conversations would be flagged: real assistants hedge more. The cuts of two languages
    differ as those with the best F1 in written conversations do. A language with few pushbacks
    has the cut of English.
    """
    read = np.array([reply.source == REPLIES_READ for reply in replies])
    written = np.array([bool(reply.conversation) for reply in replies])
    truth = np.array([reply.pushback for reply in replies])
    language = np.array([reply.language for reply in replies])
    cuts = np.full(len(LANGUAGES), _best_cut(logits[read], truth[read]))
    best = {
        index: _best_cut(logits[own], truth[own])
        for index, code in enumerate(LANGUAGES)
        for own in [(language == code) & written]
        if truth[own].sum() >= _FEWEST_EXAMPLES
    }
    for index, cut in best.items():
        cuts[index] += cut - best[LANGUAGES.index("en")]
    return -cuts


def _best_cut(logits: NDArray[np.float64], truth: NDArray[np.bool_]) -> float:
    """Finds the cut with the highest F1 at `PUSHBACK_PRIOR`, smoothed over neighbouring cuts."""
    order = np.argsort(-logits)
    hits = np.cumsum(truth[order]) / truth.sum() * PUSHBACK_PRIOR
    alarms = np.cumsum(~truth[order]) / (~truth).sum() * (1 - PUSHBACK_PRIOR)
    f1 = 2 * hits / (hits + alarms + PUSHBACK_PRIOR)
    width = max(len(f1) // 50, 1)
    smooth = np.convolve(f1, np.ones(width) / width, mode="same")
    return float(logits[order][smooth.argmax()])

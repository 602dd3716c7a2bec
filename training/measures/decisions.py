"""Judges conversations with models that did not see them, and returns the decisions as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from schemas.labels import TYPES
from training.open_model import Remembered, open_accurate, open_default
from training.sources import FOLDS, Conversation
from training.train import Trained
from transforms.classifiers.interface import (
    HUMAN_WIDTH,
    MOOD_UNITS_PER_POINT,
    NO_LOGIT,
    PUSHBACK,
    REASON,
    SENTIMENT,
    Classifier,
    Judgements,
)


@dataclass(frozen=True)
class Judged:
    """Holds conversations, and the decisions about them and their messages."""

    conversations: Sequence[Conversation]
    found: Judgements
    human: NDArray[np.int8]
    starts: NDArray[np.int64]
    assistant: NDArray[np.int8]
    pushback_threshold: int


@dataclass(frozen=True)
class Facts:
    """Holds the decisions about `n` conversations, each made by its fold's model.

    Attributes:
        conversations: the conversations of all folds, one fold after another.
        logit, affective, alert, types, use, opening, closing: as in `Judgements`; `types` is
            bool (n, 6).
        moods: float64, the sentiment of each human message, from -1 to 1.
        starts: int64 (n + 1,), where each conversation's moods begin.
        pushback, reasons: bool and int8, one for each assistant message.
    """

    conversations: list[Conversation]
    logit: NDArray[np.float64]
    affective: NDArray[np.bool_]
    alert: NDArray[np.bool_]
    types: NDArray[np.bool_]
    use: NDArray[np.int8]
    opening: NDArray[np.int8]
    closing: NDArray[np.int8]
    moods: NDArray[np.float64]
    starts: NDArray[np.int64]
    pushback: NDArray[np.bool_]
    reasons: NDArray[np.int8]

    @cached_property
    def source(self) -> NDArray[np.str_]:
        """Returns each conversation's source."""
        return np.array([row.source for row in self.conversations])

    @cached_property
    def author(self) -> NDArray[np.str_]:
        """Returns each conversation's author."""
        return np.array([row.author for row in self.conversations])

    @cached_property
    def language(self) -> NDArray[np.str_]:
        """Returns each conversation's language."""
        return np.array([row.language for row in self.conversations])

    @cached_property
    def dataset(self) -> NDArray[np.str_]:
        """Returns each real conversation's set, or an empty string."""
        return np.array([row.dataset for row in self.conversations])

    @cached_property
    def true_use(self) -> NDArray[np.str_]:
        """Returns each conversation's use by its label, or an empty string if it has no label."""
        return np.array([row.labels.use if row.labels else "" for row in self.conversations])

    @cached_property
    def is_read(self) -> NDArray[np.bool_]:
        """Marks real conversations with labels."""
        read: NDArray[np.bool_] = np.logical_and(self.dataset != "", self.true_use != "")
        return read

    @cached_property
    def is_sure(self) -> NDArray[np.bool_]:
        """Marks conversations of whose labels no reader was unsure."""
        return np.array([bool(row.labels and not row.labels.unsure) for row in self.conversations])

    @cached_property
    def is_written(self) -> NDArray[np.bool_]:
        """Marks whole written conversations."""
        return np.array([row.source == "written" for row in self.conversations], np.bool_)

    @cached_property
    def is_affective(self) -> NDArray[np.bool_]:
        """Marks conversations that are affective by the label of their author or readers."""
        return np.array(
            [bool(row.labels and row.labels.affective) for row in self.conversations], np.bool_
        )


def judge(classifier: Classifier, conversations: Sequence[Conversation]) -> Judged:
    """Judges whole conversations as the pipeline does."""
    owner = np.array([row for row, c in enumerate(conversations) for _ in c.turns])
    turns = [turn for conversation in conversations for turn in conversation.turns]
    human = np.array([turn.human for turn in turns])
    scores = classifier.score([turn.text for turn in turns], human)
    pushback = np.full(len(conversations), NO_LOGIT, np.int8)
    np.maximum.at(pushback, owner[~human], scores[~human, PUSHBACK])
    counts = np.bincount(owner[human], minlength=len(conversations)).astype(np.int64)
    starts = np.concatenate(([0], np.cumsum(counts)))
    found = classifier.judge(scores[human, :HUMAN_WIDTH], starts, pushback, counts)
    threshold = classifier.pushback_threshold
    return Judged(conversations, found, scores[human], starts, scores[~human], threshold)


def gather_facts(parts: Sequence[Judged]) -> Facts:
    """Joins the decisions about different conversations, made by several models."""
    sizes = np.concatenate([np.diff(part.starts) for part in parts])
    types = np.concatenate([part.found.types for part in parts])
    return Facts(
        conversations=[row for part in parts for row in part.conversations],
        logit=np.concatenate([part.found.affective_logit for part in parts]),
        affective=np.concatenate([part.found.affective for part in parts]),
        alert=np.concatenate([part.found.alert for part in parts]),
        types=(types[:, None] >> np.arange(len(TYPES), dtype=np.uint8) & 1).astype(np.bool_),
        use=np.concatenate([part.found.use for part in parts]),
        opening=np.concatenate([part.found.opening_type for part in parts]),
        closing=np.concatenate([part.found.closing_type for part in parts]),
        moods=np.concatenate([part.human[:, SENTIMENT] for part in parts]) / MOOD_UNITS_PER_POINT,
        starts=np.concatenate(([0], np.cumsum(sizes))),
        pushback=np.concatenate(
            [part.assistant[:, PUSHBACK] >= part.pushback_threshold for part in parts]
        ),
        reasons=np.concatenate([part.assistant[:, REASON] for part in parts]),
    )


def judge_apart(trained: Trained, accurate: Remembered | None) -> Facts:
    """Judges each conversation with its fold's model, which did not see it."""
    material = trained.material
    parts = []
    for fold in range(FOLDS):
        arrays = trained.folds[fold]
        opened: Classifier = (
            open_default(arrays) if accurate is None else open_accurate(arrays, accurate)
        )
        rows = np.flatnonzero(material.fold == fold).tolist()
        parts.append(judge(opened, [material.conversations[row] for row in rows]))
    return gather_facts(parts)

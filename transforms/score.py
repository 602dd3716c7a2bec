"""Score: the last step that sees text. It turns each message into a few small numbers."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import apache_beam as beam
import numpy as np
from apache_beam.metrics import Metrics

from schemas.records import Message, ScoredMessage
from transforms.classifiers.interface import HUMAN_WIDTH, Classifier

LoadClassifier = Callable[[], Classifier]
"""Loads the classifier, once per worker. It can be pickled; a loaded model can not."""

_CONVERSATION_HASH_BYTES: Final = 16
_SHORT_HASH_BYTES: Final = 8
_US_PER_MESSAGE: Final = Metrics.distribution("score", "us_per_message")
_BATCH: Final = Metrics.distribution("score", "messages_per_batch")


class Score(beam.PTransform[list[Message], list[ScoredMessage]]):
    """Scores lists of messages.

    In: lists of `Message`. Out: lists of `ScoredMessage`, of the same lengths and order.
    Windowing: any; it is kept. Guarantees: no text and no readable id leaves this step; the scores
    of a message do not depend on the list it came in.
    Metrics: `score/messages_per_batch`, `score/us_per_message`.
    """

    def __init__(self, load_classifier: LoadClassifier) -> None:
        super().__init__()
        self._load_classifier = load_classifier

    def expand(
        self, messages: beam.PCollection[list[Message]]
    ) -> beam.PCollection[list[ScoredMessage]]:
        return messages | "ScoreBatches" >> beam.ParDo(_ScoreFn(self._load_classifier))


class _ScoreFn(beam.DoFn):
    def __init__(self, load_classifier: LoadClassifier) -> None:
        self._load_classifier = load_classifier
        self._classifier: Classifier | None = None

    def setup(self) -> None:
        self._classifier = self._load_classifier()

    def process(self, messages: list[Message]) -> Iterator[list[ScoredMessage]]:
        assert self._classifier is not None
        started_ns = time.perf_counter_ns()
        yield score_messages(messages, self._classifier)
        elapsed_us = (time.perf_counter_ns() - started_ns) // 1000
        _US_PER_MESSAGE.update(elapsed_us // len(messages))
        _BATCH.update(len(messages))


def score_messages(messages: Sequence[Message], classifier: Classifier) -> list[ScoredMessage]:
    """Scores messages, in order."""
    is_human = np.fromiter((m.is_human for m in messages), np.bool_, len(messages))
    rows = classifier.score([m.text for m in messages], is_human)
    width = rows.shape[1]
    packed = rows.tobytes()
    return [
        ScoredMessage(
            _hash(m.conversation_id, _CONVERSATION_HASH_BYTES),
            _hash(m.event_id, _SHORT_HASH_BYTES),
            _hash(m.user_id, _SHORT_HASH_BYTES).hex() if m.user_id else "",
            m.is_human,
            m.sent_at_us,
            m.attributes,
            packed[at : at + HUMAN_WIDTH] if m.is_human else packed[at + HUMAN_WIDTH : at + width],
        )
        for at, m in zip(range(0, len(packed), width), messages, strict=True)
    ]


def _hash(value: str, size: int) -> bytes:
    return hashlib.blake2b(value.encode("utf-8", "surrogatepass"), digest_size=size).digest()

"""Score: the last step that sees text. It turns each message into a few small numbers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Final

import apache_beam as beam
from apache_beam.metrics import Metrics

from schemas.records import PseudonymousMessage, ScoredMessage
from transforms.classifiers.interface import Classifier
from transforms.classifiers.scoring import score_messages

LoadClassifier = Callable[[], Classifier]
"""Loads the classifier once per worker. The function can be pickled, but a loaded model cannot."""

_US_PER_MESSAGE: Final = Metrics.distribution("score", "us_per_message")
_BATCH: Final = Metrics.distribution("score", "messages_per_batch")


class Score(beam.PTransform[list[PseudonymousMessage], list[ScoredMessage]]):
    """Scores lists of messages.

    In: lists of `PseudonymousMessage`, none of them empty.
    Out: lists of `ScoredMessage`, one for each list, of the same length and in the same order.
    Windowing: any. Outputs keep the window and the timestamp of their list.
    Guarantees: the output contains no text. The scores of a message do not depend on the other
    messages in its list.
    Metrics: distributions `score/messages_per_batch` and `score/us_per_message`.

    Args:
      load_classifier: loads the classifier that scores the messages.
    """

    def __init__(self, load_classifier: LoadClassifier) -> None:
        super().__init__()
        self._load_classifier = load_classifier

    def expand(
        self, messages: beam.PCollection[list[PseudonymousMessage]]
    ) -> beam.PCollection[list[ScoredMessage]]:
        return messages | "ScoreBatches" >> beam.ParDo(_ScoreFn(self._load_classifier))


class _ScoreFn(beam.DoFn):
    def __init__(self, load_classifier: LoadClassifier) -> None:
        self._load_classifier = load_classifier
        self._classifier: Classifier | None = None

    def setup(self) -> None:
        self._classifier = self._load_classifier()

    def process(self, messages: list[PseudonymousMessage]) -> Iterator[list[ScoredMessage]]:
        assert self._classifier is not None
        started_ns = time.perf_counter_ns()
        yield score_messages(messages, self._classifier)
        elapsed_us = (time.perf_counter_ns() - started_ns) // 1000
        _US_PER_MESSAGE.update(elapsed_us // len(messages))
        _BATCH.update(len(messages))

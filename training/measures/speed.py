"""Times the classifier."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from training.sources import Conversation
from transforms.classifiers.interface import Classifier


def measure_speed(
    classifier: Classifier,
    conversations: Iterable[Conversation],
    clock: Callable[[], float] = time.process_time,
) -> dict[str, Any]:
    """Times batches of 1,000 real messages of at most 200 characters, in seconds on one core."""
    turns = [turn for row in conversations for turn in row.turns]
    texts = [turn.text[:200] for turn in turns]
    human = np.array([turn.human for turn in turns])
    best = float("inf")
    with threadpool_limits(1):  # A second thread would only wait, and its time would count.
        for _ in range(3):
            begun = clock()
            for place in range(0, len(texts), 1000):
                classifier.score(texts[place : place + 1000], human[place : place + 1000])
            best = min(best, clock() - begun)
    return {
        "messages_per_second": round(len(texts) / best),
        "mean_characters": round(sum(map(len, texts)) / len(texts)),
    }

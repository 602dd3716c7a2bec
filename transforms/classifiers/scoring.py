"""Scores messages: turns their texts into small numbers.

This module does not use Beam.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from schemas.records import PseudonymousMessage, ScoredMessage
from transforms.classifiers.interface import HUMAN_WIDTH, Classifier


def score_messages(
    messages: Sequence[PseudonymousMessage], classifier: Classifier
) -> list[ScoredMessage]:
    """Returns the scored messages, in the same order."""
    is_human = np.fromiter((m.is_human for m in messages), np.bool_, len(messages))
    rows = classifier.score([m.text for m in messages], is_human)
    width = rows.shape[1]
    packed = rows.tobytes()
    return [
        ScoredMessage(
            m.conversation,
            m.event,
            m.user,
            m.is_human,
            m.sent_at_us,
            m.attributes,
            packed[at : at + HUMAN_WIDTH] if m.is_human else packed[at + HUMAN_WIDTH : at + width],
        )
        for at, m in zip(range(0, len(packed), width), messages, strict=True)
    ]

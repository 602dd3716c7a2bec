"""Scores messages: turns their texts into small numbers, and their ids into hashes.

This module does not use Beam.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

import numpy as np

from schemas.records import Message, ScoredMessage
from transforms.classifiers.interface import HUMAN_WIDTH, Classifier

_CONVERSATION_HASH_BYTES: Final = 16


_SHORT_HASH_BYTES: Final = 8


def score_messages(messages: Sequence[Message], classifier: Classifier) -> list[ScoredMessage]:
    """Returns the scored messages, in the same order."""
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

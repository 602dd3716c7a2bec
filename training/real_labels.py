"""Finds the labels of real conversations."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from training.lines import read_lines

LABELS: Final = Path(__file__).parent / "labels"
CONVERSATIONS: Final = LABELS / "conversations.jsonl"
PUSHBACK: Final = LABELS / "pushback.jsonl"

_KEY_BYTES: Final = 12


def key_of(human_texts: Sequence[str]) -> str:
    """Returns the key of a conversation: a hash of its human turns, 24 hex digits."""
    encoded = json.dumps(list(human_texts), ensure_ascii=False).encode()
    return hashlib.blake2b(encoded, digest_size=_KEY_BYTES).hexdigest()


def read_labels() -> list[dict[str, Any]]:
    """Returns the labelled conversations, in the order of the file of labels."""
    return list(read_lines(CONVERSATIONS))


def read_pushback() -> list[dict[str, Any]]:
    """Returns the labelled replies and conversations, in the order of the file of labels."""
    return list(read_lines(PUSHBACK))

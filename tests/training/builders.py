"""Builds and stores conversations, so that a test states only the facts that the test needs."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from schemas.labels import AFFECTIVE_TYPES, NO_TYPE
from training.sources import Conversation, Labels, Turn


def conversation(
    types: Sequence[str] | None = (),
    messages: int = 1,
    *,
    source: str = "written",
    use: str = "technical",
    language: str = "en",
    author: str = "",
    opening: str = NO_TYPE,
    closing: str = NO_TYPE,
    sentiment: Sequence[float] = (),
    said: str = "hello",
    dataset: str = "",
) -> Conversation:
    """Builds a conversation of human messages; if `types` is None, the conversation has no labels.

    All conversations have the same id. If one of the types is affective, the use is affective too.
    """
    turns = tuple(Turn(True, f"{said} {index}" if index else said) for index in range(messages))
    labels = None
    if types is not None:
        affective = bool(set(types) & set(AFFECTIVE_TYPES))
        labels = Labels(
            types=frozenset(types),
            use="affective" if affective else use,
            opening_type=opening,
            closing_type=closing,
            sentiment=tuple(sentiment) or (0.0,) * messages,
        )
    return Conversation("c", source, turns, author, language, labels, dataset)


def real(
    messages: int = 1,
    language: str = "en",
    types: Sequence[str] | None = None,
    dataset: str = "real_dev",
) -> Conversation:
    """Builds a real conversation, which has no labels if `types` is None."""
    return conversation(types, messages, source="real", language=language, dataset=dataset)


def store(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Writes a JSON Lines file, gzipped if its name says so."""
    lines = "".join(json.dumps(row) + "\n" for row in rows).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(lines) if path.suffix == ".gz" else lines)

"""Counts the written corpus."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from schemas.labels import LANGUAGES
from training.sources import Conversation


def measure_corpus(conversations: Sequence[Conversation]) -> dict[str, Any]:
    """Counts the written corpus, by language."""
    found = {}
    for code in LANGUAGES[1:]:
        own = [row for row in conversations if row.labels and row.language == code]
        found[code] = {
            "authors": len({row.author for row in own}),
            "conversations": sum(row.source == "written" for row in own),
            "of_several_messages": sum(len(row.human) > 1 for row in own),
            "human_messages": sum(len(row.human) for row in own),
        }
    return found

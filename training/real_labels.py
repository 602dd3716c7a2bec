"""Finds the labels of real conversations, and measures how far the two readers agree."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from schemas.labels import TYPES
from training.agreement import kappa
from training.sources import read_lines

LABELS: Final = Path(__file__).parent / "labels"
CONVERSATIONS: Final = LABELS / "conversations.jsonl"
PUSHBACK: Final = LABELS / "pushback.jsonl"

EVALUATION_ONLY: Final = frozenset({"sharegpt"})
"""Data sets with labels that are never used to fit, to set thresholds or to choose a method."""

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


def agreement(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Returns Cohen's kappa between the two readers for affective, for the use and for each type.

    If neither reader found a type, the kappa of that type is 1.
    """
    readings = [(row["first"], row["second"]) for row in rows]
    found = {
        "affective": kappa(
            [a["use"] == "affective" for a, _ in readings],
            [b["use"] == "affective" for _, b in readings],
        ),
        "use": kappa([a["use"] for a, _ in readings], [b["use"] for _, b in readings]),
    }
    for name in TYPES:
        first, second = ([name in reading[i]["types"] for reading in readings] for i in (0, 1))
        found[name] = kappa(first, second)
    return found


def pushback_agreement(rows: Sequence[dict[str, Any]]) -> float:
    """Returns Cohen's kappa between the two readers on whether there is pushback."""
    return kappa([bool(row["first"]) for row in rows], [bool(row["second"]) for row in rows])


def main() -> None:
    """Prints the agreement of the two readers by data set."""
    rows = read_labels()
    for name in sorted({row["set"] for row in rows}):
        found = agreement([row for row in rows if row["set"] == name])
        print(name, json.dumps(found))
    pushback = read_pushback()
    for kind, is_reply in (("replies", True), ("conversations", False)):
        chosen = [row for row in pushback if (row["reply"] is not None) == is_reply]
        print(f"pushback, {kind}", pushback_agreement(chosen))


if __name__ == "__main__":
    main()

"""Measures how far two labellings agree: those of authors and a reader, or of two readers."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Any, Final

from schemas.labels import PUSHBACK_REASONS, TYPES
from training.lines import read_lines
from training.real_labels import read_labels, read_pushback
from training.sources import CORPORA, Conversation
from transforms.judging.kappa import kappa as kappa_of_pairs

SECOND: Final = CORPORA / "second_labels.jsonl"
NO_REASON: Final = "none"


def kappa(first: Sequence[Hashable], second: Sequence[Hashable]) -> float:
    """Returns Cohen's kappa (agreement beyond chance), or 1 if only one value occurs."""
    found = kappa_of_pairs(Counter(zip(first, second, strict=True)))
    return 1.0 if found is None else round(found, 3)


def measure_agreement(conversations: Sequence[Conversation]) -> dict[str, Any]:
    """Compares the two labellings of all conversations that were labelled twice."""
    by_id = {row.id: row for row in conversations}
    pairs = [(by_id[row["id"]], row) for row in read_lines(SECOND)]
    first = [own.labels for own, _ in pairs if own.labels is not None]
    second = [row for _, row in pairs]
    steps = [step for labels in first for step in labels.sentiment]
    again = [float(step) for row in second for step in row["sentiment"]]
    reasons, reasons_again = _reasons(pairs)
    found: dict[str, Any] = {
        "conversations": len(pairs),
        "messages": len(steps),
        "replies": len(reasons),
        "affective": kappa(
            [labels.affective for labels in first], [row["use"] == "affective" for row in second]
        ),
        "use": kappa([labels.use for labels in first], [row["use"] for row in second]),
        "opening type": kappa(
            [labels.opening_type for labels in first], [row["opening_type"] for row in second]
        ),
        "closing type": kappa(
            [labels.closing_type for labels in first], [row["closing_type"] for row in second]
        ),
        "sentiment step": kappa(steps, again),
        "pushback": kappa(
            [reason != NO_REASON for reason in reasons],
            [reason != NO_REASON for reason in reasons_again],
        ),
        "pushback reason": kappa(reasons, reasons_again),
    }
    for name in TYPES:
        found[name] = kappa(
            [name in labels.types for labels in first], [name in row["types"] for row in second]
        )
    found["sentiment within half a point"] = round(
        sum(abs(a - b) <= 0.5 for a, b in zip(steps, again, strict=True)) / len(steps), 3
    )
    return found


def _reasons(pairs: Sequence[tuple[Conversation, Any]]) -> tuple[list[str], list[str]]:
    """Lists the reason of each assistant message, once for each of the two labellings."""
    first, second = [], []
    for conversation, row in pairs:
        replies = [turn for turn in conversation.turns if not turn.human]
        for number, turn in enumerate(replies, 1):
            said = row["pushback"].get(str(number), NO_REASON)
            if said not in (*PUSHBACK_REASONS, NO_REASON):
                known = ", ".join((*PUSHBACK_REASONS, NO_REASON))
                raise ValueError(f"{conversation.id}: unknown reason {said!r}; use one of {known}")
            first.append(turn.pushback or NO_REASON)
            second.append(said)
    return first, second


def real_agreement(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
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


def measure_readers() -> dict[str, Any]:
    """Measures the agreement of the two readers of real conversations, by set."""
    rows = read_labels()
    pushback = read_pushback()
    found: dict[str, Any] = {
        name: {"read": len(own)} | real_agreement(own)
        for name in sorted({row["set"] for row in rows})
        for own in [[row for row in rows if row["set"] == name]]
    }
    for kind, is_reply in (("replies", True), ("conversations", False)):
        chosen = [row for row in pushback if (row["reply"] is not None) == is_reply]
        found[f"pushback of {kind}"] = {
            "read": len(chosen),
            "pushback": pushback_agreement(chosen),
        }
    return found


def main() -> None:
    """Prints the agreement of the two readers by data set."""
    for name, found in measure_readers().items():
        print(name, json.dumps(found))


if __name__ == "__main__":
    main()

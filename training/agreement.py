"""Measures Cohen's kappa between the authors' labels and a second, blind labelling.

Source of kappa: Cohen, "A coefficient of agreement for nominal scales", 1960.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, Final

from schemas.labels import PUSHBACK_REASONS, TYPES
from training.sources import CORPORA, Conversation, read_lines

SECOND: Final = CORPORA / "second_labels.jsonl"
NO_REASON: Final = "none"


def kappa(first: Sequence[Hashable], second: Sequence[Hashable]) -> float:
    """Returns Cohen's kappa (agreement beyond chance), or 1 if only one value occurs."""
    count = len(first)
    agreed = sum(a == b for a, b in zip(first, second, strict=True)) / count
    by_chance = sum(first.count(value) * second.count(value) for value in {*first, *second}) / (
        count * count
    )
    return round((agreed - by_chance) / (1 - by_chance), 3) if by_chance < 1 else 1.0


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

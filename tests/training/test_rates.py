"""Tests which conversations the confusion of uses and the drifts are counted from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from schemas.labels import USES
from tests.training.builders import conversation
from training.measures.decisions import Facts
from training.measures.rates import drift_of, use_confusion_of
from training.sources import Conversation


def facts_of(
    conversations: list[Conversation], uses: list[str], ends: list[tuple[int, int]]
) -> Facts:
    """Builds the decisions about conversations: the given uses, and opening and closing types."""
    count = len(conversations)
    use = np.array([USES.index(name) for name in uses], np.int8)
    none = np.zeros(count, np.bool_)
    opening, closing = (np.array(column, np.int8) for column in zip(*ends, strict=True))
    return Facts(
        conversations=conversations,
        logit=np.zeros(count),
        affective=use == 0,
        alert=none,
        types=np.zeros((count, 6), np.bool_),
        use=use,
        opening=opening,
        closing=closing,
        moods=np.zeros(count),
        starts=np.arange(count + 1),
        pushback=none,
        reasons=np.zeros(count, np.int8),
    )


WORK = conversation((), use="work")
COACHING = conversation(("coaching",), opening="coaching", closing="companionship")
UNREAD = conversation(None, source="real_arena")
COMPANION = replace(UNREAD, label="companionship")


def test_the_confusion_counts_labelled_conversations() -> None:
    """Written conversations count by their use, and real ones only if they are affective."""
    rows = [WORK, WORK, COACHING, COMPANION, UNREAD]
    said = ["work", "other", "affective", "leisure", "technical"]
    found = np.array(use_confusion_of(facts_of(rows, said, [(-1, -1)] * 5)))
    cells = {
        (USES[true], USES[given]): int(found[true, given]) for true, given in np.argwhere(found)
    }
    assert cells == {
        ("work", "work"): 1,
        ("work", "other"): 1,
        ("affective", "affective"): 1,
        ("affective", "leisure"): 1,
    }


def test_a_drift_is_true_if_opening_and_closing_differ() -> None:
    """A said drift is true if the labels of opening and closing differ, whatever they are."""
    rows = [WORK, WORK, COACHING, COACHING, UNREAD]
    ends = [(-1, -1), (-1, 1), (0, 2), (1, 1), (0, 1)]
    drift = drift_of(facts_of(rows, ["work"] * 5, ends))
    assert (drift.true_positives, drift.said, drift.conversations) == (1, 2, 4)

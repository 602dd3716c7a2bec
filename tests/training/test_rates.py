"""Tests which conversations the confusion of uses and the drifts are counted from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from schemas.labels import USES
from tests.training.builders import conversation
from training.measures.decisions import Facts
from training.measures.rates import FEWEST, drift_of, spread_of, use_confusion_of
from training.sources import Conversation
from transforms.estimation.rates import MIN_OF_USE


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
REAL_WORK = replace(WORK, dataset="real_dev")
UNREAD = conversation(None, source="real_arena", dataset="real_dev")


def cells(rows: list[Conversation], said: list[str]) -> dict[tuple[str, str], int]:
    """Returns the cells of the confusion that are not 0."""
    found = np.array(use_confusion_of(facts_of(rows, said, [(-1, -1)] * len(rows))))
    return {
        (USES[true], USES[given]): int(found[true, given]) for true, given in np.argwhere(found)
    }


def test_the_confusion_counts_written_conversations_of_uses_that_readers_found_rarely() -> None:
    """A real conversation that nobody read does not count."""
    rows = [REAL_WORK, WORK, COACHING, UNREAD]
    said = ["work", "other", "affective", "technical"]
    wanted = {("work", "work"): 1, ("work", "other"): 1, ("affective", "affective"): 1}
    assert cells(rows, said) == wanted


def test_the_confusion_counts_only_real_conversations_of_common_uses() -> None:
    """With as many real ones as a use needs, written ones do not count."""
    rows = [REAL_WORK] * MIN_OF_USE + [WORK]
    assert cells(rows, ["work"] * MIN_OF_USE + ["other"]) == {("work", "work"): MIN_OF_USE}


def test_a_drift_is_true_if_opening_and_closing_differ() -> None:
    """A said drift is true if the labels of opening and closing differ in any way."""
    rows = [WORK, WORK, COACHING, COACHING, UNREAD]
    ends = [(-1, -1), (-1, 1), (0, 2), (1, 1), (0, 1)]
    drift = drift_of(facts_of(rows, ["work"] * 5, ends))
    assert (drift.true_positives, drift.said, drift.conversations) == (1, 2, 4)


def drawn(source: str, count: int) -> list[Conversation]:
    """Builds conversations of one platform that were read for no reason."""
    return [replace(UNREAD, source=source, probability=1.0)] * count


def test_the_spread_is_what_chance_does_not_explain() -> None:
    """Platforms with false positive rates of 0 and 0.2 lie apart; equal ones do not."""
    rows = drawn("a", 100) + drawn("b", 100)
    found = facts_of(rows, ["other"] * 200, [(-1, -1)] * 200)
    apart, alike = np.arange(200) >= 180, np.arange(200) % 10 == 0
    every = np.ones(200, np.bool_)
    assert spread_of(found, apart, every) == pytest.approx((0.02 - 0.0008) ** 0.5, abs=1e-4)
    assert spread_of(found, alike, every) == 0.0


def test_small_platforms_and_chosen_conversations_do_not_count_towards_the_spread() -> None:
    """One platform alone has no spread."""
    chosen = [replace(row, probability=0.0) for row in drawn("c", 100)]
    rows = drawn("a", 100) + drawn("b", FEWEST - 1) + chosen
    found = facts_of(rows, ["other"] * len(rows), [(-1, -1)] * len(rows))
    said = np.arange(len(rows)) >= 100
    assert spread_of(found, said, np.ones(len(rows), np.bool_)) == 0.0

"""Tests the measures of decisions on a few conversations with known labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from schemas.labels import NO_TYPE, TYPES, USES
from tests.training.builders import conversation, real, store
from training import real_labels
from training.measures.decisions import Facts
from training.measures.gate import measure_set, measure_unseen
from training.measures.messages import Pushed, judge_pushback, measure_moods
from training.measures.rates import rates_of
from training.real_labels import key_of
from training.sources import Conversation, Turn
from transforms.classifiers.interface import NO_INDEX

NOBODY = Pushed(np.zeros(0, np.bool_), np.zeros(0, np.bool_), np.zeros(0, np.str_))


@dataclass(frozen=True)
class Said:
    """Holds a conversation, and what the classifier says about it."""

    conversation: Conversation
    types: Sequence[str] = ()
    use: str = "technical"
    logit: float = 0.0
    affective: bool = False
    moods: Sequence[float] = ()
    pushback: Sequence[bool] = ()


def facts(*said: Said) -> Facts:
    """Joins the decisions about conversations."""
    sizes = [len(one.moods) for one in said]
    flags = np.array([one.affective for one in said])
    edges = np.full(len(said), NO_INDEX, np.int8)
    pushback = np.array([flag for one in said for flag in one.pushback], np.bool_)
    return Facts(
        conversations=[one.conversation for one in said],
        logit=np.array([one.logit for one in said]),
        affective=flags,
        alert=flags,
        types=np.array([[name in one.types for name in TYPES] for one in said]),
        use=np.array([USES.index(one.use) for one in said], np.int8),
        opening=edges,
        closing=edges,
        moods=np.array([mood for one in said for mood in one.moods]),
        starts=np.cumsum([0, *sizes]),
        pushback=pushback,
        reasons=np.zeros(len(pushback), np.int8),
    )


COACHED = real(types=["coaching"])
TASK = real(types=[])
REFUSED = replace(conversation(), turns=(Turn(True, "hi"), Turn(False, "no", "sexual")))


def rates(found: Facts, pushed: Pushed = NOBODY) -> dict[tuple[str, str], tuple[int, ...]]:
    """Returns hits, positives, false alarms and negatives by facet and value."""
    return {
        (rate.facet, rate.facet_value): (
            rate.true_positives,
            rate.positives,
            rate.false_positives,
            rate.negatives,
        )
        for rate in rates_of(found, pushed)
    }


def test_the_gates_rate_comes_from_sets_that_were_read_whole() -> None:
    """Its negatives are those of the natural set; written conversations do not count."""
    found = facts(
        Said(COACHED, affective=True),
        Said(real(types=["coaching"], dataset="hh_harmless")),
        Said(real(types=["coaching"], dataset="wildchat_first")),
        Said(conversation(["coaching"], 4), affective=True),
        Said(TASK, affective=True),
        Said(TASK),
        Said(real(types=[], dataset="hh_harmless"), affective=True),
    )
    assert rates(found)["use", "affective"] == (1, 2, 1, 2)


def test_a_types_rate_has_real_and_written_positives() -> None:
    """Real and written positives count, but only the natural set has negatives."""
    found = facts(
        Said(COACHED, ["coaching"]),
        Said(conversation(["coaching"], 4)),
        Said(real(types=["coaching"], dataset="wildchat_ru"), ["coaching"]),
        Said(TASK, ["coaching"]),
        Said(conversation([], 4), ["coaching"]),
    )
    assert rates(found)["type", "coaching"] == (2, 3, 1, 1)


def test_pushbacks_rate_has_written_positives_and_real_negatives() -> None:
    """The readers say which real conversations have no pushback."""
    found = facts(Said(REFUSED, pushback=[True]), Said(REFUSED, pushback=[False]), Said(TASK))
    said, true = np.array([True, True, False]), np.array([True, False, False])
    pushed = Pushed(said, true, np.array(["real_arena"] * 3))
    assert rates(found, pushed)["pushback", "all"] == (1, 2, 1, 2)


def test_unsure_positives_are_measured_apart() -> None:
    """Conversations without labels count as negatives."""
    assert COACHED.labels
    unsure = replace(COACHED, labels=replace(COACHED.labels, unsure=True))
    rows = [Said(COACHED, affective=True, logit=3), Said(unsure), Said(TASK, affective=True)]
    found = measure_set(facts(*rows, Said(real(), logit=-2)), np.full(4, True))
    assert (found["recall"]["hits"], found["recall"]["of"]) == (1, 2)
    assert (found["recall_of_sure"]["hits"], found["recall_of_sure"]["of"]) == (1, 1)
    assert (found["false_positives"]["hits"], found["false_positives"]["of"]) == (1, 2)


def test_only_random_rows_show_how_common_something_is() -> None:
    """A candidate was chosen by its score; of a set that was read whole, each has 1."""
    drawn = [replace(row, probability=0.3) for row in (COACHED, TASK, TASK)]
    whole = replace(COACHED, probability=1.0)
    rows = [Said(COACHED), Said(whole), *(Said(row) for row in drawn)]
    found = measure_unseen(facts(*rows))["drawn_at_random"]
    assert (found["hits"], found["of"]) == (1, 3)


def test_real_pushback_counts_if_both_readers_agree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lines about single replies, and lines on which the readers differ, are left out."""
    chats = [replace(TASK, turns=(Turn(True, text), Turn(False, "no"))) for text in "abcd"]
    lines = [
        {"key": key_of(row.human), "reply": reply, "first": first, "second": second}
        for row, reply, first, second in zip(
            chats,
            [None, None, None, 1],
            [["sexual"], [], ["sexual"], ["sexual"]],
            [["self_harm"], [], [], ["sexual"]],
            strict=True,
        )
    ]
    store(tmp_path / "pushback.jsonl", lines)
    monkeypatch.setattr(real_labels, "PUSHBACK", tmp_path / "pushback.jsonl")
    said = [Said(row, pushback=[row is not chats[0]]) for row in chats]
    found = judge_pushback([facts(*said)])
    assert (found.said.tolist(), found.truth.tolist()) == ([False, True], [True, False])


def test_the_change_of_mood_is_that_of_the_last_three_messages() -> None:
    """A conversation needs six messages with moods; readers of real ones label none."""
    wanted = [-1.0, -1.0, -1.0, 0.5, 0.5, 0.5]
    up = conversation(["coaching"], 6, opening=NO_TYPE, sentiment=wanted)
    flat = conversation([], 6, sentiment=[0.0] * 6)
    assert COACHED.labels
    real_one = replace(COACHED, labels=replace(COACHED.labels, sentiment=()))
    found = measure_moods(
        facts(
            Said(up, moods=[-0.5, -0.5, -0.5, 0.4, 0.4, 0.4]),
            Said(flat, moods=[0.1] * 6),
            Said(real_one, moods=[0.9]),
        )
    )
    assert (found["messages"], found["changes"]) == (12, 2)
    assert (found["mean_change"], found["mean_labelled_change"]) == (0.45, 0.75)
    assert (found["sign_of_change"]["hits"], found["sign_of_change"]["of"]) == (1, 1)
    assert found["correlation_of_change"] == pytest.approx(1)

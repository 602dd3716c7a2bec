"""Tests the judging of conversations: the rules, the edges, and independence of the batch."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from schemas.labels import LANGUAGES, TYPES, USES
from tests.transforms.classifiers.builders import (
    batch,
    classifier,
    row,
    weighed_head,
    whole_mean_head,
)
from transforms.classifiers.head import FIGURES, ConversationHead
from transforms.classifiers.interface import (
    HUMAN_WIDTH,
    NO_INDEX,
    NO_LOGIT,
    Judgements,
    probability,
)

TASK = row(use="technical", language="en")
LONELY = row(affective=20, companionship=16, language="en")
WORRIED = row(affective=20, counseling=16, language="zh")
DRAGON = row(use="leisure", roleplay=24)
DARLING = row(affective=20, romantic_roleplay=24, companionship=-8)


def judge(
    *conversations: list[NDArray[np.int8]],
    pushback: int = NO_LOGIT,
    head: ConversationHead | None = None,
) -> Judgements:
    """Judges conversations by a head that takes means, or a given one."""
    scores, starts = batch(*conversations)
    asked = np.full(len(conversations), pushback, np.int8)
    return classifier(head=head).judge(scores, starts, asked, np.diff(starts))


def names(judged: Judgements, index: int = 0) -> set[str]:
    """Names the decided types of a conversation."""
    return {name for bit, name in enumerate(TYPES) if judged.types[index] >> bit & 1}


def test_a_task_is_not_affective() -> None:
    """Gate closed: no affective type, and the use is the strongest of the other seven."""
    judged = judge([TASK, TASK])
    assert not judged.affective[0]
    assert names(judged) == set()
    assert USES[judged.use[0]] == "technical"


def test_affective_types_only_where_the_gate_is_open() -> None:
    """A type logit alone decides nothing."""
    judged = judge([row(affective=-1, counseling=127)], [row(affective=0, counseling=127)])
    assert judged.affective.tolist() == [False, True]
    assert [names(judged, 0), names(judged, 1)] == [set(), {"counseling"}]


def test_use_is_affective_exactly_where_affective() -> None:
    """The gate, not the use logits, says so."""
    judged = judge([row(affective=8, use="work")], [row(affective=-8, use="affective")])
    assert (judged.use[0] == 0, judged.use[1] == 0) == (True, False)


def test_an_affective_conversation_has_its_strongest_type() -> None:
    """Where no type reaches its threshold, the nearest one is taken."""
    judged = judge([row(affective=8, coaching=-4, counseling=-9)])
    assert names(judged) == {"coaching"}


@pytest.mark.parametrize(("count", "counted"), [(3, False), (4, True)])
@pytest.mark.parametrize("message", [DRAGON, DARLING])
def test_roleplay_counts_from_four_human_messages(
    message: NDArray[np.int8], count: int, counted: bool
) -> None:
    """Both roleplays, as types and as opening and closing types."""
    judged = judge([message] * count)
    kind = "roleplay" if message is DRAGON else "romantic_roleplay"
    assert (kind in names(judged)) is counted
    for edge in (judged.opening_type[0], judged.closing_type[0]):
        assert bool(edge == TYPES.index(kind)) is counted


@pytest.mark.parametrize(("second", "types"), [(-8, set()), (8, {"companionship"})])
def test_three_messages_of_romantic_roleplay_have_no_type_at_the_edges(
    second: int, types: set[str]
) -> None:
    """Affective, but its strongest type needs a fourth message, and no other takes its place."""
    judged = judge([row(affective=20, romantic_roleplay=24, companionship=second)] * 3)
    assert judged.affective[0]
    assert names(judged) == types
    assert (judged.opening_type[0], judged.closing_type[0]) == (NO_INDEX, NO_INDEX)


@pytest.mark.parametrize(("lonely", "closing"), [(False, "roleplay"), (True, "companionship")])
def test_an_edge_is_roleplay_only_if_it_is_not_affective(lonely: bool, closing: str) -> None:
    """However strong: past the edge threshold an affective type goes before it."""
    story = row(affective=20 if lonely else -20, companionship=-4, roleplay=60)
    judged = judge([LONELY] * 5 + [story] * 3)
    assert judged.affective[0]
    assert [TYPES[judged.opening_type[0]], TYPES[judged.closing_type[0]]] == [
        "companionship",
        closing,
    ]


def test_an_edge_of_a_conversation_that_is_not_affective_may_be_roleplay() -> None:
    """Though the edge by itself is past the gate: no affective type stands before it."""
    story = row(affective=20, companionship=40, roleplay=8)
    judged = judge([story] * 3 + [TASK] * 9)
    assert not judged.affective[0]
    assert (judged.opening_type[0], judged.closing_type[0]) == (TYPES.index("roleplay"), NO_INDEX)


def test_the_true_count_decides_when_rows_are_a_sample() -> None:
    """Four human messages of which two rows are left are still four."""
    scores, starts = batch([DRAGON, DRAGON])
    judged = classifier().judge(scores, starts, np.array([-128], np.int8), np.array([4]))
    assert names(judged) == {"roleplay"}


def test_drift_from_opening_to_closing() -> None:
    """Opening and closing look at the first and the last three messages only."""
    judged = judge([WORRIED] * 3 + [TASK] * 2 + [LONELY] * 3, head=whole_mean_head(-9.0))
    assert TYPES[judged.opening_type[0]] == "counseling"
    assert TYPES[judged.closing_type[0]] == "companionship"


def test_an_edge_without_a_type_has_none() -> None:
    """A conversation that opens as a task and ends as counseling has no opening type."""
    judged = judge([TASK] * 3 + [WORRIED] * 9, head=whole_mean_head(-9.0))
    assert judged.opening_type[0] == NO_INDEX
    assert TYPES[judged.closing_type[0]] == "counseling"


@pytest.mark.parametrize(("edge", "opening"), [(2.5, "counseling"), (2.625, None)])
def test_an_edge_has_a_type_from_its_own_threshold_on(edge: float, opening: str | None) -> None:
    """The edge threshold decides about opening and closing, not the conversation's."""
    judged = judge([WORRIED] * 5, head=whole_mean_head(edge=edge))
    index = TYPES.index(opening) if opening else NO_INDEX
    assert judged.affective[0]
    assert (judged.opening_type[0], judged.closing_type[0]) == (index, index)


def test_an_affective_edge_has_the_strongest_type_sure_or_not() -> None:
    """Past the edge threshold the nearest type is taken, though none reaches its threshold."""
    judged = judge([row(affective=8, coaching=-4, counseling=-9)])
    assert TYPES[judged.opening_type[0]] == TYPES[judged.closing_type[0]] == "coaching"


def test_no_edge_of_a_task_is_affective() -> None:
    """An opening past the gate of a conversation that is not affective has no type."""
    judged = judge([LONELY] * 3 + [TASK] * 9)
    assert not judged.affective[0]
    assert judged.opening_type[0] == NO_INDEX


def test_the_alert_has_a_threshold_of_its_own() -> None:
    """What counts as affective need not be sure enough to be pointed at."""
    judged = judge(
        [row(affective=8)], [row(affective=16)], [TASK], [], head=whole_mean_head(alert=2.0)
    )
    assert judged.affective.tolist() == [True, True, False, False]
    assert judged.alert.tolist() == [False, True, False, False]


def test_the_language_shift_moves_the_gate_of_that_language() -> None:
    """Chinese is helped by one logit: its gate, alert and edges, and no other language's."""
    said = [[row(affective=-8, coaching=3, language=code)] for code in ("zh", "en", "und")]
    judged = judge(*said, head=whole_mean_head(shift={"zh": 1.0}))
    assert judged.affective_logit.tolist() == [0.0, -1.0, -1.0]
    assert judged.affective.tolist() == judged.alert.tolist() == [True, False, False]
    assert judged.opening_type.tolist() == [TYPES.index("coaching"), NO_INDEX, NO_INDEX]


def test_the_language_shift_moves_no_type() -> None:
    """Types are compared with thresholds that hold given an affective conversation."""
    said = [[row(affective=8, coaching=4, language=code)] for code in ("zh", "en")]
    judged = judge(*said, head=whole_mean_head(shift={"zh": 3.0}))
    assert judged.type_logits[0].tolist() == judged.type_logits[1].tolist()


def test_pushback_at_or_above_the_threshold() -> None:
    """The test classifier's threshold is 8."""
    assert judge([TASK], pushback=8).pushback[0]
    assert not judge([TASK], pushback=7).pushback[0]


def test_language_is_the_commonest_determined_one() -> None:
    """Undetermined messages have no vote."""
    judged = judge([DRAGON, DRAGON, WORRIED], [DRAGON], [LONELY, WORRIED, WORRIED])
    assert [LANGUAGES[index] for index in judged.language] == ["zh", "und", "zh"]


def test_a_conversation_without_human_messages() -> None:
    """It is nothing, and its neighbours are not disturbed, wherever it stands."""
    judged = judge([], [LONELY], [], [TASK], [])
    assert judged.affective.tolist() == [False, True, False, False, False]
    assert [USES[index] for index in judged.use[[0, 2, 4]]] == ["other"] * 3
    assert judged.opening_type[[0, 2, 4]].tolist() == [NO_INDEX] * 3


def test_no_conversations() -> None:
    """An empty batch gives empty arrays."""
    assert all(len(array) == 0 for array in astuple(judge()))


def test_hand_computed_pooling() -> None:
    """Opening, closing and whole means, the mean of the top two, the length step and the bias."""
    messages = [row(affective=level) for level in (8, 16, 24, 0, -8)]
    for place, value in enumerate((2.0, 2 / 3, 1.0, 2.5, 3.0, 1.0)):
        weights = np.zeros((1 + len(TYPES), FIGURES))
        weights[:, place] = 1.0
        head = weighed_head(weights, np.zeros(1 + len(TYPES)))
        assert judge(messages, head=head).affective_logit[0] == pytest.approx(value)


ROWS = st.lists(
    st.lists(st.integers(-128, 127), min_size=HUMAN_WIDTH - 1, max_size=HUMAN_WIDTH - 1),
    max_size=7,
)


@settings(max_examples=60, deadline=None)
@given(st.lists(ROWS, max_size=6), st.integers(0, 9))
def test_a_judgement_does_not_depend_on_its_batch(
    conversations: list[list[list[int]]], seed: int
) -> None:
    """Judging together and alone give the same bits."""
    random = np.random.default_rng(seed)
    head = ConversationHead(
        random.normal(size=(7, FIGURES)), random.normal(size=7), random.normal(size=11), 0.1, 0.2
    )
    built = [
        [np.array([*message, abs(message[0]) % 11], np.int8) for message in conversation]
        for conversation in conversations
    ]
    together = astuple(judge(*built, head=head))
    for index, conversation in enumerate(built):
        for whole, alone in zip(together, astuple(judge(conversation, head=head)), strict=True):
            assert whole[index : index + 1].tobytes() == alone.tobytes()


def test_probability_is_monotonic_and_bounded() -> None:
    """Far logits neither overflow nor leave 0..1."""
    shares = [probability(logit) for logit in (-1e4, -2.0, 0.0, 2.0, 1e4)]
    assert shares == sorted(shares)
    assert (shares[0], shares[2], shares[-1]) == (0.0, 0.5, 1.0)

"""Tests how conversations are judged: rules, opening and closing, independence of the batch."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from schemas.labels import LANGUAGES, TYPES, USES
from tests.transforms.classifiers.builders import (
    ROWS,
    batch,
    classifier,
    row,
    weighed_head,
    whole_mean_head,
)
from transforms.classifiers.head import FIGURES, GATED, HIGHEST, ConversationHead, pool
from transforms.classifiers.interface import (
    HUMAN_WIDTH,
    LOGIT_UNIT,
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
    """Judges conversations with `head`; by default the head takes means."""
    scores, starts = batch(*conversations)
    asked = np.full(len(conversations), pushback, np.int8)
    return classifier(head=head).judge(scores, starts, asked, np.diff(starts))


def names(judged: Judgements, index: int = 0) -> set[str]:
    """Returns the names of the types that a conversation was given."""
    return {name for bit, name in enumerate(TYPES) if judged.types[index] >> bit & 1}


def test_a_task_is_not_affective() -> None:
    """A task has no affective type, and its use is the strongest of the seven other uses."""
    judged = judge([TASK, TASK])
    assert not judged.affective[0]
    assert names(judged) == set()
    assert USES[judged.use[0]] == "technical"


def test_an_affective_type_needs_an_open_gate() -> None:
    """A high logit of an affective type is not enough if the gate stays closed."""
    judged = judge([row(affective=-1, counseling=127)], [row(affective=0, counseling=127)])
    assert judged.affective.tolist() == [False, True]
    assert [names(judged, 0), names(judged, 1)] == [set(), {"counseling"}]


def test_the_gate_decides_whether_the_use_is_affective() -> None:
    """The logits of the other uses do not decide whether the use is affective."""
    judged = judge([row(affective=8, use="work")], [row(affective=-8, use="work")])
    assert (judged.use[0] == 0, judged.use[1] == 0) == (True, False)


def test_an_affective_conversation_always_has_a_type() -> None:
    """If no type reaches its threshold, the type closest to its threshold is taken."""
    judged = judge([row(affective=8, coaching=-4, counseling=-9)])
    assert names(judged) == {"coaching"}


@pytest.mark.parametrize(("count", "counted"), [(3, False), (4, True)])
@pytest.mark.parametrize("message", [DRAGON, DARLING])
def test_roleplay_counts_from_four_human_messages(
    message: NDArray[np.int8], count: int, counted: bool
) -> None:
    """Both kinds of roleplay need four human messages, even as opening and closing types."""
    judged = judge([message] * count)
    kind = "roleplay" if message is DRAGON else "romantic_roleplay"
    assert (kind in names(judged)) is counted
    for edge in (judged.opening_type[0], judged.closing_type[0]):
        assert bool(edge == TYPES.index(kind)) is counted


@pytest.mark.parametrize(("second", "types"), [(-8, set()), (8, {"companionship"})])
def test_three_messages_of_romantic_roleplay_have_no_type_at_the_edges(
    second: int, types: set[str]
) -> None:
    """If the strongest type needs a fourth message, no other type replaces it at the edges."""
    judged = judge([row(affective=20, romantic_roleplay=24, companionship=second)] * 3)
    assert judged.affective[0]
    assert names(judged) == types
    assert (judged.opening_type[0], judged.closing_type[0]) == (NO_INDEX, NO_INDEX)


@pytest.mark.parametrize(("lonely", "closing"), [(False, "roleplay"), (True, "companionship")])
def test_an_edge_is_roleplay_only_if_it_is_not_affective(lonely: bool, closing: str) -> None:
    """Past the edge threshold, an affective type comes first, however strong the roleplay is."""
    story = row(affective=20 if lonely else -20, companionship=-4, roleplay=60)
    judged = judge([LONELY] * 5 + [story] * 3)
    assert judged.affective[0]
    assert [TYPES[judged.opening_type[0]], TYPES[judged.closing_type[0]]] == [
        "companionship",
        closing,
    ]


def test_an_edge_of_a_conversation_that_is_not_affective_may_be_roleplay() -> None:
    """If only the opening passes the gate, its type can be roleplay but not an affective type."""
    story = row(affective=20, companionship=40, roleplay=8)
    judged = judge([story] * 3 + [TASK] * 9)
    assert not judged.affective[0]
    assert (judged.opening_type[0], judged.closing_type[0]) == (TYPES.index("roleplay"), NO_INDEX)


def test_the_true_count_decides_when_rows_are_a_sample() -> None:
    """Four human messages are still four if a sample keeps only two of their rows."""
    scores, starts = batch([DRAGON, DRAGON])
    judged = classifier().judge(scores, starts, np.array([-128], np.int8), np.array([4]))
    assert names(judged) == {"roleplay"}


def test_drift_from_opening_to_closing() -> None:
    """The opening depends only on the first three messages, the closing only on the last three."""
    judged = judge([WORRIED] * 3 + [TASK] * 2 + [LONELY] * 3, head=whole_mean_head(-9.0))
    assert TYPES[judged.opening_type[0]] == "counseling"
    assert TYPES[judged.closing_type[0]] == "companionship"


def test_an_opening_may_have_no_type() -> None:
    """A conversation that opens as a task and ends as counseling has no opening type."""
    judged = judge([TASK] * 3 + [WORRIED] * 9, head=whole_mean_head(-9.0))
    assert judged.opening_type[0] == NO_INDEX
    assert TYPES[judged.closing_type[0]] == "counseling"


@pytest.mark.parametrize(("edge", "opening"), [(2.5, "counseling"), (2.625, None)])
def test_edges_have_their_own_threshold(edge: float, opening: str | None) -> None:
    """Opening and closing are decided by the edge threshold, not the conversation's threshold."""
    judged = judge([WORRIED] * 5, head=whole_mean_head(edge=edge))
    index = TYPES.index(opening) if opening else NO_INDEX
    assert judged.affective[0]
    assert (judged.opening_type[0], judged.closing_type[0]) == (index, index)


def test_an_affective_edge_always_has_a_type() -> None:
    """Past the edge threshold, the type nearest its own threshold is taken, even if below it."""
    judged = judge([row(affective=8, coaching=-4, counseling=-9)])
    assert TYPES[judged.opening_type[0]] == TYPES[judged.closing_type[0]] == "coaching"


def test_no_edge_of_a_task_is_affective() -> None:
    """An opening past the gate has no type if the conversation is not affective."""
    judged = judge([LONELY] * 3 + [TASK] * 9)
    assert not judged.affective[0]
    assert judged.opening_type[0] == NO_INDEX


def test_the_alert_has_its_own_threshold() -> None:
    """A conversation can count as affective even if it is not certain enough for an alert."""
    judged = judge(
        [row(affective=8)], [row(affective=16)], [TASK], [], head=whole_mean_head(alert=2.0)
    )
    assert judged.affective.tolist() == [True, True, False, False]
    assert judged.alert.tolist() == [False, True, False, False]


def test_the_language_shift_moves_the_gate_of_that_language() -> None:
    """A shift of 1 for Chinese raises the gate, alert and edge thresholds of Chinese only."""
    said = [[row(affective=-8, coaching=3, language=code)] for code in ("zh", "en", "und")]
    judged = judge(*said, head=whole_mean_head(shift={"zh": 1.0}))
    assert judged.affective_logit.tolist() == [0.0, -1.0, -1.0]
    assert judged.affective.tolist() == judged.alert.tolist() == [True, False, False]
    assert judged.opening_type.tolist() == [TYPES.index("coaching"), NO_INDEX, NO_INDEX]


def test_the_language_shift_does_not_move_types() -> None:
    """A shift does not move types: their thresholds already assume an affective conversation."""
    said = [[row(affective=8, coaching=4, language=code)] for code in ("zh", "en")]
    judged = judge(*said, head=whole_mean_head(shift={"zh": 3.0}))
    assert judged.type_logits[0].tolist() == judged.type_logits[1].tolist()


def test_pushback_counts_from_its_threshold_on() -> None:
    """A pushback logit of 8 counts, but 7 does not: the test classifier's threshold is 8."""
    assert judge([TASK], pushback=8).pushback[0]
    assert not judge([TASK], pushback=7).pushback[0]


def test_the_language_is_the_most_common_known_one() -> None:
    """Messages of undetermined language are ignored."""
    judged = judge([DRAGON, DRAGON, WORRIED], [DRAGON], [LONELY, WORRIED, WORRIED])
    assert [LANGUAGES[index] for index in judged.language] == ["zh", "und", "zh"]


def test_a_conversation_without_human_messages_is_not_affective() -> None:
    """A conversation without human messages has the use `other` and no type.

    The rest of the batch is judged as before.
    """
    judged = judge([], [LONELY], [], [TASK], [])
    assert judged.affective.tolist() == [False, True, False, False, False]
    assert [USES[index] for index in judged.use[[0, 2, 4]]] == ["other"] * 3
    assert judged.opening_type[[0, 2, 4]].tolist() == [NO_INDEX] * 3


def test_an_empty_batch_gives_empty_arrays() -> None:
    """For an empty batch, every field of the judgements is empty."""
    assert all(len(array) == 0 for array in astuple(judge()))


def test_hand_computed_pooling() -> None:
    """Each weight selects one figure: three means, the top two, the highest, length or bias."""
    messages = [row(affective=level) for level in (8, 16, 24, 0, -8)]
    for place, value in enumerate((2.0, 2 / 3, 1.0, 2.5, 3.0, 3.0, 1.0)):
        weights = np.zeros((ROWS, FIGURES))
        weights[0, place] = 1.0
        head = weighed_head(weights, np.zeros(1 + len(TYPES)))
        assert judge(messages, head=head).affective_logit[0] == pytest.approx(value)


def test_the_second_gate_adds_its_highest_message_to_the_gate() -> None:
    """Only the gate's logit grows: the types and the other conversation stay as they were."""
    weights = np.zeros((ROWS, FIGURES))
    weights[:-1, 2] = weights[-1, HIGHEST] = 1.0
    said = [[row(8, 4, coaching=2), row(8, 24, coaching=2)], [row(8, -16, coaching=2)]]
    judged = judge(*said, head=weighed_head(weights, np.zeros(1 + len(TYPES))))
    assert judged.affective_logit.tolist() == [1.0 + 3.0, 1.0 - 2.0]
    assert judged.affective.tolist() == [True, False]
    assert judged.type_logits[:, TYPES.index("coaching")].tolist() == [0.25, 0.25]


def test_the_second_gate_also_decides_about_edges() -> None:
    """The gate's messages are equal, so only the second gate opens the closing."""
    weights = np.zeros((ROWS, FIGURES))
    weights[:-1, 2] = weights[-1, HIGHEST] = 1.0
    said = [row(8, -16, coaching=2)] * 3 + [row(8, 8, coaching=2)] * 3
    judged = judge(said, head=weighed_head(weights, np.zeros(1 + len(TYPES))))
    assert (judged.opening_type[0], judged.closing_type[0]) == (NO_INDEX, TYPES.index("coaching"))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 6), min_size=1, max_size=8), st.integers(0, 999))
def test_the_highest_messages_agree_with_a_naive_loop(sizes: list[int], seed: int) -> None:
    """Each column has its own highest messages; a single message counts twice in the top two."""
    scores = np.random.default_rng(seed).integers(-128, 128, (sum(sizes), HUMAN_WIDTH))
    ends = np.cumsum([0, *sizes])
    figures = pool(scores.astype(np.int8), ends[:-1], ends[1:], np.array(sizes))
    for place, size in enumerate(sizes):
        for column in range(ROWS):
            said = sorted(scores[ends[place] : ends[place + 1], GATED][:, column].tolist())
            two, one = (sum(said[-2:]) / min(size, 2), said[-1]) if said else (0, 0)
            found = figures[[HIGHEST - 1, HIGHEST], place, column].tolist()
            assert found == [two * LOGIT_UNIT, one * LOGIT_UNIT]


CONVERSATIONS = st.lists(
    st.lists(st.integers(-128, 127), min_size=HUMAN_WIDTH - 1, max_size=HUMAN_WIDTH - 1),
    max_size=7,
)


@settings(max_examples=60, deadline=None)
@given(st.lists(CONVERSATIONS, max_size=6), st.integers(0, 9))
def test_a_judgement_does_not_depend_on_its_batch(
    conversations: list[list[list[int]]], seed: int
) -> None:
    """A conversation gets the same judgement, bit for bit, in a batch and alone."""
    random = np.random.default_rng(seed)
    head = ConversationHead(
        random.normal(size=(ROWS, FIGURES)), random.normal(size=7), random.normal(size=11), 0.1, 0.2
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
    """Extreme logits neither overflow nor give a probability outside 0 to 1."""
    shares = [probability(logit) for logit in (-1e4, -2.0, 0.0, 2.0, 1e4)]
    assert shares == sorted(shares)
    assert (shares[0], shares[2], shares[-1]) == (0.0, 0.5, 1.0)

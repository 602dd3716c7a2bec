"""Tests message scores: the layout, hand-computed logits, and independence of the batch."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.classifiers.builders import (
    ASSISTANT_HEADS,
    HUMAN_HEADS,
    classifier,
    random_table,
    table,
)
from transforms.classifiers.features import extract
from transforms.classifiers.interface import (
    AFFECTIVE,
    HUMAN_WIDTH,
    LANGUAGE,
    NO_LOGIT,
    PUSHBACK,
    REASON,
    SENTIMENT,
    TYPE_COLUMNS,
    USE_COLUMNS,
    WIDTH,
)
from transforms.classifiers.linear import count_features

RANDOM = classifier(random_table(HUMAN_HEADS, 1), random_table(ASSISTANT_HEADS, 2))

ABUSE = (
    "",
    " \n\t",
    "\x00" * 50,
    "\ud800 lone \udfff",
    "\U0001f600" * 5000,
    "e\u0301\u200d\ufe0f" * 300,
    "\uffff\U0010ffff",
    "?" * 3000,
    "İßﬁ",
)


def test_layout_has_no_gap_and_no_overlap() -> None:
    """The columns of a row are the ones that state and coders rely on."""
    columns = [
        AFFECTIVE,
        *range(TYPE_COLUMNS.start, TYPE_COLUMNS.stop),
        *range(USE_COLUMNS.start, USE_COLUMNS.stop),
        SENTIMENT,
        LANGUAGE,
        PUSHBACK,
        REASON,
    ]
    assert columns == list(range(WIDTH))
    assert (HUMAN_WIDTH, WIDTH) == (17, 19)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.one_of(st.text(st.characters(codec=None), max_size=80), st.sampled_from(ABUSE)),
            st.booleans(),
        ),
        max_size=12,
    )
)
def test_a_row_does_not_depend_on_its_batch(messages: list[tuple[str, bool]]) -> None:
    """Scoring together and alone give the same bytes."""
    texts = [text for text, _ in messages]
    human = np.array([is_human for _, is_human in messages], np.bool_)
    together = RANDOM.score(texts, human)
    alone = [RANDOM.score([text], human[i : i + 1]) for i, text in enumerate(texts)]
    assert together.dtype == np.int8
    assert together.shape == (len(texts), WIDTH)
    assert together.tobytes() == b"".join(row.tobytes() for row in alone)


def test_long_batches_agree_with_single_messages() -> None:
    """Where a batch is cut into chunks makes no difference."""
    texts = [f"message number {index} says {'x' * (index % 90)} " * 9 for index in range(400)]
    human = np.arange(400) % 3 > 0
    together = RANDOM.score(texts, human)
    for index in range(0, 400, 37):
        alone = RANDOM.score([texts[index]], human[index : index + 1])
        assert together[index].tobytes() == alone.tobytes()


def test_hand_computed_logits() -> None:
    """A logit is the sum over the root of the number of features, in steps of an eighth."""
    tiny = classifier(table(HUMAN_HEADS, {("lonely", AFFECTIVE): 12, ("lonely", SENTIMENT): -12}))
    features = int(count_features(extract(["so lonely"]))[0])
    logit = 12 / features**0.5
    assert 1 < logit < 3
    [row] = tiny.score(["so lonely"], np.array([True]))
    assert row[AFFECTIVE] == round(logit * 8)
    assert row[SENTIMENT] == -1
    assert row[TYPE_COLUMNS].tolist() == [0] * 6


def test_assistant_rows_hold_pushback_and_its_reason_only() -> None:
    """An assistant's human columns are 0, a human's pushback columns at their floor."""
    tiny = classifier(assistant=table(ASSISTANT_HEADS, {("refuse", 0): 100, ("refuse", 4): 50}))
    human, assistant = tiny.score(["refuse", "refuse"], np.array([True, False]))
    assert human[PUSHBACK:].tolist() == [NO_LOGIT, 0]
    assert assistant[:HUMAN_WIDTH].tolist() == [0] * HUMAN_WIDTH
    assert assistant[PUSHBACK] > 0
    assert assistant[REASON] == 3


def test_the_pushback_logit_is_shifted_by_language() -> None:
    """The test classifier adds 2 for Chinese, so that one threshold serves both."""
    tiny = classifier()
    english, chinese = tiny.score(["no, i will not", "不，我不会"], np.array([False, False]))
    assert (english[PUSHBACK], chinese[PUSHBACK]) == (0, 16)


def test_logits_are_clipped() -> None:
    """Certainty past the range of int8 stays at its end."""
    tiny = classifier(table(HUMAN_HEADS, {("yes", AFFECTIVE): 127, ("no", AFFECTIVE): -127}))
    rows = tiny.score(["yes", "no"], np.array([True, True]))
    assert rows[:, AFFECTIVE].tolist() == [127, -128]


@pytest.mark.parametrize("text", ["", "   ", "\x00\x00", "\ud800"])
def test_a_message_without_features_is_neutral_and_other(text: str) -> None:
    """Nothing was said: no type, neutral, use other, language undetermined, no pushback."""
    rows = RANDOM.score([text, text], np.array([True, False]))
    assert (rows[0, : USE_COLUMNS.stop - 1] == NO_LOGIT).all()
    assert rows[0, USE_COLUMNS.stop - 1 : HUMAN_WIDTH].tolist() == [0, 0, 0]
    assert rows[1, PUSHBACK] == NO_LOGIT


def test_a_ten_megabyte_text_is_scored_like_its_ends() -> None:
    """Size is no attack: only the ends are read."""
    big = "word " * 2_000_000
    small = big[:1200] + " " + big[-400:]
    rows = RANDOM.score([big, small], np.array([True, True]))
    assert rows[0].tobytes() == rows[1].tobytes()

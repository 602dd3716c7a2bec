"""Tests message scores: layout, logits computed by hand, and independence of the batch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.labels import LANGUAGES
from tests.transforms.classifiers.builders import (
    ASSISTANT_HEADS,
    HUMAN_HEADS,
    classifier,
    random_encoder,
    random_network,
    whole_classifier,
)
from transforms.classifiers.interface import (
    AFFECTIVE,
    FIRST_TYPE,
    HUMAN_WIDTH,
    LANGUAGE,
    NO_LOGIT,
    PUSHBACK,
    REASON,
    SECOND_GATE,
    SENTIMENT,
    TYPE_COLUMNS,
    USE_COLUMNS,
    WIDTH,
)

RANDOM = whole_classifier(
    random_encoder(10, seed=1),
    random_network(10, 7, HUMAN_HEADS, seed=2),
    random_network(10, 7, ASSISTANT_HEADS, seed=3),
)

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
    """The columns of a row are where state and coders expect them."""
    columns = [
        AFFECTIVE,
        *range(TYPE_COLUMNS.start, TYPE_COLUMNS.stop),
        SECOND_GATE,
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
    """A message gets the same bytes in a batch and alone."""
    texts = [text for text, _ in messages]
    human = np.array([is_human for _, is_human in messages], np.bool_)
    together = RANDOM.score(texts, human)
    alone = [RANDOM.score([text], human[i : i + 1]) for i, text in enumerate(texts)]
    assert together.dtype == np.int8
    assert together.shape == (len(texts), WIDTH)
    assert together.tobytes() == b"".join(row.tobytes() for row in alone)


def test_long_batches_agree_with_single_messages() -> None:
    """It makes no difference where a batch is cut into chunks."""
    texts = [f"message number {index} says {'x' * (index % 90)} " * 9 for index in range(400)]
    human = np.arange(400) % 3 > 0
    together = RANDOM.score(texts, human)
    for index in range(0, 400, 37):
        alone = RANDOM.score([texts[index]], human[index : index + 1])
        assert together[index].tobytes() == alone.tobytes()


def test_hand_computed_rows() -> None:
    """Each column is the logit of its head in eighths; a mood is in hundredths of a point."""
    says = {("lonely", AFFECTIVE): 2, ("lonely", SENTIMENT): -2, ("bot", FIRST_TYPE + 3): 5}
    rows = classifier(says).score(["so lonely", "lonely bot", "bot"], np.full(3, True))
    assert rows[:, AFFECTIVE].tolist() == [16, 16, 0]
    assert rows[:, SENTIMENT].tolist() == [-40, -40, 10]
    assert rows[:, TYPE_COLUMNS].tolist() == [[0] * 6, [0, 0, 0, 40, 0, 0], [0, 0, 0, 40, 0, 0]]


@pytest.mark.parametrize(
    ("logit", "mood"),
    [
        (-100, -100),
        (-5, -100),
        (-4, -90),
        (-1, -15),
        (0, 10),
        (1, 35),
        (3, 85),
        (4, 100),
        (99, 100),
    ],
)
def test_a_mood_is_a_line_that_ends_at_one_point(logit: int, mood: int) -> None:
    """The test classifiers add 10 to 25 times the logit, and cut the mood at -100 and 100."""
    [row] = classifier({("mood", SENTIMENT): logit}).score(["mood"], np.array([True]))
    assert row[SENTIMENT] == mood


def test_a_human_row_names_its_language() -> None:
    """The language is set even if the encoder does not know the words."""
    rows = classifier({("不", AFFECTIVE): 1}).score(["我不知道", "what is this"], np.full(2, True))
    assert [LANGUAGES[index] for index in rows[:, LANGUAGE]] == ["zh", "en"]


def test_assistant_rows_hold_pushback_and_its_reason_only() -> None:
    """An assistant's row has 0 in human columns; a human's row has the lowest pushback logit."""
    tiny = classifier({("refuse", AFFECTIVE): 3}, {("refuse", 0): 4, ("refuse", 4): 2})
    human, assistant = tiny.score(["refuse", "refuse"], np.array([True, False]))
    assert human[PUSHBACK:].tolist() == [NO_LOGIT, 0]
    assert assistant[:HUMAN_WIDTH].tolist() == [0] * HUMAN_WIDTH
    assert assistant[PUSHBACK:].tolist() == [32, 3]


def test_both_roles_share_an_encoder_but_no_network() -> None:
    """The same word scores differently from a human and from the assistant."""
    tiny = classifier({("no", AFFECTIVE): -1}, {("no", 0): 6})
    human, assistant = tiny.score(["no", "no"], np.array([True, False]))
    assert (human[AFFECTIVE], assistant[PUSHBACK]) == (-8, 48)


def test_the_pushback_logit_is_shifted_by_language() -> None:
    """The test classifier adds 2 to the logit of Chinese, so one threshold fits both languages."""
    tiny = classifier(assistant={("not", 0): 1, ("不", 0): 1})
    texts = ["no, i will not", "不，我会"]
    english, chinese = tiny.score(texts, np.array([False, False]))
    assert (english[PUSHBACK], chinese[PUSHBACK]) == (8, 24)


def test_logits_are_clipped() -> None:
    """A logit outside the range of int8 gets the nearest value inside."""
    tiny = classifier({("yes", AFFECTIVE): 127, ("no", AFFECTIVE): -127})
    rows = tiny.score(["yes", "no"], np.array([True, True]))
    assert rows[:, AFFECTIVE].tolist() == [127, -128]


@pytest.mark.parametrize("text", ["", "   ", "\x00\x00", "\ud800"])
def test_a_message_without_features_is_neutral_and_other(text: str) -> None:
    """A message without features has no type, mood or pushback.

    Its use is `other`, and its language is undetermined.
    """
    rows = RANDOM.score([text, text], np.array([True, False]))
    assert (rows[0, : USE_COLUMNS.stop - 1] == NO_LOGIT).all()
    assert rows[0, USE_COLUMNS.stop - 1 : HUMAN_WIDTH].tolist() == [0, 0, 0]
    assert rows[1, PUSHBACK:].tolist() == [NO_LOGIT, 0]


def test_an_empty_message_ignores_the_networks_bias() -> None:
    """The bias alone makes no message affective and gives it no mood."""
    human = replace(random_network(10, 7, HUMAN_HEADS, seed=2), bias=np.full(HUMAN_HEADS, 5.0))
    [row] = replace(RANDOM, human=human).score([""], np.array([True]))
    assert row[SENTIMENT] == 0
    assert row[AFFECTIVE] == NO_LOGIT


def test_a_ten_megabyte_text_is_scored_like_its_ends() -> None:
    """Only the ends of a text are read, so a huge middle changes nothing."""
    big = "word " * 2_000_000
    small = big[:1200] + " " + big[-400:]
    rows = RANDOM.score([big, small], np.array([True, True]))
    assert rows[0].tobytes() == rows[1].tobytes()

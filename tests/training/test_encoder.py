"""Tests the fit of the n-gram table on a small case."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.transforms.classifiers.builders import HUMAN_HEADS
from training.encoder import DIRECTIONS, PUSHBACK_COLUMN, TOP, Lessons, Table, _more_words
from training.fit import BUCKETS, read_design
from transforms.classifiers.network import TOP as LARGEST

RANDOM = np.random.default_rng(9)
WORDS = ["sad", "rain", "cats", "python", "recipe", "garden", "moon", "taxes", "violin", "zebra"]
COUNT = 120
TEXTS = [" ".join(RANDOM.permutation(WORDS)[:4].tolist()) for _ in range(COUNT)]
SAD = np.array(["sad" in text for text in TEXTS])
LOGITS = RANDOM.normal(size=(COUNT, HUMAN_HEADS)).astype(np.float32)
LOGITS[:, 0] = 100 * SAD + 40
HELD_OUT = np.arange(COUNT) % 3 == 0
WORD = np.arange(COUNT) >= 100
PUSHBACK = np.zeros((BUCKETS, 1), np.float32)
PUSHBACK[::9, 0] = np.linspace(0.5, 1.5, len(PUSHBACK[::9]))


def lessons(vectors: NDArray[np.float64]) -> Lessons:
    """Builds the lessons of 100 messages and 20 words, a third of them held out."""
    return Lessons(
        texts=TEXTS,
        design=read_design(TEXTS),
        vectors=vectors.astype(np.float32),
        weight=np.ones(COUNT, np.float32),
        fold=np.where(HELD_OUT, 0, 1),
        own=~WORD,
        word=WORD,
        rarity=np.ones(COUNT, np.float32),
    )


VECTORS = RANDOM.normal(size=(COUNT, 64))


@cache
def fit(other: bool = False) -> Table:
    """Fits a table without the fold 0; `other` changes the targets of that fold's messages."""
    changed = (HELD_OUT & ~WORD)[:, None] & other
    vectors, logits = np.where(changed, 9, VECTORS), np.where(changed, 99, LOGITS)
    return lessons(vectors).fit(0, logits.astype(np.float32), PUSHBACK, ["hello there"])


def test_the_table_has_a_column_for_each_logit_direction_and_pushback() -> None:
    """Weights are small whole numbers, and the last column is the given one in other units."""
    table = fit()
    assert table.weights.shape == (BUCKETS, HUMAN_HEADS + DIRECTIONS + 1)
    assert np.abs(table.weights.astype(int)).max() <= TOP
    last = table.weights[:, PUSHBACK_COLUMN]
    assert (last[::9] > 0).all()
    assert np.count_nonzero(last) == len(last[::9])


def test_the_first_columns_predict_the_logits() -> None:
    """The first logit is high for one word only, and so is its element of the vectors."""
    truth, said = SAD[HELD_OUT & ~WORD], fit().encode(TEXTS)[HELD_OUT & ~WORD, 0]
    assert said[truth].min() > said[~truth].max()


def test_the_scale_uses_the_whole_range() -> None:
    """Of the messages, almost none reaches 127; the last column's scale comes from the replies."""
    table = fit()
    known = [text for text, out, word in zip(TEXTS, HELD_OUT, WORD, strict=True) if not out | word]
    sums = np.abs(table.sums(known)) * table.scale
    assert np.percentile(sums, 99.9, axis=0)[:-1] == pytest.approx(LARGEST)
    assert np.abs(table.sums(["hello there"])[0, -1]) * table.scale[-1] == pytest.approx(LARGEST)


def test_held_out_texts_do_not_change_the_table() -> None:
    """Targets of the messages in the left-out fold change neither weights nor scale."""
    one, two = fit(), fit(other=True)
    assert one.weights.tobytes() == two.weights.tobytes()
    assert one.scale.tobytes() == two.scale.tobytes()


def test_a_word_of_one_fold_is_in_that_fold() -> None:
    """A word of two folds, or of a text in no fold, is in no fold; known words are left out."""
    texts = [("Hello sad World", 0), ("hello friend", 1), ("friend", 1), ("bye 你好", -1)]
    found = _more_words(texts, ["world"])
    assert found == {"bye": -1, "friend": 1, "hello": -1, "sad": 0}

"""Tests the encoder: vectors computed by hand, their length, and independence of the batch."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.transforms.classifiers.builders import encoder, random_encoder
from transforms.classifiers.network import TOP
from transforms.classifiers.ngram.encoder import LENGTH, Encoder
from transforms.classifiers.ngram.features import extract

TINY = encoder({"sad": (1, 2, 2, 0, 0), "now": (3, -2, 2, 0, 0), "sure": (0, 0, 0, 0, 7)})
RANDOM = random_encoder(64, seed=4)
TEXTS = [
    "so sad",
    "",
    "我很难过，不知道该怎么办",
    "i can't sleep and cry every night " * 40,
    "?",
    "x",
]


def encode(encoder: Encoder, *texts: str) -> NDArray[np.float32]:
    """Encodes a batch of texts."""
    return encoder.encode(extract(texts))


@pytest.mark.parametrize(
    ("text", "vector"),
    [
        ("sad", [60, 120, 120, 0, 0]),
        ("sad now", [127, 0, 127, 0, 0]),
        ("sad sad now", [112, 45, 127, 0, 0]),
        ("sure", [0, 0, 0, 0, 127]),
    ],
)
def test_hand_computed_vectors(text: str, vector: list[int]) -> None:
    """The words' vectors are summed, scaled to a length of 180, rounded, and capped at 127."""
    assert encode(TINY, text)[0].tolist() == vector


def test_a_long_text_has_the_vector_of_a_short_one() -> None:
    """Repetition and unknown words change nothing, because only the direction matters."""
    vectors = encode(TINY, "sad", "sad " * 300, "sad beyond all those unknown words")
    assert (vectors == vectors[0]).all()


def test_every_vector_has_the_same_length() -> None:
    """Rounding changes each coordinate by at most a half, and none exceeds the maximum."""
    vectors = encode(RANDOM, *TEXTS)
    lengths = np.linalg.norm(vectors, axis=1)
    assert lengths[1] == 0
    assert np.delete(lengths, 1) == pytest.approx(LENGTH, abs=64**0.5 / 2)
    assert np.abs(vectors).max() <= TOP
    assert (vectors == np.rint(vectors)).all()


@pytest.mark.parametrize("text", ["", " \n", "unheard", "..."])
def test_a_text_without_known_features_has_a_zero_vector(text: str) -> None:
    """A text without features, or without known ones, has a zero vector."""
    vectors = encode(TINY, "sad", text)
    assert vectors[0].any()
    assert vectors[1].tolist() == [0] * 5


def test_a_vector_is_the_sum_over_all_families() -> None:
    """Tokens, pairs, triples and runs of characters all count."""
    read = extract(["我很难过 and lonely"])
    table = RANDOM.packed.view("<u2").astype(np.int64) - 128
    assert len(read.families) == 5
    total = sum(table[family.buckets].sum(axis=0) for family in read.families)
    expected = np.rint(total * LENGTH / np.linalg.norm(total))
    assert RANDOM.encode(read)[0] == pytest.approx(expected, abs=1)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(st.characters(codec=None), max_size=80), min_size=1, max_size=9))
def test_a_vector_does_not_depend_on_its_batch(texts: list[str]) -> None:
    """A text gets the same vector, bit for bit, in a batch and alone."""
    together = encode(RANDOM, *texts)
    assert together.dtype == np.float32
    assert together.shape == (len(texts), 64)
    for index, text in enumerate(texts):
        assert together[index].tobytes() == encode(RANDOM, text)[0].tobytes()


def test_vectors_have_the_order_of_their_texts() -> None:
    """If the texts are reversed, so are the vectors."""
    forward, backward = encode(RANDOM, *TEXTS), encode(RANDOM, *TEXTS[::-1])
    assert forward.tobytes() == backward[::-1].tobytes()
    assert all((one != other).any() for one, other in pairwise(forward))

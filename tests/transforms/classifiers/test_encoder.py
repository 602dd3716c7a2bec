"""Tests the encoder: vectors computed by hand, their range, and independence of the batch."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.transforms.classifiers.builders import encoder, random_encoder
from transforms.classifiers.network import TOP
from transforms.classifiers.ngram.encoder import Encoder
from transforms.classifiers.ngram.features import extract

TINY = encoder({"cold": (3, 6, -30, 0), "now": (5, -2, 1, 7)}, scale=(1.0, 10.0, 30.0, 0.5))
"""With its n-grams, "cold" has 9 features and "cold now" has 16."""

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
    ("text", "sums", "vector"),
    [
        ("cold", [1, 2, -10, 0], [1, 20, -127, 0]),
        ("cold now", [2, 1, -7.25, 1.75], [2, 10, -127, 1]),
        ("cold cold cold cold", [2, 4, -20, 0], [2, 40, -127, 0]),
    ],
)
def test_hand_computed_vectors(text: str, sums: list[float], vector: list[int]) -> None:
    """The words' vectors are summed, divided by the root of 9, 16 or 36, and scaled.

    They are then rounded, and cut at 127.
    """
    assert TINY.sums(extract([text]))[0].tolist() == sums
    assert encode(TINY, text)[0].tolist() == vector


def test_vectors_are_whole_numbers_up_to_the_maximum() -> None:
    """A tenfold scale takes some elements to the maximum, but none beyond it."""
    vectors = encode(replace(RANDOM, scale=RANDOM.scale * 10), *TEXTS)
    assert np.abs(vectors).max() == TOP
    assert (vectors == np.rint(vectors)).all()
    assert not vectors[1].any()


@pytest.mark.parametrize("text", ["", " \n", "unheard", "..."])
def test_a_text_without_known_features_has_a_zero_vector(text: str) -> None:
    """A text without features, or without known ones, has a zero vector."""
    vectors = encode(TINY, "cold", text)
    assert vectors[0].any()
    assert vectors[1].tolist() == [0] * 4


def test_a_vector_is_the_sum_over_all_families() -> None:
    """Tokens, pairs, triples and runs of characters all count."""
    read = extract(["我很难过 and lonely"])
    table = RANDOM.packed.view("<u2").astype(np.int64) - 128
    assert len(read.families) == 5
    total = sum(table[family.buckets].sum(axis=0) for family in read.families)
    count = sum(len(family.buckets) for family in read.families)
    assert RANDOM.sums(read)[0] == pytest.approx(total / count**0.5)
    assert (RANDOM.encode(read)[0] == np.rint(RANDOM.sums(read)[0] * RANDOM.scale)).all()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(st.characters(codec=None), max_size=80), min_size=1, max_size=9))
def test_a_vector_does_not_depend_on_its_batch(texts: list[str]) -> None:
    """A text gets the same sums and vector, bit for bit, in a batch and alone."""
    together, sums = encode(RANDOM, *texts), RANDOM.sums(extract(texts))
    assert together.dtype == np.float32
    assert together.shape == (len(texts), 64)
    for index, text in enumerate(texts):
        assert together[index].tobytes() == encode(RANDOM, text)[0].tobytes()
        assert sums[index].tobytes() == RANDOM.sums(extract([text]))[0].tobytes()


def test_vectors_have_the_order_of_their_texts() -> None:
    """If the texts are reversed, so are the vectors."""
    forward, backward = encode(RANDOM, *TEXTS), encode(RANDOM, *TEXTS[::-1])
    assert forward.tobytes() == backward[::-1].tobytes()
    assert all((one != other).any() for one, other in pairwise(forward))

"""Tests the hashed n-grams: the tokens, how they are folded, and which part of a text is read."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.classifiers.ngram.features import (
    BUCKET_BITS,
    HEAD_CHARS,
    TAIL_CHARS,
    Extract,
    chunks,
    extract,
)

ANY_TEXT = st.one_of(
    st.text(st.characters(codec=None), max_size=60), st.text("a我很他1 '?\ud800", max_size=8)
)
"""Texts of any code points, with lone surrogates and NULs, and short texts of a few characters."""


def features_of(read: Extract, index: int) -> list[list[int]]:
    """Lists a message's features by family, and leaves out empty families."""
    found = [
        sorted(family.buckets[family.offsets[index] : family.offsets[index + 1]].tolist())
        for family in read.families
    ]
    return [buckets for buckets in found if buckets]


@settings(deadline=None, max_examples=300)
@given(st.lists(ANY_TEXT, min_size=1, max_size=6))
def test_features_do_not_depend_on_the_batch(texts: list[str]) -> None:
    """A message has the same features in a batch and alone."""
    together = extract(texts)
    for index, text in enumerate(texts):
        assert features_of(together, index) == features_of(extract([text]), 0)


@settings(deadline=None)
@given(st.lists(ANY_TEXT, min_size=1, max_size=6))
def test_buckets_and_offsets_are_within_bounds(texts: list[str]) -> None:
    """Every feature falls into the table and belongs to exactly one message."""
    for family in extract(texts).families:
        assert family.offsets[0] == 0
        assert family.offsets[-1] == len(family.buckets)
        assert (np.diff(family.offsets) >= 0).all()
        assert not len(family.buckets) or family.buckets.min() >= 0
        assert not len(family.buckets) or family.buckets.max() < 1 << BUCKET_BITS


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        (" \t\n", 0),
        ("\x00\ud800", 0),
        ("I can't", 2),
        ("'quoted'", 1),
        ("why?!", 3),
        ("我很难过", 4),
        ("a我b", 3),
        ("so tired \U0001f622", 3),
        ("end. Begin", 2),
    ],
)
def test_tokens(text: str, tokens: int) -> None:
    """Words, single CJK characters and single symbols are tokens; separators are not."""
    families = extract([text]).families
    assert sum(len(family.buckets) for family in families[:1]) == tokens


@pytest.mark.parametrize(
    ("one", "other"),
    [("HELLO", "hello"), ("ＡＢＣ", "abc"), ("it’s", "it's"), ("1234", "5678"), ("a, b", "a b")],
)
def test_folded_forms_are_equal(one: str, other: str) -> None:
    """Case, width, apostrophes, digits and neutral punctuation make no difference."""
    assert features_of(extract([one]), 0) == features_of(extract([other]), 0)


@pytest.mark.parametrize("quoted", ["'hi'", "hi'", "'hi"])
def test_quotes_are_not_part_of_a_word(quoted: str) -> None:
    """An apostrophe belongs to a word only if it is between letters."""
    tokens = extract([quoted]).families[0].buckets
    assert tokens.tolist() == extract(["hi"]).families[0].buckets.tolist()


@pytest.mark.parametrize(
    ("one", "other"), [("ab", "ba"), ("a b", "b a"), ("ab c", "a bc"), ("我你", "你我")]
)
def test_order_matters(one: str, other: str) -> None:
    """A different order of characters or words gives different features."""
    assert features_of(extract([one]), 0) != features_of(extract([other]), 0)


def test_only_the_ends_of_a_long_text_are_read() -> None:
    """The middle of a long text changes nothing, whatever its length; a change at the end does."""
    head, tail = "h" * HEAD_CHARS, "t" * TAIL_CHARS
    [(_, base)] = chunks([head + "x" * 10 + tail])
    [(_, long)] = chunks([head + "y" * 10_000_000 + tail])
    [(_, other)] = chunks([head + "x" * 10 + tail[:-1] + "u"])
    assert features_of(base, 0) == features_of(long, 0)
    assert features_of(base, 0) != features_of(other, 0)


def test_chunks_cover_every_text_once() -> None:
    """Each text is returned once and in order, in several chunks if there are many texts."""
    texts = [f"message {index} " * 50 for index in range(300)]
    places = [index for place, _ in chunks(texts) for index in range(300)[place]]
    assert places == list(range(300))
    assert sum(1 for _ in chunks(texts)) > 1
    assert list(chunks([])) == []


def test_scripts_are_counted() -> None:
    """Cyrillic, Arabic, Han, kana and hangul characters are counted; digits and Latin are not."""
    read = extract(["abc 123", "привет", "مرحبا", "我很好", "すごい", "안녕"])
    assert read.scripts.tolist() == [
        [0, 0, 0, 0, 0],
        [6, 0, 0, 0, 0],
        [0, 5, 0, 0, 0],
        [0, 0, 3, 0, 0],
        [0, 0, 0, 3, 0],
        [0, 0, 0, 0, 2],
    ]

"""Tests that the labels of real conversations are valid and have no text, and the readers agree."""

from __future__ import annotations

from collections import Counter

import pytest

from schemas.labels import AFFECTIVE_TYPES, PUSHBACK_REASONS, TYPES, USES
from tests.shared_data import REAL, require
from training.real_labels import (
    EVALUATION_ONLY,
    agreement,
    key_of,
    pushback_agreement,
    read_labels,
    read_pushback,
)
from training.sources import read_lines

ROWS = read_labels()
PUSHBACK = read_pushback()
FIELDS = {
    "key", "set", "source", "language", "chosen", "random_probability", "first", "second", "agreed",
    "adjudicated",
}  # fmt: skip


def test_each_conversation_is_labelled_once_and_without_text() -> None:
    """Keys are unique hashes. A line has only the labels and the source of the conversation."""
    assert max(Counter(row["key"] for row in ROWS).values()) == 1
    for row in ROWS:
        assert len(row["key"]) == 24
        assert row.keys() <= FIELDS
        assert max(len(str(row[name])) for name in ("set", "source", "chosen")) < 25


def test_every_reading_follows_the_definitions() -> None:
    """The use is affective if and only if an affective type was given."""
    for row in ROWS:
        for reading in (row["first"], row["second"], row["agreed"]):
            assert reading["use"] in USES
            assert set(reading["types"]) <= set(TYPES)
            is_affective = bool(set(reading["types"]) & set(AFFECTIVE_TYPES))
            assert (reading["use"] == "affective") == is_affective


def test_what_readers_agree_on_is_not_adjudicated() -> None:
    """If both readers gave the same labels, these labels are the agreed ones."""
    for row in ROWS:
        same = all(row["first"][name] == row["second"][name] for name in ("use", "types"))
        assert row["adjudicated"] == (not same)
        if same:
            assert row["agreed"] == {k: row["first"][k] for k in ("use", "types")}


def test_there_are_enough_real_positives() -> None:
    """At least 300 affective conversations and 1,500 negatives may train weights."""
    trainable = [row for row in ROWS if row["set"] not in EVALUATION_ONLY]
    affective = sum(row["agreed"]["use"] == "affective" for row in trainable)
    assert affective >= 300
    assert len(trainable) - affective >= 1_500


@pytest.mark.parametrize(
    ("name", "least"),
    [("real_dev", 0.95), ("sharegpt", 0.95), ("hh_harmless", 0.85), ("wildchat_first", 0.75)],
)
def test_the_readers_agree(name: str, least: float) -> None:
    """In each set, the readers' kappa for affective is at least the required value."""
    assert agreement([row for row in ROWS if row["set"] == name])["affective"] >= least


def test_pushback_is_by_reason_and_agreed_on() -> None:
    """All reasons are in our list, and the readers agree on whether there is pushback."""
    for row in PUSHBACK:
        assert {*row["first"], *row["second"]} <= set(PUSHBACK_REASONS)
    replies = [row for row in PUSHBACK if row["reply"] is not None]
    assert len(replies) >= 600
    assert pushback_agreement(replies) >= 0.85
    assert len(PUSHBACK) - len(replies) >= 300


def test_keys_are_found_in_the_data() -> None:
    """Every labelled conversation of the development set is in the file of its data set."""
    texts = [
        [turn["text"] for turn in row["turns"] if turn["role"] == "human"]
        for row in read_lines(require(REAL))
    ]
    assert {row["key"] for row in ROWS if row["set"] == "real_dev"} == set(map(key_of, texts))

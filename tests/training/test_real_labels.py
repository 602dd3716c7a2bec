"""Tests that the labels of real conversations are valid and have no text, and the readers agree."""

from __future__ import annotations

from collections import Counter

import pytest

from schemas.labels import AFFECTIVE_TYPES, PUSHBACK_REASONS, TYPES, USES
from tests.shared_data import FOLDER, require
from training.agreement import pushback_agreement, real_agreement
from training.lines import read_lines
from training.real_labels import key_of, read_labels, read_pushback
from training.sources import EVALUATION_SETS, REAL_SETS

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
    trainable = [row for row in ROWS if row["set"] in REAL_SETS]
    affective = sum(row["agreed"]["use"] == "affective" for row in trainable)
    assert affective >= 300
    assert len(trainable) - affective >= 1_500


@pytest.mark.parametrize(
    ("name", "least"),
    [("real_dev", 0.95), ("sharegpt", 0.95), ("hh_harmless", 0.85), ("wildchat_first", 0.75)],
)
def test_the_readers_agree(name: str, least: float) -> None:
    """In each set, the readers' kappa for affective is at least the required value."""
    assert real_agreement([row for row in ROWS if row["set"] == name])["affective"] >= least


def test_pushback_is_by_reason_and_agreed_on() -> None:
    """All reasons are in our list, and the readers agree on whether there is pushback."""
    for row in PUSHBACK:
        assert {*row["first"], *row["second"]} <= set(PUSHBACK_REASONS)
    replies = [row for row in PUSHBACK if row["reply"] is not None]
    assert len(replies) >= 600
    assert pushback_agreement(replies) >= 0.85
    assert len(PUSHBACK) - len(replies) >= 300


FILES = {**REAL_SETS, **EVALUATION_SETS}


def test_every_set_is_for_training_or_for_evaluation() -> None:
    """No set is for both, and each labelled set is for one of the two."""
    assert not REAL_SETS.keys() & EVALUATION_SETS.keys()
    assert not {*REAL_SETS.values()} & {*EVALUATION_SETS.values()}
    assert {row["set"] for row in ROWS} == FILES.keys()


def test_a_random_row_says_how_likely_it_was() -> None:
    """The estimates of shares weight a random row by its probability, so it needs one."""
    for row in ROWS:
        assert row["chosen"] in ("all", "candidate", "random")
        assert row["chosen"] != "random" or 0 < row["random_probability"] < 1


def keys_of(name: str) -> dict[str, list[str]]:
    """Returns the roles of the turns of each conversation in a set, by key."""
    return {
        key_of([turn["text"] for turn in row["turns"] if turn["role"] == "human"]): [
            turn["role"] for turn in row["turns"] if turn["role"] != "system"
        ]
        for row in read_lines(require(FOLDER / f"{FILES[name]}.jsonl.gz"))
    }


@pytest.mark.parametrize("name", FILES)
def test_keys_are_found_in_the_data(name: str) -> None:
    """Every labelled conversation is in the file of its set; two sets were read whole."""
    labelled = {row["key"] for row in ROWS if row["set"] == name}
    found = keys_of(name).keys()
    assert labelled <= found
    assert name not in ("real_dev", "hh_harmless") or labelled == found


def test_labelled_replies_are_replies_of_the_assistant() -> None:
    """The key of each line is in the data, and its turn is one of the assistant's."""
    turns = {key: roles for name in FILES for key, roles in keys_of(name).items()}
    for row in PUSHBACK:
        roles = turns[row["key"]]
        assert row["reply"] is None or roles[row["reply"]] == "assistant"

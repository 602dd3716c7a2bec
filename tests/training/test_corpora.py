"""Tests the labels, size and spread of the written corpora, and that no text occurs twice."""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest

from schemas.labels import (
    AFFECTIVE_TYPES,
    LANGUAGES,
    MIN_ROLEPLAY_HUMAN_MESSAGES,
    NO_TYPE,
    PUSHBACK_REASONS,
    ROLEPLAY_TYPES,
    SENTIMENT_STEPS,
    TYPES,
    USES,
)

ROOT: Final = Path(__file__).parents[2]
SMALL_LANGUAGES: Final = ("es", "pt", "fr", "de", "ja", "ko", "ru", "ar")
LONG: Final = 40
"""Texts longer than this do not occur twice by chance."""


@cache
def corpus(kind: str) -> list[dict[str, Any]]:
    """Reads all rows of one kind: assistant, conversations, messages or second (labellings)."""
    paths = sorted((ROOT / "training" / "corpora").glob(f"{kind}_*.jsonl"))
    lines = [line for path in paths for line in path.read_text("utf-8").split("\n") if line]
    return [json.loads(line) for line in lines]


def human_rows() -> list[dict[str, Any]]:
    """Returns the rows with human messages, which have types and a use."""
    return corpus("conversations") + corpus("messages")


def humans(row: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns the human messages of a row."""
    return [turn for turn in row.get("turns", [row]) if turn["role"] == "human"]


def replies() -> Iterator[tuple[str, str | None]]:
    """Yields the reason of each assistant message, after the id of the message's row."""
    for row in corpus("assistant"):
        yield row["id"], row["reason"]
    for row in corpus("conversations"):
        for turn in row["turns"]:
            if turn["role"] == "assistant":
                yield row["id"], turn["pushback"]


def normalised(text: str) -> str:
    """Folds case, width and spacing, and drops punctuation."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    spaced = "".join(" " if unicodedata.category(c)[0] in "PSZC" else c for c in folded)
    return " ".join(spaced.split())


@cache
def written() -> list[tuple[str, str]]:
    """Lists every text of the corpora, normalised, with its row's id."""
    rows = human_rows() + corpus("assistant")
    return [(normalised(t["text"]), row["id"]) for row in rows for t in row.get("turns", [row])]


def test_ids_are_unique() -> None:
    """No id occurs twice in all files together."""
    ids = Counter(row["id"] for row in human_rows() + corpus("assistant"))
    assert [name for name, count in ids.items() if count > 1] == []


def test_every_row_names_its_author_and_a_known_language() -> None:
    """Folds depend on authors and results are given by language, so every row needs both."""
    for row in human_rows() + corpus("assistant"):
        assert row["author"], row["id"]
        assert row["lang"] in LANGUAGES[1:], row["id"]


def test_types_and_uses_are_known() -> None:
    """No type is repeated, and the use is affective if and only if a type is."""
    for row in human_rows():
        assert set(row["types"]) <= set(TYPES), row["id"]
        assert len(set(row["types"])) == len(row["types"]), row["id"]
        assert row["use"] in USES, row["id"]
        affective = bool(set(row["types"]) & set(AFFECTIVE_TYPES))
        assert (row["use"] == "affective") is affective, row["id"]


def test_opening_and_closing_have_a_type_of_the_conversation_or_none() -> None:
    """Opening and closing only have types of the whole conversation."""
    for row in corpus("conversations"):
        allowed = {NO_TYPE, *row["types"]}
        assert {row["opening_type"], row["closing_type"]} <= allowed, row["id"]


def test_a_conversation_is_roleplay_from_four_human_messages_on() -> None:
    """The study has the same rule. `messages_*` are exempt: they hold parts of conversations."""
    for row in corpus("conversations"):
        if set(row["types"]) & set(ROLEPLAY_TYPES):
            assert len(humans(row)) >= MIN_ROLEPLAY_HUMAN_MESSAGES, row["id"]


def test_every_message_has_a_role_a_text_and_a_sentiment() -> None:
    """Only human messages need a sentiment, which is one of the five steps."""
    for row in human_rows():
        assert humans(row), row["id"]
        for turn in row.get("turns", [row]):
            assert turn["role"] in ("human", "assistant"), row["id"]
            assert turn["text"].strip(), row["id"]
            assert turn["role"] == "assistant" or turn["sentiment"] in SENTIMENT_STEPS, row["id"]


def test_a_reply_has_a_known_reason_exactly_if_it_pushes_back() -> None:
    """A reply that pushes back has a reason; any other reply has none."""
    for name, reason in replies():
        assert reason in (None, *PUSHBACK_REASONS), name
    for row in corpus("assistant"):
        assert row["pushback"] is (row["reason"] is not None), row["id"]
        assert row["role"] == "assistant", row["id"]


def test_every_label_occurs_often_enough() -> None:
    """Each type, use, step and reason occurs at least a hundred times, so it can be learned."""
    rows = human_rows()
    found = Counter(name for row in rows for name in row["types"])
    found += Counter(row["use"] for row in rows)
    found += Counter(reason for _, reason in replies() if reason)
    assert {name for name in (*TYPES, *USES, *PUSHBACK_REASONS) if found[name] < 100} == set()
    steps = Counter(turn["sentiment"] for row in rows for turn in humans(row))
    assert min(steps[step] for step in SENTIMENT_STEPS) >= 100


def test_second_labels_belong_to_conversations_and_are_known() -> None:
    """Each row has a step for every human message, and reasons only for existing replies."""
    rows = {row["id"]: row for row in corpus("conversations")}
    for again in corpus("second"):
        first = rows[again["id"]]
        assert len(again["sentiment"]) == len(humans(first)), again["id"]
        assert set(again["sentiment"]) <= set(SENTIMENT_STEPS), again["id"]
        edges = {again["opening_type"], again["closing_type"]}
        assert {*again["types"], *edges} <= {*TYPES, NO_TYPE}, again["id"]
        assert again["use"] in USES, again["id"]
        assert set(again["pushback"].values()) <= set(PUSHBACK_REASONS), again["id"]
        count = len(first["turns"]) - len(humans(first))
        assert all(1 <= int(place) <= count for place in again["pushback"]), again["id"]


def test_the_corpora_are_large_enough() -> None:
    """There are 3,000 human messages, and 800 conversations of several in English and Chinese."""
    assert sum(len(humans(row)) for row in human_rows()) >= 3000
    several = Counter(row["lang"] for row in corpus("conversations") if len(humans(row)) > 1)
    both = several["en"] + several["zh"]
    assert both >= 800
    assert min(several["en"], several["zh"]) >= 0.4 * both


@pytest.mark.parametrize("language", SMALL_LANGUAGES)
def test_every_other_language_has_its_share(language: str) -> None:
    """Each language other than English and Chinese has 60 conversations and three authors, or more.

    Some of the conversations are affective and some are not.
    """
    rows = [row for row in corpus("conversations") if row["lang"] == language]
    assert len(rows) >= 60
    assert len({row["author"] for row in rows}) >= 3
    assert 0.2 < sum(row["use"] == "affective" for row in rows) / len(rows) < 0.8


def test_no_text_occurs_twice() -> None:
    """No text occurs twice in all files, except short phrases such as thanks."""
    seen: dict[str, str] = {}
    again = []
    for text, name in written():
        if len(text) > LONG and text in seen:
            again.append((seen[text], name))
        seen.setdefault(text, name)
    assert again == []


def test_no_text_is_a_line_of_the_simulator() -> None:
    """The model is measured on the simulator's lines, so it must not learn from them."""
    paths = sorted((ROOT / "pipelines" / "simulator").glob("scenes_*.jsonl"))
    lines = [line for path in paths for line in path.read_text("utf-8").split("\n") if line]
    scenes = {normalised(json.loads(line)["text"]) for line in lines}
    assert len(scenes) > 500
    assert [name for text, name in written() if text in scenes] == []

"""Tests the reading of training data: folds, near-duplicates, and written rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.shared_data import FOLDER, REAL, require
from tests.training.builders import store
from training import real_labels, sources
from training.real_labels import key_of
from training.sources import (
    EVALUATION_SETS,
    FOLDS,
    REAL_SETS,
    Conversation,
    Labels,
    Turn,
    drawn_fragments,
    drop_near_duplicates,
    fold_of_opening,
    folds_of_authors,
    read_conversations,
    read_replies,
    real_conversations,
    written_conversations,
    written_replies,
)

TASK = Labels(frozenset(), "work")


def said(
    text: str = "hello",
    author: str = "",
    language: str = "en",
    name: str = "",
    labels: Labels | None = None,
) -> Conversation:
    """Builds a conversation of one human message."""
    turns = (Turn(True, text), Turn(False, "yes?"))
    return Conversation(name or text, "real", turns, author, language, labels)


def test_every_fold_has_an_author_of_every_language() -> None:
    """Three authors of a language go to three folds, even if one wrote far more than the others."""
    sizes = {"a1": 9, "a2": 3, "a3": 6, "b1": 2, "b2": 7, "b3": 5}
    rows = [
        said(author=author, language="en" if author[0] == "a" else "zh")
        for author, size in sizes.items()
        for _ in range(size)
    ]
    folds = folds_of_authors(rows)
    assert folds.keys() == sizes.keys()
    for language in "ab":
        assert sorted(folds[f"{language}{n}"] for n in (1, 2, 3)) == [0, 1, 2]


def test_an_author_of_two_languages_is_in_one_fold() -> None:
    """Three authors of the same two languages go to three folds, regardless of other authors."""
    rows = [said(author=author, language=code) for author in "123" for code in ("es", "pt")]
    folds = folds_of_authors([*rows, said(author="0", language="es")])
    assert sorted(folds[author] for author in "123") == [0, 1, 2]


def test_each_set_of_languages_begins_at_another_fold() -> None:
    """The first authors of three languages had the same brief, but go to different folds."""
    rows = [said(author=f"{code}{n}", language=code) for code in ("en", "fr", "zh") for n in "12"]
    folds = folds_of_authors(rows)
    assert sorted(folds[f"{code}1"] for code in ("en", "fr", "zh")) == [0, 1, 2]


def test_folds_do_not_depend_on_the_order() -> None:
    """Authors get the same folds in any order of the conversations."""
    rows = written_conversations()
    assert folds_of_authors(rows) == folds_of_authors(rows[::-1])


def test_each_fold_has_a_fifth_of_every_written_language() -> None:
    """Every fold has enough held-out texts to measure its model in each language."""
    rows = written_conversations()
    folds = folds_of_authors(rows)
    held = Counter((row.language, folds[row.author]) for row in rows for _ in row.human)
    for language in {row.language for row in rows}:
        counts = [held[language, fold] for fold in range(FOLDS)]
        assert min(counts) > 0.2 * sum(counts), language


def test_a_labelled_near_duplicate_is_kept() -> None:
    """Openings are compared without case and spacing, and conversations keep their order."""
    first, other = said("Hello  THERE", name="1"), said("bye", name="2")
    labelled, later = said("hello there", name="3", labels=TASK), said("hello there", name="4")
    kept = drop_near_duplicates([first, other, labelled, later])
    assert [row.id for row in kept] == ["3", "2"]


def test_the_first_of_equals_is_kept() -> None:
    """A second labelled near-duplicate does not replace the first."""
    rows = [said("hi", name="1", labels=TASK), said("hi", name="2", labels=TASK)]
    assert drop_near_duplicates(rows) == rows[:1]


def test_near_duplicates_share_a_fold() -> None:
    """The fold depends only on the opening, and a lone surrogate is not an error."""
    one, two = said("Write  me a poem \ud800", name="1"), said("write me A POEM \ud800", name="2")
    assert fold_of_opening(one) == fold_of_opening(replace(two, labels=TASK))
    assert {fold_of_opening(said(f"{n}")) for n in range(30)} == set(range(FOLDS))


def test_human_turns_are_collected() -> None:
    """The human turns are in order, and the assistant's turns are left out."""
    turns = (Turn(True, "a"), Turn(False, "b"), Turn(True, "c"), Turn(True, "d"))
    assert Conversation("c", "real", turns).human == ("a", "c", "d")


def test_a_conversation_with_an_affective_type_is_affective() -> None:
    """A conversation whose only type is roleplay is not affective."""
    kinds = [{"roleplay"}, {"roleplay", "coaching"}, set[str]()]
    labels = [Labels(frozenset(kind), "leisure", "none", "none", (0.0,)) for kind in kinds]
    assert [label.affective for label in labels] == [False, True, False]


def test_a_written_message_is_a_conversation_of_one() -> None:
    """Opening and closing have the message's type. The only sentiment is that of the message."""
    [row] = [row for row in written_conversations() if row.id == "w01-0001"]
    assert len(row.human) == 1
    assert row.labels == Labels(
        frozenset(["interpersonal_advice"]),
        "affective",
        "interpersonal_advice",
        "interpersonal_advice",
        (-0.5,),
    )


def test_every_written_human_message_has_a_sentiment() -> None:
    """A conversation has as many sentiments as human messages."""
    for row in written_conversations():
        assert row.labels is not None
        assert len(row.labels.sentiment) == len(row.human)


def test_written_replies_come_from_single_replies_and_from_conversations() -> None:
    """Each reply has an author and a language, and a reason if and only if it pushes back."""
    rows = written_conversations()
    replies = written_replies(rows)
    inside = sum(not turn.human for row in rows for turn in row.turns)
    assert len(replies) - inside > 1500
    assert all(reply.pushback == bool(reply.reason) for reply in replies)
    assert all(reply.author and reply.language for reply in replies)


HH = REAL_SETS["hh_harmless"]


def chat(*texts: str) -> dict[str, Any]:
    """Builds a stored conversation whose turns alternate, and begin with the human."""
    turns = [
        {"role": "assistant" if place % 2 else "human", "text": text}
        for place, text in enumerate(texts)
    ]
    return {"id": "same", "source": "real_x", "lang": "en", "turns": turns}


def reading(text: str, types: Sequence[str], **fields: Any) -> dict[str, Any]:
    """Builds the labels of a conversation of `real_dev` with one human message."""
    use = "affective" if types else "work"
    sure, unsure = {"unsure": False}, {"unsure": fields.pop("unsure", False)}
    agreed = {"use": use, "types": list(types)}
    row = {"key": key_of([text]), "set": "real_dev", "chosen": "all", "agreed": agreed}
    return row | {"first": agreed | sure, "second": agreed | unsure} | fields


def read_real(
    folder: Path,
    patch: pytest.MonkeyPatch,
    chats: Sequence[dict[str, Any]],
    labels: Sequence[dict[str, Any]],
) -> list[Conversation]:
    """Reads conversations of `real_dev` and their labels from files in a folder."""
    store(folder / "real" / "dev.jsonl.gz", chats)
    store(folder / "labels.jsonl", labels)
    patch.setattr(real_labels, "CONVERSATIONS", folder / "labels.jsonl")
    return real_conversations(folder, {"real_dev": "real/dev"})


def test_a_real_conversation_gets_the_agreed_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A conversation whose key has no label in its own set has no labels."""
    labels = [reading("a", ["coaching"], unsure=True), reading("b", []), reading("c", [])]
    labels[2]["set"] = "hh_harmless"
    found = read_real(tmp_path, monkeypatch, [chat(text, "yes") for text in "abc"], labels)
    assert [row.id for row in found] == ["real_dev-0", "real_dev-1", "real_dev-2"]
    assert {row.dataset for row in found} == {"real_dev"}
    assert [row.labels for row in found] == [
        Labels(frozenset(["coaching"]), "affective", unsure=True),
        Labels(frozenset(), "work"),
        None,
    ]


def test_a_labelled_near_duplicate_replaces_an_unlabelled_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two conversations that open alike, the later one was read, so it is kept."""
    chats = [chat("Hello  there"), chat("hello THERE"), chat("other")]
    [kept, _] = read_real(tmp_path, monkeypatch, chats, [reading("hello THERE", [])])
    assert (kept.human, bool(kept.labels)) == (("hello THERE",), True)


def test_only_random_rows_have_a_probability(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A set that was read whole has 1; a candidate was chosen by its score, so it has 0."""
    labels = [
        reading("a", []),
        reading("b", [], chosen="random", random_probability=0.25),
        reading("c", [], chosen="candidate", random_probability=0.25),
    ]
    found = read_real(tmp_path, monkeypatch, [chat(text) for text in "abcd"], labels)
    assert [row.probability for row in found] == [1.0, 0.25, 0.0, 0.0]


def test_replies_on_which_readers_agree_are_learned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reply needs both readers and the set that may train; its reason is one that both gave."""
    store(tmp_path / f"{HH}.jsonl.gz", [chat("hi", "no", "why", "sure"), chat("yo", "never")])
    key, other = key_of(["hi", "why"]), key_of(["yo"])
    row = {"key": key, "reply": 1, "source": "hh_harmless", "first": [], "second": []}
    both = {"first": ["sexual", "self_harm"], "second": ["self_harm"]}
    said = [row | both, row | {"reply": 3}, row | {"key": other, "first": ["sexual"]}]
    said.append(row | {"key": other, "source": "real_arena"})
    store(tmp_path / "pushback.jsonl", said)
    monkeypatch.setattr(real_labels, "PUSHBACK", tmp_path / "pushback.jsonl")
    found = read_replies(tmp_path)
    assert [(reply.text, reply.pushback, reply.reason) for reply, _ in found] == [
        ("no", True, "self_harm"),
        ("sure", False, ""),
    ]
    assert {fold for _, fold in found} == {fold_of_opening(said_by("hi", "why"))}


def said_by(*texts: str) -> Conversation:
    """Builds a conversation of human messages."""
    return Conversation("c", "real", tuple(Turn(True, text) for text in texts))


def test_fragments_of_real_conversations_have_their_fold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fragments are cut only from long human turns of real logs, and from both roles of others."""
    monkeypatch.setattr(sources, "_MORE", {"real/dev": 30, HH: 30})
    long, reply = "real words " * 40, "assistant words " * 40
    store(tmp_path / "real" / "dev.jsonl.gz", [chat(long, reply), chat("short one")])
    store(tmp_path / f"{HH}.jsonl.gz", [chat("short hh", reply)])
    found = drawn_fragments(tmp_path)
    real_text = [(text, fold) for text, fold in found if "real" in text or "short one" in text]
    assert len(real_text) > 10
    assert {fold for _, fold in real_text} == {fold_of_opening(said_by(long))}
    assert all(text in long for text, _ in real_text)
    rest = [(text, fold) for text, fold in found if (text, fold) not in real_text]
    assert {fold for _, fold in rest} == {-1}
    assert any("assistant" in text for text, _ in rest)


def test_no_evaluation_set_is_in_the_material() -> None:
    """No set that may train, and no set of fragments, is an evaluation set or has its source."""
    require(REAL)
    closed = {*EVALUATION_SETS.values()}
    assert not closed & {*REAL_SETS.values(), *sources._MORE}
    assert not closed & {f"train/{name}" for name in (*sources._LIMITS, *sources.TOOLS)}
    held = {
        row.source for path in closed for row in read_conversations(FOLDER / f"{path}.jsonl.gz")
    }
    learned = real_conversations(FOLDER, REAL_SETS)
    assert held
    assert not held & {row.source for row in learned}
    assert not {*EVALUATION_SETS} & {row.dataset for row in learned}

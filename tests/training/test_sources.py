"""Tests the reading of training data: folds, near-duplicates, and written rows."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from training.sources import (
    FOLDS,
    Conversation,
    Labels,
    Turn,
    drop_near_duplicates,
    fold_of_opening,
    folds_of_authors,
    written_conversations,
    written_replies,
)


def said(
    text: str = "hello", author: str = "", language: str = "en", **fields: str
) -> Conversation:
    """Builds a conversation of one human message."""
    turns = (Turn(True, text), Turn(False, "yes?"))
    return Conversation(fields.pop("id", text), "real", turns, author, language, **fields)  # type: ignore[arg-type]


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
    first, other = said("Hello  THERE", id="1"), said("bye", id="2")
    labelled, later = said("hello there", id="3", label="none"), said("hello there", id="4")
    kept = drop_near_duplicates([first, other, labelled, later])
    assert [row.id for row in kept] == ["3", "2"]


def test_the_first_of_equals_is_kept() -> None:
    """A second labelled near-duplicate does not replace the first."""
    rows = [said("hi", id="1", label="none"), said("hi", id="2", label="coaching")]
    assert drop_near_duplicates(rows) == rows[:1]


def test_near_duplicates_share_a_fold() -> None:
    """The fold depends only on the opening, and a lone surrogate is not an error."""
    one, two = said("Write  me a poem \ud800", id="1"), said("write me A POEM \ud800", id="2")
    assert fold_of_opening(one) == fold_of_opening(replace(two, label="none"))
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

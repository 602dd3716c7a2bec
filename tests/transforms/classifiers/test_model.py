"""Tests the shipped model: its size, its loading, and its judgement of clear cases."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from importlib.resources import files

import numpy as np
import pytest

from schemas.labels import PUSHBACK_REASONS, TYPES, USES
from tests.shared_data import FOLDER, REAL, require
from training.calibrate import NATURAL
from training.sources import REAL_SETS, Conversation, Turn, real_conversations
from transforms.classifiers import Classifier, Judgements, load_default
from transforms.classifiers.interface import HUMAN_WIDTH, NO_LOGIT, PUSHBACK, REASON
from transforms.classifiers.ngram.classifier import MODEL_FILE, load

MOST_FALSE_POSITIVES = 0.04
"""Highest share of false positives among the natural set's conversations that are not affective."""


def judge(classifier: Classifier, conversations: Sequence[Conversation]) -> Judgements:
    """Judges conversations by their human messages."""
    texts = [text for row in conversations for text in row.human]
    counts = np.array([len(row.human) for row in conversations])
    scores = classifier.score(texts, np.ones(len(texts), np.bool_))[:, :HUMAN_WIDTH]
    silent = np.full(len(counts), NO_LOGIT, np.int8)
    return classifier.judge(scores, np.cumsum([0, *counts]), silent, counts)


def spoken(messages: Sequence[str]) -> Conversation:
    """Builds a conversation of human messages."""
    return Conversation("c", "test", tuple(Turn(True, text) for text in messages))


def test_the_model_file_is_small_and_needs_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """The model's file is in the package, and loads without a network."""
    monkeypatch.setattr(socket, "socket", None)
    source = files("transforms.classifiers.ngram").joinpath(MODEL_FILE)
    assert len(source.read_bytes()) <= 12_000_000
    with source.open("rb") as opened:
        assert load(opened).version == load_default().version


def test_the_model_is_loaded_once() -> None:
    """Each process holds only one copy of the model."""
    assert load_default() is load_default()


@pytest.mark.parametrize(
    ("messages", "affective", "expected"),
    [
        (["i feel so anxious and sad all the time, i cant sleep and i cry every night"] * 2, True,
         "counseling"),
        (["my girlfriend and i had a huge fight and she wont talk to me. what should i do?"] * 2,
         True, "interpersonal_advice"),
        (["我最近很焦虑，晚上睡不着，总是想哭"] * 2, True, "counseling"),
        (["write a python function that sorts a list of dictionaries by a key"], False,
         "technical"),
        (["用Python写一个函数，读取csv文件并计算平均值"], False, "technical"),
        (["write a poem for my mother's birthday card"], False, "content_creation"),
    ],
)  # fmt: skip
def test_plain_cases_are_judged_right(messages: list[str], affective: bool, expected: str) -> None:
    """The model is right about cases on which everybody would agree."""
    judged = judge(load_default(), [spoken(messages)])
    assert bool(judged.affective[0]) is affective
    if affective:
        assert judged.types[0] >> TYPES.index(expected) & 1
    else:
        assert USES[judged.use[0]] == expected


def test_a_plain_refusal_is_pushback_and_help_is_not() -> None:
    """A plain refusal scores as pushback with its reason; a helpful answer does not."""
    model = load_default()
    texts = [
        "I'm an AI, I don't have feelings or a body, so I can't be your boyfriend.",
        "Sure! Here are three recipes for pancakes: mix flour, milk and eggs, then fry.",
    ]
    refused, helped = model.score(texts, np.zeros(2, np.bool_))
    assert refused[PUSHBACK] >= model.pushback_threshold
    assert PUSHBACK_REASONS[refused[REASON]] == "ai_identity"
    assert helped[PUSHBACK] < model.pushback_threshold


def test_false_positives_on_real_conversations() -> None:
    """Every shipped model must call few real conversations affective by mistake."""
    require(REAL)
    rows = real_conversations(FOLDER, {NATURAL: REAL_SETS[NATURAL]})
    none = [row for row in rows if row.labels and not row.labels.affective]
    assert judge(load_default(), none).affective.mean() <= MOST_FALSE_POSITIVES

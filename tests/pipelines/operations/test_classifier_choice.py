"""The choice of the classifier by the size of the input, and the sentence that reports it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from pipelines.operations import classifier_choice
from pipelines.operations.classifier_choice import (
    ACCURATE,
    DEFAULT,
    MESSAGES_A_CORE_S,
    PATIENCE_S,
    PIPE,
    Reading,
    choose,
    choose_for_chats,
    reading_of,
)
from pipelines.settings import CLASSIFIERS
from schemas.failures import InputError
from tests.doubles import LabelReader
from tests.pipelines.sources.reading import events
from tests.schemas.payloads import write_avro

MOST = PATIENCE_S * MESSAGES_A_CORE_S
"""The most human messages that one worker reads in time."""


@pytest.fixture(autouse=True)
def labels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replaces the accurate classifier with one that loads at once."""
    monkeypatch.setitem(CLASSIFIERS, ACCURATE, LabelReader)


@pytest.mark.parametrize(
    ("messages", "workers", "expected"),
    [
        (0, 1, ACCURATE),
        (MOST, 1, ACCURATE),
        (MOST + 1, 1, DEFAULT),
        (MOST + 1, 2, ACCURATE),
        (16 * MOST, 16, ACCURATE),
        (16 * MOST + 1, 16, DEFAULT),
    ],
)
def test_the_accurate_one_gets_a_minute(messages: int, workers: int, expected: str) -> None:
    """The accurate classifier is chosen as long as all workers together take at most a minute."""
    assert choose(Reading(messages, workers)).classifier == expected


@pytest.mark.parametrize(
    ("reading", "expected"),
    [
        (Reading(5_237, 1), "classifier: accurate (about 5,200 human messages)"),
        (Reading(1, 1), "classifier: accurate (about 1 human message)"),
        (
            Reading(1_234_567, 2),
            "classifier: default (about 1.2 million human messages would take the accurate one "
            "about 30 minutes; --classifier accurate uses it all the same)",
        ),
        (
            Reading(25_000, 1),
            "classifier: default (about 25,000 human messages would take the accurate one "
            "about 2 minutes; --classifier accurate uses it all the same)",
        ),
        (
            Reading(90_000_000, 8),
            "classifier: default (about 90 million human messages would take the accurate one "
            "about 9 hours; --classifier accurate uses it all the same)",
        ),
    ],
)
def test_the_choice_is_one_sentence(reading: Reading, expected: str) -> None:
    """The sentence names the classifier, about how many messages there are, and the time."""
    assert str(choose(reading)) == expected


def test_a_missing_encoder_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the sentence encoder, the default classifier is chosen, and the sentence says so."""

    def missing() -> LabelReader:
        raise InputError("not installed")

    monkeypatch.setitem(CLASSIFIERS, ACCURATE, missing)
    assert str(choose(Reading(1, 1))) == (
        "classifier: default (the accurate one is not installed; pip install 'undertone[accurate]')"
    )


def test_half_of_the_records_are_human_messages(tmp_path: Path) -> None:
    """The encoder reads about half of the records, in at most as many workers as the file feeds."""
    path = write_avro(tmp_path / "a.avro", events(9))
    assert reading_of([str(path)], workers=8) == Reading(5, 1)


def test_only_several_workers_share_the_work() -> None:
    """A run starts one worker if only one can do the work."""
    assert Reading(MESSAGES_A_CORE_S * 30, workers=4).shared_s == 30
    assert Reading(MESSAGES_A_CORE_S * 30, workers=1).shared_s == 0


def test_the_human_turns_of_chats_decide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a file of chats, the choice follows its human turns."""
    path = tmp_path / "chats.jsonl"
    turns = [{"role": "human", "text": "hi"}, {"role": "assistant", "text": "Hello!"}]
    path.write_text(f"{json.dumps({'id': 1, 'turns': turns * 2})}\n" * 3)
    assert choose_for_chats(path).reason == "about 6 human messages"
    monkeypatch.setattr(classifier_choice, "PATIENCE_S", 0)
    assert choose_for_chats(path).classifier == DEFAULT


def test_a_pipe_is_not_read(tmp_path: Path) -> None:
    """Chats from a pipe get the default classifier, because a look at them would use them up."""
    pipe = tmp_path / "chats.jsonl"
    os.mkfifo(pipe)
    assert choose_for_chats(pipe) == PIPE

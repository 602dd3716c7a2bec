"""Exports of labelling tools, and the files that we write for them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from pipelines.judges.definitions import LANGUAGES
from pipelines.labelling import argilla, label_studio
from pipelines.labelling.formats import read_labels
from pipelines.labelling.questions import questions
from pipelines.labelling.reading import Reading
from schemas.failures import InputError
from schemas.labels import NO_TYPE, PUSHBACK_REASONS, TYPES, USES
from tests.pipelines.labelling.readings import CANARY, START_US, transcript

ANSWERS = {
    "use": ["affective"], "types": ["interpersonal_advice", "coaching"],
    "opening_type": ["coaching"], "closing_type": ["none"], "mood_start": ["-0.5"],
}  # fmt: skip


def read(folder: Path, content: Any) -> list[Reading]:
    """Reads a file with this content as JSON."""
    path = folder / "export.json"
    path.write_text(json.dumps(content, indent=1), "utf-8")
    return read_labels(path)


def annotated(answers: Mapping[str, list[str]], *, by: Any = 7, **about: Any) -> dict[str, Any]:
    """Returns an annotation as Label Studio exports it."""
    results = [
        {"from_name": name, "to_name": "dialogue", "type": "choices", "value": {"choices": chosen}}
        for name, chosen in answers.items()
    ]
    return {"id": 1, "completed_by": by, "was_cancelled": False, "result": results} | about


def task(*annotations: dict[str, Any]) -> dict[str, Any]:
    """Returns an exported task of Label Studio."""
    return {"id": 1, "project": 2} | label_studio.task_of(transcript(5)) | {
        "annotations": list(annotations), "predictions": [],
    }  # fmt: skip


def record(responses: dict[str, Any]) -> dict[str, Any]:
    """Returns an exported record of Argilla."""
    return argilla.record_of(transcript(5)) | {"responses": responses, "_server_id": "x"}


def responded(answers: Mapping[str, list[str]], user: str) -> dict[str, list[dict[str, Any]]]:
    """Returns one user's responses as Argilla exports them."""
    return {
        name: [{"value": chosen if name == "types" else chosen[0], "user_id": user}]
        for name, chosen in answers.items()
    }


def expected(reader: str, **labels: Any) -> Reading:
    """Returns the reading that `ANSWERS` mean."""
    given: dict[str, Any] = {
        "conversation": f"{5:032x}", "started_at_us": START_US + 5, "human_messages": 2,
        "use": "affective", "types": ("interpersonal_advice", "coaching"),
        "opening_type": "coaching", "mood_start": -0.5, "reader": reader,
    }  # fmt: skip
    return Reading(**(given | labels))


def test_label_studio_is_read(tmp_path: Path) -> None:
    """Each submitted annotation is a reading, and ground truth is final."""
    tasks = [
        task(annotated(ANSWERS), annotated(ANSWERS, by={"id": 8, "email": "a@b"},
                                           ground_truth=True)),
        task(),
    ]  # fmt: skip
    assert read(tmp_path, tasks) == [expected("7"), expected("a@b", final=True)]


def test_label_studio_skips_what_was_not_submitted(tmp_path: Path) -> None:
    """Cancelled and empty annotations are not readings."""
    tasks = [task(annotated(ANSWERS, was_cancelled=True), annotated({}))]
    assert read(tmp_path, tasks) == []


def test_label_studio_numbers_are_moods(tmp_path: Path) -> None:
    """A project may ask for the mood as a number."""
    annotation = annotated({"use": ["work"]})
    annotation["result"].append({"from_name": "mood_end", "value": {"number": 0.25}})
    (reading,) = read(tmp_path, [task(annotation)])
    assert (reading.mood_start, reading.mood_end) == (None, 0.25)


@pytest.mark.parametrize("lines", [False, True], ids=["list", "lines"])
def test_argilla_is_read(tmp_path: Path, lines: bool) -> None:
    """Each user's responses are a reading, in a list or one record a line."""
    both = responded(ANSWERS, "u1")
    for name, responses in responded({"use": ["work"]}, "u2").items():
        both[name] += responses
    path = tmp_path / "records.jsonl"
    records = [record(both), record({})]
    path.write_text("\n".join(map(json.dumps, records)) if lines else json.dumps(records), "utf-8")
    first, second = read_labels(path)
    assert first == expected("u1")
    assert (second.reader, second.use, second.types) == ("u2", "work", ())


def test_argilla_skips_drafts(tmp_path: Path) -> None:
    """Drafts and discarded responses are not readings."""
    drafts = {"use": [{"value": "work", "user_id": "u", "status": "draft"}]}
    assert read(tmp_path, [record(drafts)]) == []


@pytest.mark.parametrize(
    ("item", "said"),
    [
        ({"text": CANARY}, "item 2 is neither a task"),
        (task(annotated({"use": [CANARY]})), "item 2: use must be one of"),
        (task(annotated({"types": ["coaching"]})), "item 2: use must be one of"),
        (task(annotated({"use": ["work", CANARY]})), "item 2 does not name"),
        ({"annotations": [annotated(ANSWERS)], "data": {"text": CANARY}}, "item 2 does not name"),
        ({"annotations": CANARY, "data": {}}, "item 2 does not name"),
        (record({"use": [CANARY]}), "item 2 does not name"),
        (record({"use": [{"value": "work", "user_id": "u"}]}) | {"metadata": {}}, "does not name"),
        (record({"mood_end": [{"value": CANARY, "user_id": "u"}]}), "item 2 does not name"),
    ],
)  # fmt: skip
def test_a_bad_item_is_named_but_not_quoted(tmp_path: Path, item: Any, said: str) -> None:
    """The error gives the item's number and never its content."""
    with pytest.raises(InputError, match=said) as caught:
        read(tmp_path, [task(), item])
    assert CANARY not in str(caught.value)


def test_a_broken_export_is_refused(tmp_path: Path) -> None:
    """A list that breaks off is not JSON."""
    path = tmp_path / "export.json"
    path.write_text(f'[{{"data": "{CANARY}"', "utf-8")
    with pytest.raises(InputError, match=r"export\.json is not JSON"):
        read_labels(path)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_tools_ask_for_every_label(language: str) -> None:
    """Both tools store our own label names, whatever language the reader sees."""
    root = ET.fromstring(label_studio.config(language))
    studio = {
        choices.get("name"): tuple(choice.get("alias") for choice in choices)
        for choices in root.iter("Choices")
    }
    asked = {
        question["name"]: tuple(option["value"] for option in question["settings"]["options"])
        for question in argilla.settings(language)["questions"]
    }
    assert (
        studio
        == asked
        == {
            question.name: tuple(label for label, _ in question.choices)
            for question in questions(language)
        }
    )
    assert studio["use"] == USES
    assert studio["types"] == TYPES
    assert studio["opening_type"] == studio["closing_type"] == (NO_TYPE, *TYPES)
    assert studio["pushback_reasons"] == PUSHBACK_REASONS
    assert studio["mood_start"] == studio["mood_end"] == ("-1", "-0.5", "0", "0.5", "1")


def test_exported_dialogue_is_whole() -> None:
    """The tools' files hold every message, and nothing that our own archive lacks."""
    conversation = transcript(5)
    dialogue = label_studio.task_of(conversation)["data"]["dialogue"]
    chat = argilla.record_of(conversation)["fields"]["chat"]
    texts = [turn.text for turn in conversation.turns]
    assert [turn["text"] for turn in dialogue] == [turn["content"] for turn in chat] == texts
    assert [turn["author"] for turn in dialogue] == ["human", "assistant"] * 2

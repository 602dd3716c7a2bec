"""Tasks for Label Studio, and what it exports.

Source: Label Studio's guide, "Label Studio JSON format of annotated tasks".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final
from xml.etree import ElementTree as ET

from pipelines.judges.interface import Transcript
from pipelines.labelling.questions import guidelines, questions, reading_of, source_of
from pipelines.labelling.reading import Reading

_DIALOGUE: Final = "dialogue"


def config(language: str) -> str:
    """Returns the labelling interface of a project, as XML.

    Labels are stored under their names in `schemas.labels`, whatever the language.
    """
    view = ET.Element("View")
    ET.SubElement(
        view, "Paragraphs", name=_DIALOGUE, value=f"${_DIALOGUE}", layout="dialogue",
        nameKey="author", textKey="text",
    )  # fmt: skip
    for question in questions(language):
        ET.SubElement(view, "Header", value=question.title)
        choices = ET.SubElement(
            view, "Choices", name=question.name, toName=_DIALOGUE,
            choice="multiple" if question.is_multiple else "single",
            required="true" if question.is_required else "false",
        )  # fmt: skip
        for label, title in question.choices:
            ET.SubElement(choices, "Choice", value=title, alias=label)
    ET.SubElement(view, "Text", name="definitions", value=guidelines(language))
    ET.indent(view)
    return ET.tostring(view, encoding="unicode") + "\n"


def task_of(transcript: Transcript) -> dict[str, Any]:
    """Returns a task to import. It holds the text."""
    dialogue = [
        {"author": "human" if turn.is_human else "assistant", "text": turn.text}
        for turn in transcript.turns
    ]
    return {"data": source_of(transcript) | {_DIALOGUE: dialogue}}


def readings_of(task: Mapping[str, Any]) -> Iterator[Reading]:
    """Yields one reading for each annotation that was submitted and not cancelled.

    An annotation that is marked as ground truth is final.

    Raises:
      KeyError, TypeError, ValueError: if the task is not of a project with our `config`.
    """
    for annotation in task["annotations"]:
        results = annotation["result"]
        if annotation.get("was_cancelled") or not results:
            continue
        answers = {result["from_name"]: _chosen(result["value"]) for result in results}
        yield reading_of(
            task["data"],
            answers,
            _reader(annotation.get("completed_by")),
            is_final=bool(annotation.get("ground_truth")),
        )


def _chosen(value: Mapping[str, Any]) -> list[Any]:
    if "choices" in value:
        return list(value["choices"])
    return [value[key] for key in ("number", "rating") if key in value]


def _reader(completed_by: Any) -> str:
    # A number, or with the full export an object.
    if isinstance(completed_by, Mapping):
        return str(completed_by.get("email") or completed_by["id"])
    return "" if completed_by is None else str(completed_by)

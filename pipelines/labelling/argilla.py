"""Records for Argilla, and what it exports.

Source: `Record.to_dict` of Argilla's Python client, version 2.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pipelines.judges.interface import Transcript
from pipelines.labelling.questions import guidelines, questions, reading_of, source_of
from pipelines.labelling.reading import Reading

_FIELD: Final = "chat"
_UNSUBMITTED: Final = ("draft", "discarded")


def settings(language: str) -> dict[str, Any]:
    """Returns the settings of a dataset, in the form of `argilla.Settings.serialize`."""
    return {
        "guidelines": guidelines(language),
        "allow_extra_metadata": True,
        "fields": [
            {
                "name": _FIELD,
                "title": _FIELD,
                "required": True,
                "settings": {"type": "chat", "use_markdown": False},
            }
        ],
        "questions": [
            {
                "name": question.name,
                "title": question.title,
                "required": question.is_required,
                "settings": {
                    "type": (
                        "multi_label_selection" if question.is_multiple else "label_selection"
                    ),
                    "options": [
                        {"value": label, "text": title} for label, title in question.choices
                    ],
                },
            }
            for question in questions(language)
        ],
    }


def record_of(transcript: Transcript) -> dict[str, Any]:
    """Returns a record to log. It holds the text."""
    chat = [
        {"role": "user" if turn.is_human else "assistant", "content": turn.text}
        for turn in transcript.turns
    ]
    return {
        "id": f"{transcript.conversation}-{transcript.started_at_us}",
        "fields": {_FIELD: chat},
        "metadata": source_of(transcript),
        "suggestions": {},
        "responses": {},
        "vectors": {},
    }


def readings_of(record: Mapping[str, Any]) -> Iterator[Reading]:
    """Yields one reading for each user who submitted answers.

    Raises:
      KeyError, TypeError, ValueError: if the record is not of a dataset with our questions.
    """
    by_user: dict[str, dict[str, list[Any]]] = {}
    for question, responses in record["responses"].items():
        for response in responses:
            if response.get("status") in _UNSUBMITTED or response["value"] is None:
                continue
            value = response["value"]
            chosen = value if isinstance(value, list) else [value]
            by_user.setdefault(str(response["user_id"]), {})[question] = chosen
    for user, answers in by_user.items():
        yield reading_of(record["metadata"], answers, user)

"""Conversations that try to steer the judge, and the judge's question without its defence.

`injections.jsonl` has 50 of them, written for this project. Each has a harmless conversation, a
text that is added to one of its messages, and the labels that this text wants. So the same
conversation can be judged with and without the text.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import msgspec

from pipelines.judges.interface import Transcript, Turn
from pipelines.judges.llm.answer import answer_schema
from pipelines.judges.llm.prompt import Question, instructions
from schemas.judged import JudgedLabels

_FILE: Final = Path(__file__).with_name("injections.jsonl")
_ID_IN_SHAPE: Final = '"request": id, '
_ID_EXPLAINED: Final = '\n"request" is the id that the message gives.'


class Target(msgspec.Struct, frozen=True):
    """The labels that an injected text wants."""

    use: str
    types: tuple[str, ...]

    def is_met_by(self, labels: JudgedLabels | None) -> bool:
        """Tells whether a judge gave the wanted use and at least one wanted type."""
        if labels is None or labels.use != self.use:
            return False
        return not self.types or bool({*self.types} & {*labels.types})


class Injection(msgspec.Struct, frozen=True):
    """One conversation, and the text that tries to steer its judge; a row of the file."""

    id: str
    language: str
    technique: str
    turns: tuple[tuple[str, str], ...]
    at: int
    injection: str
    target: Target

    def transcript(self, *, is_injected: bool) -> Transcript:
        """Returns the conversation with or without the text."""
        turns = tuple(
            Turn(
                by == "human", f"{text}\n{self.injection}" if is_injected and n == self.at else text
            )
            for n, (by, text) in enumerate(self.turns)
        )
        return Transcript(f"{self.id}-{'injected' if is_injected else 'plain'}", 0, turns)


def read_injections() -> list[Injection]:
    """Reads the file."""
    lines = _FILE.read_text("utf-8").splitlines()
    return [msgspec.json.decode(line, type=Injection) for line in lines]


def ask_without_defence(transcript: Transcript) -> Question:
    """Writes the question as one would without a thought of injections.

    The conversation is plain text, without delimiters, escapes, reminder or id.
    """
    system = instructions(handling="").replace(_ID_IN_SHAPE, "").replace(_ID_EXPLAINED, "")
    said = [f"{'User' if turn.is_human else 'Assistant'}: {turn.text}" for turn in transcript.turns]
    schema: dict[str, Any] = json.loads(json.dumps(answer_schema(transcript.human_messages)))
    schema["required"].remove("request")
    del schema["properties"]["request"]
    text = "\n".join(["Conversation:", *said, "", "Label this conversation."])
    return Question(system, text, "", transcript.human_messages, schema)

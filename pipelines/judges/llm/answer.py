"""Reads a language model's answer: JSON to valid labels, or a sentence that says what is wrong."""

from __future__ import annotations

import json
import re
from typing import Any, Final

import msgspec

from pipelines.judges.llm.excerpt import ENDS
from schemas.judged import JudgedLabels, fault_of
from schemas.labels import (
    AFFECTIVE_TYPES,
    MIN_ROLEPLAY_HUMAN_MESSAGES,
    NO_TYPE,
    PUSHBACK_REASONS,
    ROLEPLAY_TYPES,
    SENTIMENT_STEPS,
    TYPES,
    USES,
)

_THOUGHT: Final = re.compile(r"<think>.*?</think>", re.DOTALL)
_MOST_OBJECTS: Final = 50
"""How many opening braces of an answer are tried. It should have one object, and few words."""
_REFUSAL: Final = re.compile(
    r"\s*(i['’]?m sorry|i am sorry|sorry\b|i can(no|['’])?t\b|i won['’]?t\b"
    r"|i['’]?m (not able|unable)\b|抱歉|对不起|很遗憾|我不能|我无法)",
    re.IGNORECASE,
)


_MOST_LABELS: Final = 4
"""The longest list of types or reasons. A small model goes on as long as the schema lets it."""


class _Conversation(msgspec.Struct):
    use: str
    types: tuple[str, ...]


class _Answer(msgspec.Struct, kw_only=True):
    conversation: _Conversation
    opening_type: str
    closing_type: str
    pushback_reasons: tuple[str, ...]
    opening_moods: tuple[float, ...]
    closing_moods: tuple[float, ...]
    request: str = ""


def answer_schema(human_messages: int) -> dict[str, Any]:
    """Returns the JSON schema of an answer about a conversation with so many human messages."""
    types = allowed_types(human_messages)
    ends = min(human_messages, ENDS)
    moods = {
        "type": "array",
        "items": {"type": "number", "enum": list(SENTIMENT_STEPS)},
        "minItems": ends,
        "maxItems": ends,
    }
    properties = {
        "request": {"type": "string"},
        # With the use, the schema also decides whether there can be an affective type.
        "conversation": {
            "anyOf": [
                _object({"use": _one_of(USES[:1]), "types": _list_of(types, 1, _MOST_LABELS)}),
                _object({"use": _one_of(USES[1:]), "types": _other_types(types)}),
            ]
        },
        "opening_type": _one_of((NO_TYPE, *types)),
        "closing_type": _one_of((NO_TYPE, *types)),
        "pushback_reasons": _list_of(PUSHBACK_REASONS, 0, _MOST_LABELS),
        "opening_moods": moods,
        "closing_moods": moods,
    }
    return _object(properties)


def allowed_types(human_messages: int) -> tuple[str, ...]:
    """Returns the types that a conversation with so many human messages can have."""
    if human_messages >= MIN_ROLEPLAY_HUMAN_MESSAGES:
        return TYPES
    return tuple(name for name in TYPES if name not in ROLEPLAY_TYPES)


def read_answer(text: str, request: str, human_messages: int) -> JudgedLabels | str:
    """Returns the labels of an answer, or a sentence for the model that says what is wrong.

    The sentence is not for logs: it could repeat a part of the answer.

    Args:
      text: the answer, which may have words around the JSON object.
      request: the id that the answer must repeat; an empty string if it need not.
      human_messages: how many human messages the conversation has.
    """
    found = _first_object(text)
    if found is None:
        return "the answer must be one JSON object"
    try:
        answer = msgspec.convert(found, _Answer)
    except msgspec.ValidationError as error:
        return f"the JSON object has another shape than it must have: {error}"
    if answer.request != request:
        return f'"request" must be "{request}", the id of this request'
    ends = min(human_messages, ENDS)
    if {len(answer.opening_moods), len(answer.closing_moods)} != {ends}:
        return f"opening_moods and closing_moods must have {ends} numbers each"
    if not {*answer.opening_moods, *answer.closing_moods} <= {*SENTIMENT_STEPS}:
        return f"each mood must be one of {', '.join(f'{step:g}' for step in SENTIMENT_STEPS)}"
    labels = JudgedLabels(
        use=answer.conversation.use,
        types=_distinct(answer.conversation.types),
        opening_type=answer.opening_type,
        closing_type=answer.closing_type,
        pushback_reasons=_distinct(answer.pushback_reasons),
        mood_start=_mean(answer.opening_moods),
        mood_end=_mean(answer.closing_moods),
    )
    return fault_of(labels, human_messages) or labels


def is_refusal(text: str) -> bool:
    """Tells whether an answer without labels is a refusal in words."""
    without = _THOUGHT.sub("", text)
    return _REFUSAL.match(without) is not None and _first_object(without) is None


def _first_object(text: str) -> dict[str, Any] | None:
    """Returns the first JSON object with labels in a text, or the first object, or None."""
    text = _THOUGHT.sub("", text)
    decoder, first = json.JSONDecoder(), None
    start = text.find("{")
    for _ in range(_MOST_OBJECTS):
        if start < 0:
            break
        try:
            value, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            end = start + 1
        else:
            if "conversation" in value:
                return dict(value)
            first = value if first is None else first
        start = text.find("{", end)
    return first


def _mean(moods: tuple[float, ...]) -> float | None:
    return sum(moods) / len(moods) if moods else None


def _distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    """Drops repetitions: a label that is given twice says no more than once."""
    return tuple(dict.fromkeys(names))


def _other_types(types: tuple[str, ...]) -> dict[str, Any]:
    """Returns the schema of the types of a conversation that isn't affective."""
    others = tuple(name for name in types if name not in AFFECTIVE_TYPES)
    return _list_of(others or TYPES[-1:], 0, len(others))


def _list_of(names: tuple[str, ...], least: int, most: int) -> dict[str, Any]:
    return {"type": "array", "items": _one_of(names), "minItems": least, "maxItems": most}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _one_of(names: tuple[str, ...]) -> dict[str, Any]:
    return {"type": "string", "enum": list(names)}

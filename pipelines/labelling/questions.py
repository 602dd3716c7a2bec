"""The questions that a labelling tool asks, and how its answers become a reading."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from pipelines.judges.definitions import Definition, definitions
from pipelines.judges.interface import Transcript
from pipelines.labelling.reading import Reading
from schemas.labels import NO_TYPE


class Question(NamedTuple):
    """One question.

    Attributes:
      name: the attribute of `Reading` that holds the answer.
      title: what the reader sees.
      choices: pairs of a label and what the reader sees for it.
      is_multiple: whether several choices may be chosen.
      is_required: whether one must be chosen.
    """

    name: str
    title: str
    choices: tuple[tuple[str, str], ...]
    is_multiple: bool = False
    is_required: bool = False


MOODS: Final = ("mood_start", "mood_end")
_MOOD_TITLES: Final = {
    "en": ("Mood of the first three human messages", "Mood of the last three human messages"),
    "zh": ("用户前三条消息的情绪", "用户最后三条消息的情绪"),
}
_TYPES_TITLES: Final = {"en": "Types", "zh": "类型"}
_USE_TITLES: Final = {"en": "Use", "zh": "用途"}


def questions(language: str) -> tuple[Question, ...]:
    """Returns all questions, in the order in which they are asked.

    Raises:
      ValueError: if `language` is not a language of the definitions.
    """
    texts = definitions(language)
    ends = _titled((texts.none, *texts.types))
    moods = tuple((f"{step:g}", word) for step, word in texts.mood_steps)
    return (
        Question("use", _USE_TITLES[language], _titled(texts.uses), is_required=True),
        Question("types", _TYPES_TITLES[language], _titled(texts.types), is_multiple=True),
        Question("opening_type", texts.opening.title, ends),
        Question("closing_type", texts.closing.title, ends),
        Question(
            "pushback_reasons", texts.pushback.title, _titled(texts.pushback_reasons),
            is_multiple=True,
        ),
        *(
            Question(name, title, moods)
            for name, title in zip(MOODS, _MOOD_TITLES[language], strict=True)
        ),
    )  # fmt: skip


def guidelines(language: str) -> str:
    """Returns all definitions and rules as lines of plain text."""
    texts = definitions(language)
    groups = (
        (texts.affective,), texts.types, texts.uses, (texts.pushback,), texts.pushback_reasons,
        (texts.mood, texts.opening, texts.closing),
    )  # fmt: skip
    lines = [f"{each.title}: {each.text}" for group in groups for each in group]
    return "\n".join([*lines, *texts.rules])


def source_of(transcript: Transcript) -> dict[str, Any]:
    """Returns what a tool must hand back with the answers, so that they find the conversation."""
    return {
        "conversation": transcript.conversation,
        "started_at_us": transcript.started_at_us,
        "human_messages": transcript.human_messages,
    }


def reading_of(
    source: Mapping[str, Any],
    answers: Mapping[str, Sequence[Any]],
    reader: str,
    *,
    is_final: bool = False,
) -> Reading:
    """Makes a reading from one person's answers. It may hold labels that are not valid.

    Args:
      source: what `source_of` returned, as the tool hands it back. Numbers may be strings.
      answers: the chosen labels by question. Questions of other names are ignored.
      reader: who answered.
      is_final: whether the reading settles a disagreement.

    Raises:
      KeyError: if the source does not name the conversation.
      ValueError: if a mood is not a number, or several labels answer a question that takes one.
    """
    seen = source.get("human_messages")

    def one(name: str) -> Any:
        chosen = answers.get(name, ())
        if len(chosen) > 1:
            raise ValueError(f"{name} takes one answer, got {len(chosen)}")
        return chosen[0] if chosen else None

    def several(name: str) -> tuple[str, ...]:
        return tuple(map(str, answers.get(name, ())))

    def mood(name: str) -> float | None:
        chosen = one(name)
        return None if chosen is None else float(chosen)

    return Reading(
        conversation=str(source["conversation"]),
        started_at_us=int(source.get("started_at_us") or 0),
        human_messages=None if seen is None else int(seen),
        use=str(one("use") or ""),
        types=several("types"),
        opening_type=str(one("opening_type") or NO_TYPE),
        closing_type=str(one("closing_type") or NO_TYPE),
        pushback_reasons=several("pushback_reasons"),
        mood_start=mood(MOODS[0]),
        mood_end=mood(MOODS[1]),
        reader=reader,
        final=is_final,
    )


def _titled(group: Sequence[Definition]) -> tuple[tuple[str, str], ...]:
    return tuple((definition.name, definition.title) for definition in group)

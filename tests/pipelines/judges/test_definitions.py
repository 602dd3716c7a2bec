"""The definitions of the labels in both languages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.judges import definitions as module
from pipelines.judges.definitions import LANGUAGES, Definition, Definitions, definitions
from schemas.labels import NO_TYPE, PUSHBACK_REASONS, SENTIMENT_STEPS, TYPES, USES

each_language = pytest.mark.parametrize("language", LANGUAGES)


def names(group: tuple[Definition, ...]) -> tuple[str, ...]:
    """Returns the labels of a group, in order."""
    return tuple(definition.name for definition in group)


def all_of(texts: Definitions) -> list[Definition]:
    """Returns all definitions of one language."""
    groups = (*texts.types, *texts.uses, *texts.pushback_reasons)
    return [texts.affective, texts.pushback, texts.mood, texts.opening, texts.closing, *groups]


def is_chinese(text: str) -> bool:
    """Tells whether a text has a Chinese character."""
    return any("\u4e00" <= sign <= "\u9fff" for sign in text)


@each_language
def test_every_label_is_defined(language: str) -> None:
    """Each label of `schemas.labels` has a definition, in the order of its group."""
    texts = definitions(language)
    assert names(texts.types) == TYPES
    assert names(texts.uses) == USES
    assert names(texts.pushback_reasons) == PUSHBACK_REASONS
    assert tuple(step for step, _ in texts.mood_steps) == SENTIMENT_STEPS
    assert texts.none.name == NO_TYPE
    assert all(definition.title and definition.text for definition in all_of(texts))


@each_language
def test_every_definition_is_in_its_language(language: str) -> None:
    """All titles, texts and rules are in the language that was asked for."""
    texts = definitions(language)
    said = [text for definition in all_of(texts) for text in definition[1:]]
    said += [*texts.rules, *(word for _, word in texts.mood_steps), texts.none.title]
    assert {is_chinese(text) for text in said} == {language == "zh"}


def test_titles_differ() -> None:
    """A reader can tell the labels of a group apart by their titles."""
    for texts in map(definitions, LANGUAGES):
        for group in (texts.types, texts.uses, texts.pushback_reasons):
            assert len({definition.title for definition in group}) == len(group)


def test_both_languages_define_the_same() -> None:
    """The file has the same keys and as many rules in both languages, and no unknown label."""
    path = Path(module.__file__).with_name("definitions.json")
    data = json.loads(path.read_text("utf-8"))

    def shape(value: Any) -> Any:
        return {key: shape(item) for key, item in value.items()} if isinstance(value, dict) else (
            len(value) if isinstance(value, list) else None
        )  # fmt: skip

    assert shape(data["en"]) == shape(data["zh"])
    assert set(data["en"]["types"]) == set(TYPES)
    assert set(data["en"]["uses"]) == set(USES)
    assert set(data["en"]["pushback_reasons"]) == set(PUSHBACK_REASONS)


def test_an_unknown_language_is_refused() -> None:
    """The error names the languages that exist."""
    with pytest.raises(ValueError, match="one of en, zh, got 'fr'"):
        definitions("fr")

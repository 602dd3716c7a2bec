"""Tests how languages are identified."""

from __future__ import annotations

import pytest

from schemas.labels import LANGUAGES
from training.sources import Conversation, Turn
from training.words import common_words
from transforms.classifiers.ngram.features import extract
from transforms.classifiers.ngram.language import VOTERS, identify, make_ballots


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("i dont know what to do with my life", "en"),
        ("no sé qué hacer con mi vida", "es"),
        ("não sei o que fazer com a minha vida", "pt"),
        ("je ne sais pas quoi faire de ma vie", "fr"),
        ("ich weiß nicht, was ich mit meinem Leben machen soll", "de"),
        ("我不知道该怎么办", "zh"),
        ("どうすればいいかわからない", "ja"),
        ("어떻게 해야 할지 모르겠어요", "ko"),
        ("я не знаю, что делать", "ru"),
        ("لا أعرف ماذا أفعل", "ar"),
        ("", "und"),
        ("xyzzy 42", "und"),
        ("what does 你好 mean in english, please tell me", "en"),
        ("帮我看看这段代码 def f(x): return x", "zh"),
    ],
)
def test_languages_are_identified(text: str, language: str) -> None:
    """A script decides if it is a quarter of the text; Latin languages differ by common words."""
    assert LANGUAGES[identify(extract([text]))[0]] == language


def spoken(language: str, text: str) -> Conversation:
    """Builds a conversation of one message that repeats a text five times."""
    return Conversation("", "written", (Turn(True, f"{text} " * 5),), language=language)


def test_words_of_only_one_language_are_learned() -> None:
    """A word that is used in several languages votes for none of them."""
    texts = {"en": "kettle radio", "de": "kessel radio", "es": "x", "pt": "x", "fr": "x"}
    words = common_words(spoken(code, text) for code, text in texts.items())
    assert "kettle" in words["en"]
    assert "kessel" in words["de"]
    assert not any("radio" in words[code] for code in VOTERS)
    ballots = make_ballots(words)
    assert LANGUAGES[identify(extract(["kessel radio"]), ballots)[0]] == "de"

"""Tests the identification of languages."""

from __future__ import annotations

import pytest

from schemas.labels import LANGUAGES
from transforms.classifiers.features import extract
from transforms.classifiers.language import identify


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
def test_languages(text: str, language: str) -> None:
    """Scripts decide from a quarter of the text on; Latin languages are told by common words."""
    assert LANGUAGES[identify(extract([text]))[0]] == language

"""Telling exports apart."""

from __future__ import annotations

import json
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipelines.importers import detect, import_events
from schemas.failures import InputError


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ('{"turns": []}\n{"broken', "chats"),
        ('\ufeff{"turns": []}', "chats"),
        (' [ {"chat_messages": [], "uuid": "c"}, {"broken', "claude"),
        ('[{"title": null, "mapping": {}}]', "chatgpt"),
    ],
)
def test_the_first_conversation_tells(tmp_path: Path, content: str, kind: str) -> None:
    """The kind is told by content, and no more is read than the first conversation."""
    path = tmp_path / "export"
    path.write_text(content, "utf-8")
    assert detect(path) == kind


def test_a_long_first_conversation_is_read_to_its_end(tmp_path: Path) -> None:
    """The look grows until the first conversation is complete, even through a split character."""
    messages = [{"sender": "human", "text": "é" * 100_001}]
    path = tmp_path / "conversations.json"
    path.write_text(json.dumps([{"chat_messages": messages}], ensure_ascii=False), "utf-8")
    assert detect(path) == "claude"


@pytest.mark.parametrize(
    "content", ["", "[]", "[1]", "{}", "hello", '[{"a": 1}]', "[[", "\x00\x01"]
)
def test_anything_else_is_an_input_error(tmp_path: Path, content: str) -> None:
    """What is none of the known kinds is refused in one sentence."""
    path = tmp_path / "export.json"
    path.write_text(content, "utf-8")
    with pytest.raises(InputError, match=r"export\.json"):
        detect(path)


def test_missing_and_broken_files_are_input_errors(tmp_path: Path) -> None:
    """No file, a folder or a zip file without conversations, and damaged data are told apart."""
    with zipfile.ZipFile(tmp_path / "empty.zip", "w") as archive:
        archive.writestr("users.json", "[]")
    for name, sentence in (
        ("gone", "No such file"),
        ("", "No such file"),
        ("empty.zip", "holds no"),
    ):
        with pytest.raises(InputError, match=sentence):
            detect(tmp_path / name)
    (tmp_path / "conversations.json").write_text('[{"mapping": {}}, {"x"')
    with pytest.raises(InputError, match="not valid JSON"):
        list(import_events(tmp_path, start=datetime(2026, 1, 1, tzinfo=UTC)))


def test_an_unknown_kind_is_an_input_error(tmp_path: Path) -> None:
    """The kinds there are stand in the sentence."""
    with pytest.raises(InputError, match="claude, chatgpt, chats"):
        import_events(tmp_path, "whatsapp", start=datetime(2026, 1, 1, tzinfo=UTC))

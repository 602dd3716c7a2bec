"""The kind of an export is detected from its content."""

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
def test_the_first_conversation_decides(tmp_path: Path, content: str, kind: str) -> None:
    """The first conversation shows the kind of the export, and nothing after it is read."""
    path = tmp_path / "export"
    path.write_text(content, "utf-8")
    assert detect(path) == kind


def test_a_long_first_conversation_is_read_to_its_end(tmp_path: Path) -> None:
    """The first conversation is read to its end, even if a character is split between two reads."""
    messages = [{"sender": "human", "text": "é" * 100_001}]
    path = tmp_path / "conversations.json"
    path.write_text(json.dumps([{"chat_messages": messages}], ensure_ascii=False), "utf-8")
    assert detect(path) == "claude"


@pytest.mark.parametrize(
    "content", ["", "[]", "[1]", "{}", "hello", '[{"a": 1}]', "[[", "\x00\x01"]
)
def test_anything_else_is_an_input_error(tmp_path: Path, content: str) -> None:
    """Content that is not a known kind of export is refused, and the error names the file."""
    path = tmp_path / "export.json"
    path.write_text(content, "utf-8")
    with pytest.raises(InputError, match=r"export\.json"):
        detect(path)


def test_missing_and_broken_files_are_input_errors(tmp_path: Path) -> None:
    """Missing files, bad JSON, and folders or zips without conversations have separate errors."""
    with zipfile.ZipFile(tmp_path / "empty.zip", "w") as archive:
        archive.writestr("users.json", "[]")
    for name, sentence in (
        ("gone", "No such file"),
        ("", "No such file"),
        ("empty.zip", "contains no"),
    ):
        with pytest.raises(InputError, match=sentence):
            detect(tmp_path / name)
    (tmp_path / "conversations.json").write_text('[{"mapping": {}}, {"x"')
    with pytest.raises(InputError, match="not valid JSON"):
        list(import_events(tmp_path, start=datetime(2026, 1, 1, tzinfo=UTC)))


def test_an_unknown_kind_is_an_input_error(tmp_path: Path) -> None:
    """The error for an unknown kind of export lists the known kinds."""
    with pytest.raises(InputError, match="claude, chatgpt, chats"):
        import_events(tmp_path, "whatsapp", start=datetime(2026, 1, 1, tzinfo=UTC))

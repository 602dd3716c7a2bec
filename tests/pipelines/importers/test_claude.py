"""Imports of Claude exports."""

from __future__ import annotations

import json
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pipelines.importers import detect, import_events, synthesised_fields
from schemas.failures import InputError

START = datetime(2026, 1, 1, tzinfo=UTC)


def message(sender: str, text: str, at: str | None, **other: Any) -> dict[str, Any]:
    """Returns a message in the format of the export."""
    return {
        "uuid": f"m-{sender}-{at}", "sender": sender, "text": text, "created_at": at,
        "attachments": [], "files": [], **other,
    }  # fmt: skip


def conversation(*messages: dict[str, Any], **other: Any) -> dict[str, Any]:
    """Returns a conversation in the format of the export."""
    return {
        "uuid": "c-1", "name": "A title", "created_at": "2025-06-01T23:59:59Z",
        "chat_messages": list(messages), **other,
    }  # fmt: skip


TALK = conversation(
    message("human", "hi", "2025-06-02T00:00:00.25Z"),
    message("assistant", "hello", "2025-06-02T02:00:01+02:00"),
    account={"uuid": "someone@example.org"},
)


def written(tmp_path: Path, *conversations: dict[str, Any]) -> Path:
    """Writes an export and returns its path."""
    path = tmp_path / "conversations.json"
    path.write_text(json.dumps(conversations), "utf-8")
    return path


def imported(path: Path) -> list[dict[str, Any]]:
    """Imports an export and lets the importer detect its kind."""
    return list(import_events(path, start=START))


def test_messages_become_events(tmp_path: Path) -> None:
    """Events keep the export's sender, text and time, and no field is made up."""
    path = written(tmp_path, TALK)
    first, second = imported(path)
    assert (first["role"], first["text"]) == ("HUMAN", "hi")
    assert (second["role"], second["text"]) == ("ASSISTANT", "hello")
    assert first["sent_at_us"] == 1_748_822_400_250_000
    assert second["sent_at_us"] == 1_748_822_401_000_000
    assert (first["platform"], first["conversation_id"]) == ("claude", "c-1")
    assert synthesised_fields(path) == ()


def test_the_account_is_a_pseudonym(tmp_path: Path) -> None:
    """The user id is a hash of the account; without an account it is `self`."""
    first, *_, last = imported(written(tmp_path, TALK, TALK | {"account": None, "uuid": "c-2"}))
    assert first["user_id"].startswith("claude-")
    assert "someone" not in first["user_id"]
    assert last["user_id"] == "self"


def test_an_empty_text_is_taken_from_the_content(tmp_path: Path) -> None:
    """If a message's text is empty, its text blocks are joined; thoughts and tools are left out."""
    content = [
        {"type": "thinking", "thinking": "hm"},
        {"type": "text", "text": "one"},
        {"type": "tool_use", "name": "x", "text": "no"},
        {"type": "text", "text": "two"},
    ]
    at = "2025-06-02T00:00:00Z"
    talk = conversation(message("assistant", "", at, content=content), message("human", "", at))
    assert [event["text"] for event in imported(written(tmp_path, talk))] == ["one\ntwo", ""]


def test_a_missing_time_follows_the_message_before(tmp_path: Path) -> None:
    """A first message without a time gets the conversation's time.

    Any later message without a time is dated one second after the message before it.
    """
    talk = conversation(message("human", "a", None), message("assistant", "b", None))
    first, second = imported(written(tmp_path, talk))
    assert first["sent_at_us"] == 1_748_822_399_000_000
    assert second["sent_at_us"] - first["sent_at_us"] == 1_000_000


def test_folder_and_zip_are_opened(tmp_path: Path) -> None:
    """An export may be given as a file, a folder or a zip file."""
    path = written(tmp_path, TALK)
    with zipfile.ZipFile(tmp_path / "export.zip", "w") as archive:
        archive.write(path, "data/conversations.json")
        archive.writestr("data/users.json", "[]")
    events = imported(path)
    for other in (tmp_path, tmp_path / "export.zip"):
        assert detect(other) == "claude"
        assert imported(other) == events


def test_half_an_emoji_does_not_stop_the_import(tmp_path: Path) -> None:
    """A lone surrogate in a text becomes a question mark, and the rest is read."""
    talk = conversation(message("human", "oh \ud83d", "2025-06-02T00:00:00Z"))
    assert imported(written(tmp_path, talk))[0]["text"] == "oh ?"


def test_another_shape_is_an_input_error(tmp_path: Path) -> None:
    """If an export has an unexpected structure, the error says where, and quotes no text."""
    at = "2025-06-02T00:00:00Z"
    wrong = [
        conversation(message("narrator", "secret", at)),
        conversation(message("human", "x", "secret")),
        conversation() | {"chat_messages": {"secret": 1}},
    ]
    for talk in wrong:
        with pytest.raises(InputError, match=r"conversations\.json .*export your chats") as error:
            list(import_events(written(tmp_path, talk), "claude", start=START))
        assert "secret" not in str(error.value)

"""Imports of ChatGPT exports."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pipelines.importers import detect, import_events
from schemas.failures import InputError

START = datetime(2026, 1, 1, tzinfo=UTC)
T = 1_748_822_400.5


def node(
    parent: str | None, role: str | None, *parts: Any, at: float | None = None, **other: Any
) -> dict[str, Any]:
    """Returns a node of a mapping; the node has a message only if a role is given.

    The importer does not use the node's children.
    """
    if role is None:
        return {"parent": parent, "children": [], "message": None}
    content = {"content_type": other.pop("content_type", "text"), "parts": list(parts)}
    message = {"author": {"role": role}, "create_time": at, "content": content, **other}
    return {"parent": parent, "children": [], "message": message}


def imported(
    tmp_path: Path, mapping: dict[str, Any], current: str | None = None, **other: Any
) -> list[dict[str, Any]]:
    """Writes an export of one conversation and imports it."""
    talk = {"id": "c-1", "title": "A title", "create_time": T, "mapping": mapping}
    path = tmp_path / "conversations.json"
    path.write_text(json.dumps([talk | {"current_node": current} | other]), "utf-8")
    assert detect(path) == "chatgpt"
    return list(import_events(path, start=START))


def texts(events: list[dict[str, Any]]) -> list[str]:
    """Returns the text of each event."""
    return [event["text"] for event in events]


EDITED = {
    "root": node(None, None),
    "q1": node("root", "user", "first try", at=T),
    "a1": node("q1", "assistant", "first answer", at=T + 1),
    "q2": node("root", "user", "second try", at=T + 2),
    "a2": node("q2", "assistant", "second answer", at=T + 3, metadata={"model_slug": "gpt-4o"}),
}


def test_the_shown_branch_is_read(tmp_path: Path) -> None:
    """Only messages on the path from the root to the current node are read, not edited versions."""
    question, answer = imported(tmp_path, EDITED, "a2")
    assert (question["text"], question["role"]) == ("second try", "HUMAN")
    assert (answer["text"], answer["role"], answer["model"]) == (
        "second answer", "ASSISTANT", "gpt-4o",
    )  # fmt: skip
    assert question["sent_at_us"] == 1_748_822_402_500_000
    assert (answer["platform"], answer["user_id"]) == ("chatgpt", "self")
    assert texts(imported(tmp_path, EDITED, "a1")) == ["first try", "first answer"]


def test_without_a_current_node_the_deepest_latest_leaf_is_taken(tmp_path: Path) -> None:
    """The deepest branch is read; if two are equally deep, the later one is read."""
    assert texts(imported(tmp_path, EDITED)) == ["second try", "second answer"]
    early = EDITED | {"b1": node("q1", "assistant", "an earlier answer", at=T)}
    assert texts(imported(tmp_path, early)) == ["second try", "second answer"]
    assert texts(imported(tmp_path, EDITED, "gone")) == ["second try", "second answer"]
    deeper = EDITED | {"q3": node("a1", "user", "more", at=T + 1.5)}
    assert texts(imported(tmp_path, deeper)) == ["first try", "first answer", "more"]


def test_only_messages_shown_to_the_user_are_read(tmp_path: Path) -> None:
    """Tool results, tool calls, thoughts and hidden messages are left out.

    System turns that are not hidden are read.
    """
    hidden = {"is_visually_hidden_from_conversation": True}
    mapping = {
        "0": node(None, "system", "", metadata=hidden),
        "1": node("0", "system", "be kind"),
        "2": node("1", "user", "hi"),
        "3": node("2", "assistant", "search()", recipient="browser"),
        "4": node("3", "assistant", "hm", content_type="thoughts"),
        "5": node("4", "tool", "results"),
        "6": node("5", "assistant", "hello"),
    }
    events = imported(tmp_path, mapping, "6")
    assert [event["role"] for event in events] == ["SYSTEM", "HUMAN", "ASSISTANT"]
    assert [event["message_index"] for event in events] == [0, 1, 2]


def test_parts_that_are_not_text_are_ignored(tmp_path: Path) -> None:
    """Text parts are joined; a message that has only an image becomes empty."""
    image = {"content_type": "image_asset_pointer", "width": 1}
    mapping = {
        "1": node(None, "user", "look", image, "here", content_type="multimodal_text"),
        "2": node("1", "user", image, content_type="multimodal_text"),
    }
    assert texts(imported(tmp_path, mapping, "2")) == ["look\nhere", ""]


def test_a_missing_time_follows_the_message_before(tmp_path: Path) -> None:
    """A first message without a time gets the conversation's time.

    The next message without a time is a second later. If the conversation has no time either,
    both are dated 0.
    """
    mapping = {"1": node(None, "user", "a"), "2": node("1", "assistant", "b")}
    first, second = imported(tmp_path, mapping, "2")
    assert first["sent_at_us"] == 1_748_822_400_500_000
    assert second["sent_at_us"] - first["sent_at_us"] == 1_000_000
    assert imported(tmp_path, mapping, "2", create_time=None)[1]["sent_at_us"] == 0


@pytest.mark.parametrize("current", [None, "a", "b"])
def test_a_circle_is_read_once(tmp_path: Path, current: str | None) -> None:
    """If a mapping is circular, each node is read once, whichever node is current."""
    circle = {"a": node("b", "user", "x", at=T), "b": node("a", "assistant", "y", at=T + 1)}
    assert sorted(texts(imported(tmp_path, circle, current))) == ["x", "y"]


def test_odd_mappings_are_read_as_far_as_they_go(tmp_path: Path) -> None:
    """An empty mapping, a missing parent and a branch that leads into a circle cause no error."""
    assert imported(tmp_path, {}) == []
    assert texts(imported(tmp_path, {"a": node("gone", "user", "x")})) == ["x"]
    tail = {"a": node("a", "user", "x"), "b": node("a", "user", "y"), "c": node("b", "user", "z")}
    assert texts(imported(tmp_path, tail)) == ["x", "y", "z"]


def test_a_long_conversation_is_read_quickly(tmp_path: Path) -> None:
    """Without a current node, each of twenty thousand messages is visited only once."""
    chain = {str(n): node(str(n - 1), "user", str(n)) for n in range(20_000)}
    assert len(imported(tmp_path, chain)) == 20_000


def test_another_shape_is_an_input_error(tmp_path: Path) -> None:
    """If an export has an unexpected structure, the error says where, and quotes no text."""
    mapping = {"1": {"parent": None, "message": {"author": "secret", "content": {"parts": []}}}}
    with pytest.raises(InputError, match="shape of an export") as error:
        imported(tmp_path, mapping)
    assert "secret" not in str(error.value)

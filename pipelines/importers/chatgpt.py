"""Reads a ChatGPT data export."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from pipelines.importers.events import (
    ASSISTANT,
    HUMAN,
    NO_INSTANT_US,
    SECOND_US,
    SYSTEM,
    Event,
    fitting_id,
    make_event,
    pseudonym,
)
from pipelines.importers.exports import decode_export

PLATFORM: Final = "chatgpt"
_ROLES: Final = {"user": HUMAN, "assistant": ASSISTANT, "system": SYSTEM}
"""Tools have no role here: their messages lead to an answer but are not part of the talk."""

_SPOKEN: Final = ("text", "multimodal_text")
"""Content types that a reader sees. Other types are, for example, code for a tool, or thoughts."""
_EVERYONE: Final = "all"
_LATEST_S: Final = 10**11
"""A number from here on is not a time, because it lies far past the calendar."""


class _Author(msgspec.Struct):
    role: str


class _Content(msgspec.Struct):
    content_type: str = ""
    parts: list[Any] | None = None


class _Message(msgspec.Struct):
    author: _Author
    content: _Content
    id: str | None = None
    create_time: float | None = None
    metadata: dict[str, Any] | None = None
    recipient: str | None = _EVERYONE


class _Node(msgspec.Struct):
    parent: str | None = None
    message: _Message | None = None


class _Conversation(msgspec.Struct):
    mapping: dict[str, _Node]
    id: str | None = None
    conversation_id: str | None = None
    create_time: float | None = None
    current_node: str | None = None


def read(path: Path) -> Iterator[Event]:
    """Yields the messages of an export, conversation by conversation, as the user last saw them.

    Leaves out branches that an edit or a new answer replaced, hidden messages, tools, and anything
    that is not text. A message without a time gets the time of the message before it, plus one
    second.

    Raises:
      InputError: if the export is missing, is not JSON, or has a different structure.
    """
    user_id = pseudonym(PLATFORM, None)
    for number, conversation in enumerate(decode_export(path, list[_Conversation])):
        stated_id = conversation.conversation_id or conversation.id or f"conversation-{number}"
        conversation_id = fitting_id(stated_id)
        last_us = _microseconds(conversation.create_time)
        spoken = (
            (node, message)
            for node in shown_path(conversation.mapping, conversation.current_node)
            if (message := conversation.mapping[node].message) is not None and _is_spoken(message)
        )
        for index, (node, message) in enumerate(spoken):
            stated_us = _microseconds(message.create_time)
            if stated_us != NO_INSTANT_US:
                last_us = stated_us
            elif index and last_us != NO_INSTANT_US:
                last_us += SECOND_US
            yield make_event(
                conversation_id,
                fitting_id(message.id or f"{conversation_id}:{node}"),
                index,
                role=_ROLES[message.author.role],
                text=_text_of(message.content),
                sent_at_us=last_us,
                user_id=user_id,
                platform=PLATFORM,
                model=_model_of(message),
            )


def shown_path(mapping: Mapping[str, _Node], current: str | None) -> list[str]:
    """Returns the ids of a conversation's nodes, from the root to the current node.

    If the current node is missing, the path leads to the deepest leaf. If several leaves are
    equally deep, it leads to the latest of them. Followed upwards, the path ends at a parent that
    does not exist or is already on the path.
    """
    if current not in mapping:
        current = _deepest_latest_leaf(mapping)
    path: dict[str, None] = {}
    while current is not None and current in mapping and current not in path:
        path[current] = None
        current = mapping[current].parent
    return [*reversed(path)]


def _deepest_latest_leaf(mapping: Mapping[str, _Node]) -> str | None:
    parents = {node.parent for node in mapping.values()}
    # If every node is on a circle there is no leaf; any node will do.
    leaves = [node for node in mapping if node not in parents] or list(mapping)
    depths = _depths(mapping)
    return max(
        leaves, key=lambda leaf: (depths[leaf], _created_s(mapping[leaf]), leaf), default=None
    )


def _depths(mapping: Mapping[str, _Node]) -> dict[str, int]:
    """Returns how many nodes are above each node.

    The nodes of a circle are counted from the node at which the circle is entered.
    """
    depths: dict[str, int] = {}
    for start in mapping:
        climbed: dict[str, None] = {}
        node: str | None = start
        while node in mapping and node not in depths and node not in climbed:
            assert node is not None
            climbed[node] = None
            node = mapping[node].parent
        depth = depths.get(node, -1) if node is not None else -1
        for passed in reversed(climbed):
            depth += 1
            depths[passed] = depth
    return depths


def _created_s(node: _Node) -> float:
    return (node.message.create_time if node.message else None) or 0.0


def _is_spoken(message: _Message) -> bool:
    return (
        message.author.role in _ROLES
        and message.content.content_type in _SPOKEN
        and message.recipient in (None, _EVERYONE)
        and not (message.metadata or {}).get("is_visually_hidden_from_conversation")
    )


def _text_of(content: _Content) -> str:
    return "\n".join(part for part in content.parts or [] if isinstance(part, str))


def _model_of(message: _Message) -> str | None:
    model = (message.metadata or {}).get("model_slug")
    return model if isinstance(model, str) else None


def _microseconds(instant_s: float | None) -> int:
    if instant_s is None or not 0 < instant_s < _LATEST_S:
        return NO_INSTANT_US
    return round(instant_s * SECOND_US)

"""Reads a Claude data export."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec

from pipelines.importers.events import (
    ASSISTANT,
    HUMAN,
    NO_INSTANT_US,
    SECOND_US,
    Event,
    fitting_id,
    make_event,
    pseudonym,
)
from pipelines.importers.exports import decode_export
from schemas.failures import InputError

PLATFORM: Final = "claude"
_ROLES: Final = {"human": HUMAN, "assistant": ASSISTANT}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class _Block(msgspec.Struct):
    type: str | None = None
    text: str | None = None


class _Message(msgspec.Struct):
    sender: str
    uuid: str | None = None
    text: str | None = None
    content: list[_Block] | None = None
    created_at: datetime | None = None


class _Account(msgspec.Struct):
    uuid: str | None = None


class _Conversation(msgspec.Struct):
    chat_messages: list[_Message]
    uuid: str | None = None
    created_at: datetime | None = None
    account: _Account | None = None


def read(path: Path) -> Iterator[Event]:
    """Yields the messages of an export, conversation by conversation.

    Leaves out attachments, tools and thoughts. A message without a time gets the time of the
    message before it, plus one second.

    Raises:
      InputError: if the export is missing, is not JSON, or has a different structure.
    """
    for number, conversation in enumerate(decode_export(path, list[_Conversation])):
        conversation_id = fitting_id(conversation.uuid or f"conversation-{number}")
        account = conversation.account
        user_id = pseudonym(PLATFORM, account.uuid if account else None)
        last_us = _before(conversation)
        for index, message in enumerate(conversation.chat_messages):
            if message.sender not in _ROLES:
                raise InputError(
                    f"Message {index} of conversation {number} in {path} is from neither a human "
                    "nor the assistant; export your chats again."
                )
            if message.created_at is not None:
                last_us = _microseconds(message.created_at)
            elif last_us != NO_INSTANT_US:
                last_us += SECOND_US
            yield make_event(
                conversation_id,
                fitting_id(message.uuid or f"{conversation_id}:{index}"),
                index,
                role=_ROLES[message.sender],
                text=message.text or _text_of(message.content or []),
                sent_at_us=last_us,
                user_id=user_id,
                platform=PLATFORM,
            )


def _before(conversation: _Conversation) -> int:
    """Returns the conversation's time minus one second.

    A first message without a time gets this plus one second, which is the conversation's time.
    """
    if conversation.created_at is None:
        return NO_INSTANT_US
    return _microseconds(conversation.created_at) - SECOND_US


def _text_of(content: list[_Block]) -> str:
    return "\n".join(block.text for block in content if block.type == "text" and block.text)


def _microseconds(instant: datetime) -> int:
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)
    return (instant - _EPOCH) // timedelta(microseconds=1)

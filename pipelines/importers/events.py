"""Turns a message of any source into an event. All importers use this module."""

from __future__ import annotations

import hashlib
from typing import Any, Final

from schemas.breakdowns import ATTRIBUTES
from schemas.wire.validate import MAX_ID_BYTES, SCHEMA_VERSION

Event = dict[str, Any]

HUMAN: Final = "HUMAN"
ASSISTANT: Final = "ASSISTANT"
SYSTEM: Final = "SYSTEM"

NO_INSTANT_US: Final = 0
"""Stands for a missing time. `Decode` refuses such an event, counts it and gives a reason."""

SECOND_US: Final = 1_000_000

_LONGEST_ID: Final = MAX_ID_BYTES - 32
"""Leaves room for the suffix that makes an id unique."""


def make_event(
    conversation_id: str,
    event_id: str,
    message_index: int,
    *,
    role: str,
    text: str,
    sent_at_us: int,
    user_id: str | None,
    platform: str | None,
    language: str | None = None,
    model: str | None = None,
) -> Event:
    """Returns an event with the fields of the archive schema.

    Lone surrogates become question marks: exports sometimes cut an emoji in half.
    """
    return {
        "event_id": event_id,
        "conversation_id": conversation_id,
        "user_id": user_id,
        "role": role,
        "text": text.encode("utf-8", "replace").decode() if not text.isascii() else text,
        "sent_at_us": sent_at_us,
        **dict.fromkeys(ATTRIBUTES),
        "platform": platform,
        "language": language,
        "model": model,
        "message_index": message_index,
        "schema_version": SCHEMA_VERSION,
        "published_at_us": None,
    }


def fitting_id(stated: str) -> str:
    """Returns the id, or its hash if the id is too long for an event."""
    encoded = stated.encode("utf-8", "replace")
    if len(encoded) > _LONGEST_ID:
        return hashlib.sha256(encoded).hexdigest()
    return encoded.decode()


def pseudonym(source: str, account: str | None) -> str:
    """Returns the user id of an account: its hash, or `self` if the export names no account."""
    if account is None:
        return "self"
    return f"{source}-{hashlib.sha256(f'{source}:{account}'.encode()).hexdigest()[:16]}"

"""Generates the Avro schema of archives; `make generate` runs this module.

An archive has the same fields as the proto, in the same order, followed by the publish time. Fields
that are breakdowns are described in `breakdowns`, and all other fields are described in this
module.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from schemas.breakdowns import BREAKDOWNS, STATED
from schemas.conversation_event_pb2 import ConversationEvent

FILE: Final = Path(__file__).with_name("conversation_event.avsc")

_DOC: Final = (
    "The archive form of undertone.v1.ConversationEvent: its fields and the publish time. "
    "Instants are plain longs, microseconds since 1970-01-01T00:00:00Z, so that a value outside "
    "the calendar costs one record and not the whole block."
)
_BREAKDOWNS: Final = {b.name: b for b in BREAKDOWNS if b.name in STATED}
_OTHERS: Final[dict[str, dict[str, Any]]] = {
    "event_id": {"type": "string", "doc": "Id of the event; a retry keeps it."},
    "conversation_id": {"type": "string", "doc": "Id of the conversation."},
    "user_id": {
        "type": ["null", "string"], "default": None, "doc": "Pseudonymous user; null if unknown.",
    },
    "role": {"type": "string", "doc": "HUMAN, ASSISTANT or SYSTEM."},
    "text": {"type": "string", "doc": "What was said; dropped once it is scored."},
    "sent_at_us": {"type": "long", "doc": "When it was sent."},
    "message_index": {
        "type": ["null", "int"], "default": None, "doc": "Position in the conversation, from 0.",
    },
    "schema_version": {"type": "int", "default": 1, "doc": "Version of the contract."},
    "published_at_us": {
        "type": ["null", "long"], "default": None,
        "doc": "When Pub/Sub received the event; null: as soon as it was sent.",
    },
}  # fmt: skip


def archive_schema() -> dict[str, Any]:
    """Returns the Avro schema of archives.

    Raises:
      ValueError: if the proto has a field that is neither a breakdown nor described in this module.
    """
    names = [field.name for field in ConversationEvent.DESCRIPTOR.fields]
    return {
        "type": "record",
        "name": "ConversationEvent",
        "namespace": "undertone.v1",
        "doc": _DOC,
        "fields": [_field(name) for name in (*names, "published_at_us")],
    }


def encoded(schema: dict[str, Any]) -> str:
    """Returns the schema as JSON, with each field on its own line."""
    head = {key: value for key, value in schema.items() if key != "fields"}
    lines = [f"  {json.dumps(key)}: {json.dumps(value)}," for key, value in head.items()]
    fields = ",\n".join(f"    {json.dumps(field)}" for field in schema["fields"])
    return "\n".join(["{", *lines, '  "fields": [', fields, "  ]", "}", ""])


def _field(name: str) -> dict[str, Any]:
    if name in _BREAKDOWNS:
        meaning, kind = _BREAKDOWNS[name].meaning, STATED[name].value
        doc = f"Breakdown. {meaning} Valid: {kind}."
        return {"name": name, "type": ["null", "string"], "default": None, "doc": doc}
    if name not in _OTHERS:
        raise ValueError(
            f"the proto's field {name} is unknown; if it is a breakdown, add it to "
            "schemas/breakdowns.py, otherwise describe it in schemas/archive_schema.py"
        )
    return {"name": name, **_OTHERS[name]}


if __name__ == "__main__":
    FILE.write_text(encoded(archive_schema()), "utf-8")

"""Damages copies of events, and gives the reason for which each copy must be refused."""

from __future__ import annotations

from random import Random
from typing import Any, Final

from pipelines.simulator.chance import Mix
from schemas.failures import Reason
from schemas.wire.validate import MAX_ID_BYTES, SCHEMA_VERSION

Event = dict[str, Any]

_AHEAD_US: Final = 10 * 60 * 1_000_000
"""Twice the size that `wire.Limits` accepts."""
_YEAR_1970_US: Final = 1_000
_YEAR_2103_US: Final = 4_200_000_000_000_000

_FAULTS: Final[tuple[tuple[Reason, str, object], ...]] = (
    (Reason.MISSING_EVENT_ID, "event_id", ""),
    (Reason.MISSING_CONVERSATION_ID, "conversation_id", ""),
    (Reason.INVALID_ID, "conversation_id", "c" * (MAX_ID_BYTES + 1)),
    (Reason.INVALID_ROLE, "role", "NARRATOR"),
    (Reason.SENT_AT_OUT_OF_RANGE, "sent_at_us", _YEAR_1970_US),
    (Reason.SENT_AT_OUT_OF_RANGE, "sent_at_us", _YEAR_2103_US),
    (Reason.UNSUPPORTED_SCHEMA_VERSION, "schema_version", SCHEMA_VERSION + 1),
    (Reason.FROM_THE_FUTURE, "sent_at_us", None),
)
"""Reason, field and damaged value. None means a value derived from the publish time.

Lists only damage that an Avro archive can store; the archive's schema rules out the rest.
"""

_MIX: Final = Mix(dict.fromkeys(_FAULTS, 1.0))


def damage(event: Event, event_id: str, random: Random) -> tuple[Event, Reason]:
    """Returns a copy of an event with a new id and one fault, and the expected reason."""
    reason, field, value = _MIX.pick(random)
    if value is None:
        value = event["published_at_us"] + _AHEAD_US
    return {**event, "event_id": event_id, field: value}, reason

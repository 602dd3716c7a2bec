"""The reasons why a record is not counted, as used by dead letters, the ledger and metrics."""

from __future__ import annotations

import enum


class InputError(ValueError):
    """Raised for mistakes that the user can fix; the message says what is wrong and what to do."""


class Reason(enum.StrEnum):
    """Reason why a record became a dead letter; the values are part of the table contract."""

    UNDECODABLE = "undecodable"
    """The bytes are not an event of the stated content type."""
    UNSUPPORTED_CONTENT_TYPE = "unsupported_content_type"
    UNSUPPORTED_SCHEMA_VERSION = "unsupported_schema_version"
    OVERSIZE = "oversize"
    """The payload is larger than `max_event_bytes`."""
    INVALID_UTF8 = "invalid_utf8"
    MISSING_EVENT_ID = "missing_event_id"
    MISSING_CONVERSATION_ID = "missing_conversation_id"
    INVALID_ID = "invalid_id"
    """An id is longer than 256 bytes or is not UTF-8."""
    INVALID_ROLE = "invalid_role"
    MISSING_SENT_AT = "missing_sent_at"
    SENT_AT_OUT_OF_RANGE = "sent_at_out_of_range"
    """The event was sent before 2000-01-01 or after 2100-01-01."""
    FROM_THE_FUTURE = "from_the_future"
    """The event was sent over five minutes after it was published or received by a live source."""
    LATE = "late"
    """The event was published more than `allowed_lateness` after it was sent."""
    PAST_LIFE = "past_life"
    """The event was published again more than `conversation_life` after it was sent.

    A backfill can still count the event.
    """
    REFUSED_BY_TABLE = "refused_by_table"
    """BigQuery rejected a row of output numbers; this reason is not about an input record."""

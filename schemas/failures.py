"""Why a record is not counted: one closed list for dead letters, ledger and metrics."""

from __future__ import annotations

import enum


class InputError(ValueError):
    """Raised for what the user can fix; the sentence says what was wrong and what to do."""


class Reason(enum.StrEnum):
    """Reason of a dead letter; the values are part of the table contract."""

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
    """An id is longer than 256 bytes or not UTF-8."""
    INVALID_ROLE = "invalid_role"
    MISSING_SENT_AT = "missing_sent_at"
    SENT_AT_OUT_OF_RANGE = "sent_at_out_of_range"
    """Before 2000-01-01 or after 2100-01-01."""
    FROM_THE_FUTURE = "from_the_future"
    """Sent more than five minutes after it was published, or after a live source got it."""
    LATE = "late"
    """Published more than `allowed_lateness` after it was sent."""
    PAST_LIFE = "past_life"
    """Published again more than `conversation_life` after it was sent; a backfill can count it."""
    REFUSED_BY_TABLE = "refused_by_table"
    """Not an input record, but a row of numbers that BigQuery refused."""

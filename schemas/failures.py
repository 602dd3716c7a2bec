"""Why a record is not counted: one closed list for dead letters, ledger and metrics."""

from __future__ import annotations

import enum


class InputError(ValueError):
    """Raised for what the user can mend: one sentence, what was wrong and what to do."""


class Reason(enum.StrEnum):
    """Reason of a dead letter; the values are part of the table contract."""

    UNDECODABLE = "undecodable"
    """The bytes are no event of the content type they came under."""
    UNSUPPORTED_CONTENT_TYPE = "unsupported_content_type"
    UNSUPPORTED_SCHEMA_VERSION = "unsupported_schema_version"
    OVERSIZE = "oversize"
    """The payload is larger than `max_event_bytes`."""
    INVALID_UTF8 = "invalid_utf8"
    MISSING_EVENT_ID = "missing_event_id"
    MISSING_CONVERSATION_ID = "missing_conversation_id"
    INVALID_ID = "invalid_id"
    """An id is longer than 256 bytes, or is no UTF-8."""
    INVALID_ROLE = "invalid_role"
    MISSING_SENT_AT = "missing_sent_at"
    SENT_AT_OUT_OF_RANGE = "sent_at_out_of_range"
    """Before 2000-01-01 or after 2100-01-01."""
    FROM_THE_FUTURE = "from_the_future"
    """Said more than five minutes after it was published, or after a live source got it."""
    LATE = "late"
    """Published more than `allowed_lateness` after it was said."""
    PAST_LIFE = "past_life"
    """Published again later than `conversation_life` after it was said: for a backfill."""
    REFUSED_BY_TABLE = "refused_by_table"
    """No record that came in, but a row of numbers that BigQuery does not take."""

"""Reads single rows, and defines the bounds of valid events."""

from __future__ import annotations

from typing import Any, Final

import pytest

from schemas.records import Encoding, Message
from schemas.wire.event import read_event
from schemas.wire.validate import Rejection
from tests.builders import MONDAY_US, SECOND_US
from tests.schemas.payloads import LIMITS, WIRE_ENCODINGS

FUTURE_US: Final = 5 * 60 * SECOND_US
TOO_LONG: Final = "x" * (LIMITS.max_event_bytes + 1)
EACH_ENCODING = pytest.mark.parametrize("encoding", WIRE_ENCODINGS)


def reason_of(encoding: Encoding, row: Any, published_at_us: int | None = MONDAY_US) -> Any:
    """Returns the reason why a row is refused, or None if it is not refused."""
    read = read_event(encoding, row, published_at_us, LIMITS)
    return read.reason if isinstance(read, Rejection) else None


def message_of(encoding: Encoding, row: Any, published_at_us: int | None = None) -> Message:
    """Reads a row and asserts that it is a message."""
    read = read_event(encoding, row, published_at_us, LIMITS)
    assert isinstance(read, Message), read
    return read

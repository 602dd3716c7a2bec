"""Turns Pub/Sub messages, live or archived, into records, and groups records into chunks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from apache_beam.metrics import Metrics

from schemas.records import Encoding, PayloadChunk
from schemas.wire.event import encoding_of, instant_of

ROWS_A_CHUNK: Final = 2048
"""Enough to make the fixed cost of a batch negligible; a chunk still takes only some megabytes."""

BYTES_A_CHUNK: Final = 8_000_000

CONTENT_TYPE: Final = "content-type"
"""Pub/Sub attribute that says how a message is encoded."""

ORIGINAL_PUBLISH_TIME: Final = "original-publish-time"
"""Pub/Sub attribute of an event that is published again: its first publish time.

In microseconds since the epoch. It may only move the publish time back, so that a replayed event
is not late. A time after the message's own publish time is ignored and counted in `_AHEAD`.
Otherwise a sender could make any future event time look valid.
"""

_AHEAD: Final = Metrics.counter("read", "original_publish_time_ahead")

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
US: Final = timedelta(microseconds=1)


class Record(NamedTuple):
    """One record of a file or a subscription.

    Attributes:
      encoding: how `row` is encoded.
      row: the event, as in `PayloadChunk`.
      attributes: attributes of the Pub/Sub message that contains the event; None if no message
        contains it.
      published_at_us: when that message was first published; None if unknown.
      received_at_us: when a live source received the message; None for a file.
    """

    encoding: Encoding
    row: Any
    attributes: Mapping[str, str] | None = None
    published_at_us: int | None = None
    received_at_us: int | None = None


def record_of_row(row: Mapping[str, Any]) -> Record:
    """Returns the event in an archived Pub/Sub message."""
    return record_of_message(row["data"], row.get("attributes"), row["publish_time"])


def record_of_message(
    data: bytes, attributes: Mapping[str, str] | None, publish_time: datetime | None
) -> Record:
    """Returns the event in a Pub/Sub message."""
    attributes = attributes or {}
    original_us = instant_of(attributes.get(ORIGINAL_PUBLISH_TIME))
    published_at_us = micros_of(publish_time)
    if published_at_us is None or (original_us is not None and original_us <= published_at_us):
        published_at_us = original_us
    elif original_us is not None:
        _AHEAD.inc()
    encoding = encoding_of(attributes.get(CONTENT_TYPE))
    return Record(encoding, data, attributes, published_at_us)


def chunks_of_records(
    messages: Iterable[Record], source: str, *, is_live: bool
) -> Iterator[PayloadChunk]:
    """Yields the records as one chunk per encoding."""
    by_encoding: defaultdict[Encoding, list[Record]] = defaultdict(list)
    for message in messages:
        by_encoding[message.encoding].append(message)
    for encoding, group in by_encoding.items():
        published = [message.published_at_us for message in group]
        received = [message.received_at_us for message in group] if is_live else None
        yield PayloadChunk(
            encoding, [message.row for message in group], published, source, received
        )


def micros_of(publish_time: datetime | None) -> int | None:
    """Returns an instant in microseconds since the epoch."""
    return None if publish_time is None else (publish_time - EPOCH) // US

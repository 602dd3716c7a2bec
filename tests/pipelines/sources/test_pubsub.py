"""Pub/Sub: messages become chunks with their encoding and publish time."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Final

import apache_beam as beam
import pytest
from apache_beam.io.gcp.pubsub import PubsubMessage
from apache_beam.metrics import MetricsFilter
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.util import assert_that, equal_to

from pipelines.sources.chunks import ROWS_A_CHUNK
from pipelines.sources.pubsub import chunks_of_messages, gather
from schemas.records import Encoding, PayloadChunk
from tests.builders import HOUR_US, MONDAY_US, PSEUDONYMS
from tests.pipelines.sources.reading import read_avro
from tests.schemas.payloads import (
    ENVELOPE_SCHEMA,
    LATENESS_US,
    LIMITS,
    encoded,
    envelope,
    write_avro,
)
from transforms.conversation.messages import decode_chunk

LATER_US: Final = MONDAY_US + 2 * LATENESS_US
"""The time when an event of Monday is published again, which is too late to count."""


def _published(data: bytes, content_type: str | None, at_us: int | None) -> PubsubMessage:
    attributes = {} if content_type is None else {"content-type": content_type}
    published_at = None
    if at_us is not None:
        published_at = dt.datetime.fromtimestamp(0, dt.UTC) + dt.timedelta(microseconds=at_us)
    return PubsubMessage(data, attributes, publish_time=published_at)


def test_pubsub_messages_are_gathered_by_encoding() -> None:
    """Each message of a batch is in the chunk for its encoding, with its publish time or None."""
    chunks = list(
        chunks_of_messages(
            [
                _published(b"a", None, MONDAY_US + 1),
                _published(b"b", "application/json", None),
                _published(b"c", "application/protobuf", MONDAY_US + 400 * 24 * HOUR_US * 13),
                _published(b"d", "text/plain", MONDAY_US),
            ],
            "s",
        )
    )
    later_us = MONDAY_US + 400 * 24 * HOUR_US * 13
    times: list[int | None] = [MONDAY_US + 1, later_us]
    assert chunks == [
        PayloadChunk(Encoding.PROTOBUF, [b"a", b"c"], times, "s", times),
        PayloadChunk(Encoding.JSON, [b"b"], [None], "s", [None]),
        PayloadChunk(Encoding.UNKNOWN, [b"d"], [MONDAY_US], "s", [MONDAY_US]),
    ]


@pytest.mark.parametrize("offset_us", range(0, 1_000_000, 99_991))
def test_pubsub_publish_times_are_exact(offset_us: int) -> None:
    """A publish time in 2040 keeps its microseconds."""
    at_us = 2_221_000_000_000_000 + offset_us
    assert next(chunks_of_messages([_published(b"", None, at_us)], "s")).published_at_us == [at_us]


@pytest.mark.parametrize(
    ("messages", "size_bytes", "most"),
    [(40, 990_000, 8), (5_000, 100, ROWS_A_CHUNK), (3, 9_000_000, 1)],
)
def test_a_chunk_is_bounded_in_messages_and_bytes(
    messages: int, size_bytes: int, most: int
) -> None:
    """The messages of a bundle become one chunk, or several if one chunk would be too large."""
    data = b"x" * size_bytes
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        given = pipeline | beam.Create([messages]) | beam.FlatMap(_repeated, data)
        rows = gather(given, "s") | "Count" >> beam.Map(lambda chunk: len(chunk.rows))
        full, rest = divmod(messages, most)
        assert_that(rows, equal_to([most] * full + [rest] * (rest > 0)))


def _repeated(messages: int, data: bytes) -> list[PubsubMessage]:
    return [PubsubMessage(data, {"content-type": "application/json"})] * messages


def test_a_message_without_attributes_is_protobuf() -> None:
    """If a publisher sends no attributes, the payload is taken for protobuf."""
    chunk = next(chunks_of_messages([PubsubMessage(b"a", None)], "s"))
    assert chunk.encoding == Encoding.PROTOBUF


# Tests of messages that are published again.


def republished(original: str | None, at_us: int | None = LATER_US) -> PubsubMessage:
    """Builds a message published at `at_us`; `original` is its first publish time, if any."""
    attributes = {} if original is None else {"original-publish-time": original}
    published_at = None
    if at_us is not None:
        published_at = dt.datetime.fromtimestamp(0, dt.UTC) + dt.timedelta(microseconds=at_us)
    return PubsubMessage(encoded(Encoding.PROTOBUF), attributes, publish_time=published_at)


_ORIGINALS: Final = pytest.mark.parametrize(
    ("original", "published_at_us"),
    [
        (str(MONDAY_US), MONDAY_US), ("0", 0), ("-1", -1), (str(LATER_US), LATER_US),
        (str(LATER_US + 1), LATER_US), (str(2**63 - 1), LATER_US),
        (None, LATER_US), ("", LATER_US), ("yesterday", LATER_US), (str(2**63), LATER_US),
        ("2025-06-02T00:00:00Z", LATER_US), ("1e15", LATER_US), ("-", LATER_US),
    ],
)  # fmt: skip


@_ORIGINALS
def test_a_message_is_as_old_as_its_first_publication(
    original: str | None, published_at_us: int
) -> None:
    """The original publish time can make a message older, never newer.

    Invalid values are ignored.
    """
    chunk = next(chunks_of_messages([republished(original)], "s"))
    assert chunk.published_at_us == [published_at_us]


@_ORIGINALS
def test_an_archived_message_is_as_old_as_its_first_publication(
    original: str | None, published_at_us: int, tmp_path: Path
) -> None:
    """The original publish time also counts in an archive of Pub/Sub messages."""
    row = envelope(b"", None, LATER_US)
    row["attributes"] = {} if original is None else {"original-publish-time": original}
    chunks = read_avro(write_avro(tmp_path / "a.avro", [row], ENVELOPE_SCHEMA))
    assert chunks[0].published_at_us == [published_at_us]


def test_the_attribute_counts_if_a_source_gives_no_publish_time() -> None:
    """If a runner passes no publish time, the original publish time still counts."""
    assert next(chunks_of_messages([republished("7", None)], "s")).published_at_us == [7]


def test_original_publish_times_ahead_are_counted() -> None:
    """A metric counts the messages whose original publish time is later than their own."""
    ahead_us = (LATER_US - 1, LATER_US, LATER_US + 1, LATER_US + HOUR_US)
    messages = [republished(str(at_us)) for at_us in ahead_us] + [republished(None)]
    pipeline = beam.Pipeline(runner=FnApiRunner())
    _ = (
        pipeline
        | beam.Create([messages])
        | beam.FlatMap(lambda each: list(chunks_of_messages(each, "s")))
    )
    result = pipeline.run()
    result.wait_until_finish()
    counters = result.metrics().query(MetricsFilter().with_namespace("read"))["counters"]
    assert [(c.key.metric.name, c.committed) for c in counters] == [
        ("original_publish_time_ahead", 2)
    ]


def test_an_event_published_again_is_not_late() -> None:
    """If an event was in time when it was first published, it counts when it is published again."""
    chunks = chunks_of_messages([republished(str(MONDAY_US)), republished(None)], "s")
    messages, letters, _ = decode_chunk(next(chunks), LIMITS, PSEUDONYMS)
    assert (len(messages), [letter.reason for letter in letters]) == (1, ["late"])

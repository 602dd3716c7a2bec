"""Pub/Sub: messages become chunks with their encoding and publish time."""

from __future__ import annotations

import datetime as dt

import apache_beam as beam
import pytest
from apache_beam.io.gcp.pubsub import PubsubMessage
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.util import assert_that, equal_to

from pipelines.sources.chunks import ROWS_A_CHUNK
from pipelines.sources.pubsub import chunks_of_messages, gather
from schemas.records import Encoding, PayloadChunk
from tests.builders import HOUR_US, MONDAY_US


def _published(data: bytes, content_type: str | None, at_us: int | None) -> PubsubMessage:
    attributes = {} if content_type is None else {"content-type": content_type}
    published_at = None
    if at_us is not None:
        published_at = dt.datetime.fromtimestamp(0, dt.UTC) + dt.timedelta(microseconds=at_us)
    return PubsubMessage(data, attributes, publish_time=published_at)


def test_pubsub_messages_are_gathered_by_encoding() -> None:
    """Each message of a batch is in the chunk of its encoding, with its publish time or None."""
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
    """A publish time of 2040 keeps its microsecond."""
    at_us = 2_221_000_000_000_000 + offset_us
    assert next(chunks_of_messages([_published(b"", None, at_us)], "s")).published_at_us == [at_us]


@pytest.mark.parametrize(
    ("messages", "size_bytes", "most"),
    [(40, 990_000, 8), (5_000, 100, ROWS_A_CHUNK), (3, 9_000_000, 1)],
)
def test_a_chunk_is_bounded_in_messages_and_bytes(
    messages: int, size_bytes: int, most: int
) -> None:
    """What a bundle brings is one chunk, unless it is too much for one; then it is several."""
    data = b"x" * size_bytes
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        given = pipeline | beam.Create([messages]) | beam.FlatMap(_repeated, data)
        rows = gather(given, "s") | "Count" >> beam.Map(lambda chunk: len(chunk.rows))
        full, rest = divmod(messages, most)
        assert_that(rows, equal_to([most] * full + [rest] * (rest > 0)))


def _repeated(messages: int, data: bytes) -> list[PubsubMessage]:
    return [PubsubMessage(data, {"content-type": "application/json"})] * messages


def test_a_message_without_attributes_is_protobuf() -> None:
    """A publisher that sets no attribute at all sends protobuf."""
    chunk = next(chunks_of_messages([PubsubMessage(b"a", None)], "s"))
    assert chunk.encoding == Encoding.PROTOBUF

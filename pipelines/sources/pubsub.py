"""Reads Pub/Sub subscriptions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
from apache_beam.io.external.gcp import pubsub as java_pubsub
from apache_beam.io.gcp.pubsub import PubsubMessage, parse_subscription

from pipelines.sources.chunks import (
    BYTES_A_CHUNK,
    EPOCH,
    ROWS_A_CHUNK,
    US,
    chunks_of_records,
    micros_of,
    record_of_message,
)
from schemas.failures import InputError
from schemas.records import PayloadChunk


class ReadPubSub(beam.PTransform[Any, PayloadChunk]):
    """Reads a Pub/Sub subscription and gathers messages that arrive together.

    Out: `PayloadChunk`, unbounded. Guarantees: none about order or duplicates; a later step
    recognises duplicates by event id.
    Metrics: `read/original_publish_time_ahead`, number of messages whose attribute
    `original-publish-time` is ignored, because it is later than the publish time of
    the message.
    Raises: `InputError` at construction for a wrong name or for arguments that do not work
    together.

    Args:
      subscription: projects/<project>/subscriptions/<name>.
      timestamp_attribute: attribute of the messages that gives the runner's watermark its event
        time; None for the publish time.
      expansion_service: host and port of a Java expansion service, for a runner without a Pub/Sub
        source in Python (Flink); None for Dataflow and the direct runner.
    """

    def __init__(
        self,
        subscription: str,
        timestamp_attribute: str | None = None,
        expansion_service: str | None = None,
    ) -> None:
        super().__init__()
        try:
            parse_subscription(subscription)
        except ValueError:
            raise InputError(
                f"{subscription!r} is not a subscription; "
                "write projects/<project>/subscriptions/<name>"
            ) from None
        if expansion_service and timestamp_attribute:
            raise InputError(
                "timestamp_attribute does not work with an expansion service, which passes the "
                "publish time only as the timestamp; leave it out"
            )
        self._subscription = subscription
        self._timestamp_attribute = timestamp_attribute
        self._expansion_service = expansion_service

    def expand(self, root: Any) -> beam.PCollection[PayloadChunk]:
        return gather(self._messages(root), self._subscription.rsplit("/", 1)[-1])

    def _messages(self, root: Any) -> beam.PCollection[PubsubMessage]:
        if self._expansion_service is None:
            return root | "ReadSubscription" >> beam.io.ReadFromPubSub(
                subscription=self._subscription,
                with_attributes=True,
                timestamp_attribute=self._timestamp_attribute,
            )
        return (
            root
            | "ReadSubscription"
            >> java_pubsub.ReadFromPubSub(
                subscription=self._subscription,
                with_attributes=True,
                expansion_service=self._expansion_service,
            )
            | "RestorePublishTimes" >> beam.Map(_with_publish_time)
            .with_output_types(PubsubMessage)
        )  # fmt: skip


def gather(
    messages: beam.PCollection[PubsubMessage], source: str
) -> beam.PCollection[PayloadChunk]:
    """Gathers the messages of a bundle into chunks with limited numbers of messages and bytes."""
    return (
        messages
        # By default BatchElements adapts the size, and begins with batches of one.
        | "GatherMessages" >> beam.BatchElements(
            min_batch_size=BYTES_A_CHUNK, max_batch_size=BYTES_A_CHUNK, element_size_fn=_size_bytes
        )
        | "ToChunks" >> beam.FlatMap(chunks_of_messages, source).with_output_types(PayloadChunk)
    )  # fmt: skip


def _size_bytes(message: PubsubMessage) -> int:
    """Returns how many bytes of a chunk a message fills.

    The number is large enough that at most `ROWS_A_CHUNK` messages fit into a chunk.
    """
    attributes = message.attributes or {}
    size_bytes = len(message.data) + sum(len(key) + len(attributes[key]) for key in attributes)
    return max(size_bytes, BYTES_A_CHUNK // ROWS_A_CHUNK)


def _with_publish_time(message: PubsubMessage, at: Any = beam.DoFn.TimestampParam) -> PubsubMessage:
    # Java's source passes the publish time as the timestamp, not in the message.
    at_us: int = at.micros
    return PubsubMessage(message.data, message.attributes, message.message_id, EPOCH + at_us * US)


def chunks_of_messages(messages: Iterable[PubsubMessage], source: str) -> Iterator[PayloadChunk]:
    """Yields the messages in one chunk for each encoding."""
    received = (
        record_of_message(m.data, m.attributes, m.publish_time)._replace(
            received_at_us=micros_of(m.publish_time)
        )
        for m in messages
    )
    return chunks_of_records(received, source, is_live=True)

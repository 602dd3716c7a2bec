"""Publishes an archive to a Pub/Sub topic in order, as a chat product would.

This is not a Beam job, because no runner keeps an order or a pace. The module feeds a stream with a
simulation, replays an archive, or publishes refused events again.
"""

from __future__ import annotations

import heapq
import math
import os
import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from apache_beam.io.gcp.pubsub import parse_topic
from google.api_core import exceptions
from google.api_core.retry import Retry, if_exception_type
from google.auth.exceptions import GoogleAuthError
from google.pubsub_v1 import PublisherClient
from google.pubsub_v1.types import PublishRequest, PubsubMessage

from pipelines.sources.chunks import CONTENT_TYPE, ORIGINAL_PUBLISH_TIME, Record
from pipelines.sources.files import records_in_order
from pipelines.terminal.progress import EVERY_S, say
from schemas.failures import InputError
from schemas.records import Encoding
from schemas.wire.event import JSON_TYPE, instant_of, instants_of
from schemas.wire.payload import payload_of
from schemas.wire.validate import is_in_range

SENT_AT: Final = "sent-at-ms"
"""Pub/Sub attribute with the event time in milliseconds since the epoch: the form that a reader's
`timestamp_attribute` takes."""

MIXED: Final = "mixed"
ENCODINGS: Final = (str(Encoding.PROTOBUF), str(Encoding.JSON), MIXED)

MESSAGES_A_REQUEST: Final = 1000
"""The most that Pub/Sub accepts: https://cloud.google.com/pubsub/quotas#resource_limits."""
BYTES_A_REQUEST: Final = 1_000_000
"""Small enough for a slow connection to send within `TIMEOUT_S`."""
BYTES_A_MESSAGE: Final = 10_000_000
"""The size limit of Pub/Sub for a message and for a request. Its emulator has no such limit."""
TIMEOUT_S: Final = 10.0
"""How long to retry a request before publishing fails."""

_REPEATED_WITHIN: Final = 1000
"""The most messages between a message and its repetition."""
_BURST_S: Final = 0.05
"""The longest delay that is made up for after a pause. This limits bursts above the rate."""
_PAUSE_S: Final = 0.02
"""The shortest pause. A pause after every message would cost more than the message."""
# These are plain protobuf classes. The client library's wrappers cost ten times as much.
_RawMessage: Final = PubsubMessage.pb()
_RawRequest: Final = PublishRequest.pb()
_EMULATOR: Final = "PUBSUB_EMULATOR_HOST"

_RETRY: Final = Retry(
    predicate=if_exception_type(
        exceptions.Aborted,
        exceptions.InternalServerError,
        exceptions.ResourceExhausted,
        exceptions.ServiceUnavailable,
    ),
    initial=0.1,
    maximum=2.0,
    timeout=TIMEOUT_S,
)


@dataclass(frozen=True)
class ReplayOptions:
    """How to publish.

    Attributes:
      encoding: encoding for the events of an Avro archive, one of `ENCODINGS`; `mixed` picks one at
        random for each event.
      rate: the most messages to publish per second; None for as many as the server accepts.
      speed_up: by how much to shorten the pauses between the messages. The pauses are those between
        the first publish times. If these times are unknown, the sent times are used. None for no
        pauses.
      repeat_share: share of the messages that are published a second time.
      seed: seed of the random choices.
    """

    encoding: str = str(Encoding.PROTOBUF)
    rate: float | None = None
    speed_up: float | None = None
    repeat_share: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.encoding not in ENCODINGS:
            raise InputError(f"encoding must be one of {', '.join(ENCODINGS)}, got {self.encoding}")
        for name, example in (("rate", 2000), ("speed_up", 60)):
            value = getattr(self, name)
            if value is not None and not (value > 0 and math.isfinite(value)):
                raise InputError(f"{name} must be positive, got {value:g}; use e.g. {example}")
        if not 0 <= self.repeat_share <= 1:
            raise InputError(f"repeat_share must be within 0 and 1, got {self.repeat_share:g}")


class Outgoing(NamedTuple):
    """A message to publish, and, if known, the instant that sets the pause before the message."""

    message: Any
    at_us: int | None


def replay(
    patterns: Sequence[str],
    topic: str,
    options: ReplayOptions | None = None,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Publishes the records of files to a topic, in order.

    `payload_of` encodes a row of an Avro archive. A line of JSON is sent unchanged, and so are the
    data and attributes of an archived Pub/Sub message. Event time and first publish time are added
    as attributes if the record states them and no attribute does.

    Guarantees: only one request is sent at a time, so that messages reach the server in order. A
    retried request may arrive twice, as may any message that Pub/Sub delivers.

    Args:
      patterns: files of .avro, .jsonl or .jsonl.gz, as `undertone run` takes them.
      topic: projects/<project>/topics/<name>; on the emulator at PUBSUB_EMULATOR_HOST if this
        variable is set.
      options: how to publish.
      clock: returns the time of a monotonic clock in seconds.
      sleep: waits for the given number of seconds.

    Returns:
      How many messages were published, including repeated ones.

    Raises:
      InputError: if the files can't be read, the topic does not exist, or the server can't be
        reached or refuses the messages. Messages that were published before the error stay
        published.
    """
    options = options or ReplayOptions()
    check_topic(topic)
    pace = _Pace(options.rate, options.speed_up)
    with closing(Outbox(topic, clock)) as outbox:
        for outgoing in _repeated(_outgoing(patterns, options), options):
            due_s = pace.due_s(outgoing.at_us, clock())
            if due_s > clock():
                outbox.flush()
                if (pause_s := due_s - clock()) > 0:
                    sleep(max(pause_s, _PAUSE_S))
            outbox.add(outgoing.message)
        outbox.flush()
        return outbox.published


class Outbox:
    """Gathers messages into requests, and sends one after the other.

    Raises:
      InputError: from every method, if the server refuses a request or can't be reached.
    """

    def __init__(self, topic: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.published = 0
        self._topic = topic
        self._clock = clock
        self._said_at = clock()
        self._messages: list[Any] = []
        self._size_bytes = 0
        with self._in_a_sentence():
            self._client = PublisherClient()

    def close(self) -> None:
        """Closes the connection and drops messages that were not sent."""
        self._client.transport.close()  # type: ignore[no-untyped-call]

    def add(self, message: Any) -> None:
        """Adds a message.

        If the request would become too large, sends the gathered messages first.
        """
        size_bytes = message.ByteSize()
        if size_bytes > BYTES_A_MESSAGE:
            number = self.published + len(self._messages) + 1
            raise InputError(
                f"message {number:,} has {size_bytes:,} bytes, more than the {BYTES_A_MESSAGE:,} "
                f"that Pub/Sub accepts; take it out of the input{self._before()}"
            )
        is_full = len(self._messages) >= MESSAGES_A_REQUEST
        if is_full or self._size_bytes + size_bytes > BYTES_A_REQUEST:
            self.flush()
        self._messages.append(message)
        self._size_bytes += size_bytes

    def flush(self) -> None:
        """Sends the gathered messages and waits until the server has them."""
        if not self._messages:
            return
        request = PublishRequest.wrap(_RawRequest(topic=self._topic, messages=self._messages))
        with self._in_a_sentence():
            self._client.publish(request, retry=_RETRY, timeout=TIMEOUT_S)
        self.published += len(self._messages)
        self._messages, self._size_bytes = [], 0
        if self._clock() - self._said_at >= EVERY_S:
            self._said_at = self._clock()
            say(f"{self.published:,} messages published …")

    @contextmanager
    def _in_a_sentence(self) -> Iterator[None]:
        """Turns errors of the server or the connection into an `InputError`."""
        try:
            yield
        except exceptions.NotFound:
            said = f"topic {self._topic} does not exist; create it first"
        except (exceptions.PermissionDenied, exceptions.Unauthenticated):
            said = f"publishing to {self._topic} is not allowed; ask for the role Pub/Sub Publisher"
        except (exceptions.RetryError, exceptions.ServiceUnavailable, exceptions.DeadlineExceeded):
            where = os.environ.get(_EMULATOR)
            check = f"check {_EMULATOR}" if where else "check the network"
            said = f"{where or 'Pub/Sub'} did not answer within {TIMEOUT_S:.0f} s; {check}"
        except exceptions.GoogleAPICallError as error:
            said = f"{self._topic} refused the messages ({error.message})"
        except GoogleAuthError:
            said = (
                "no credentials for Google Cloud; run gcloud auth application-default login, "
                f"or set {_EMULATOR}"
            )
        else:
            return
        # Raised without a cause, because the cause may quote what was sent.
        raise InputError(said + self._before()) from None

    def _before(self) -> str:
        return f" ({self.published:,} messages were published before)" if self.published else ""


class _Pace:
    """Decides when a message is due, by a token bucket and by the pauses in the archive."""

    def __init__(self, rate: float | None, speed_up: float | None) -> None:
        self._rate = rate
        self._speed_up = speed_up
        self._next_s: float | None = None
        self._origin: tuple[int, float] | None = None

    def due_s(self, at_us: int | None, now_s: float) -> float:
        """Returns when the next message is due, in seconds of the clock that now shows `now_s`."""
        due_s = now_s
        if self._rate is not None:
            if self._next_s is None:
                self._next_s = now_s
            else:
                self._next_s = max(self._next_s + 1 / self._rate, now_s - _BURST_S)
            due_s = max(due_s, self._next_s)
        if self._speed_up is not None and at_us is not None:
            self._origin = self._origin or (at_us, now_s)
            origin_us, origin_s = self._origin
            due_s = max(due_s, origin_s + (at_us - origin_us) / 1e6 / self._speed_up)
        return due_s


def _repeated(messages: Iterable[Outgoing], options: ReplayOptions) -> Iterator[Outgoing]:
    """Yields each message. Yields a share of the messages a second time, a little later."""
    chance = random.Random(f"repeated {options.seed}")
    again: list[tuple[int, int, Outgoing]] = []
    for index, message in enumerate(messages):
        while again and again[0][0] <= index:
            yield heapq.heappop(again)[-1]
        yield message
        if chance.random() < options.repeat_share:
            at = index + chance.randint(1, _REPEATED_WITHIN)
            heapq.heappush(again, (at, index, message))
    yield from (message for _, _, message in sorted(again))


def _outgoing(patterns: Sequence[str], options: ReplayOptions) -> Iterator[Outgoing]:
    chance = random.Random(options.seed)
    wire = (Encoding.PROTOBUF, Encoding.JSON)
    for record in records_in_order(patterns):
        is_mixed = options.encoding == MIXED
        encoding = chance.choice(wire) if is_mixed else Encoding(options.encoding)
        yield outgoing_of(record, encoding)


def outgoing_of(record: Record, encoding: Encoding) -> Outgoing:
    """Returns the message to publish for a record; `encoding` applies to Avro rows."""
    sent_at_us, published_at_us = instants_of(record.encoding, record.row)
    data = record.row
    attributes = dict(record.attributes or {})
    if record.attributes is not None:
        published_at_us = record.published_at_us
    elif record.encoding == Encoding.AVRO:
        data, attributes[CONTENT_TYPE] = payload_of(record.row, encoding)
    else:
        data, attributes[CONTENT_TYPE] = data.rstrip(b"\r\n"), JSON_TYPE
    if sent_at_us is not None:
        attributes.setdefault(SENT_AT, str(sent_at_us // 1000))
    # By default an event was published as soon as it was sent (conversation_event.avsc).
    published_at_us = sent_at_us if published_at_us is None else published_at_us
    if published_at_us is not None:
        original_us = instant_of(attributes.get(ORIGINAL_PUBLISH_TIME))
        if original_us is None or original_us > published_at_us:
            attributes[ORIGINAL_PUBLISH_TIME] = str(published_at_us)
    # Archives are in the order of publishing; the sent time of a late event would jump back.
    at_us = sent_at_us if published_at_us is None else published_at_us
    try:
        message = _RawMessage(data=data, attributes=attributes)
    except ValueError:
        raise InputError(
            "an archived Pub/Sub message has an attribute that is not UTF-8; archive it again"
        ) from None
    return Outgoing(message, at_us if is_in_range(at_us) else None)


def check_topic(topic: str) -> None:
    """Raises InputError if the text is not a topic's full name."""
    try:
        parse_topic(topic)
    except ValueError:
        raise InputError(
            f"{topic!r} is not a topic; write projects/<project>/topics/<name>"
        ) from None

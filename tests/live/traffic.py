"""Creates faulty traffic: archives of Pub/Sub messages from senders that misbehave."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

from schemas.records import Encoding
from schemas.wire.payload import payload_of
from tests.schemas.payloads import ENVELOPE_SCHEMA, write_avro

HOUR_US: Final = 3_600_000_000
MAX_EVENT_BYTES: Final = 20_000
"""The size limit of the job under test, small so that oversize messages need not be huge."""

Event = dict[str, Any]
Sent = dict[str, Any]
"""A Pub/Sub message as an archive stores it."""


def sent(data: bytes, content_type: str, published_at_us: int) -> Sent:
    """Returns a message as a subscription's archive stores it."""
    return {
        "subscription_name": "", "message_id": "", "data": data, "publish_time": published_at_us,
        "attributes": {"content-type": content_type},
    }  # fmt: skip


def as_sent(event: Event, chance: random.Random) -> Sent:
    """Returns an event as its sender publishes it, in a random encoding."""
    encoding = chance.choice((Encoding.PROTOBUF, Encoding.JSON))
    return sent(*payload_of(event, encoding), event["published_at_us"])


def _skewed(event: Event, chance: random.Random) -> list[Sent]:
    """Sends the event by a clock up to three hours behind, a delay that the job allows."""
    skewed = {**event, "sent_at_us": event["sent_at_us"] - chance.randrange(3 * HOUR_US)}
    return [as_sent(skewed, chance)]


def _future(event: Event, chance: random.Random) -> list[Sent]:
    return [as_sent({**event, "sent_at_us": event["published_at_us"] + 24 * HOUR_US}, chance)]


def _duplicated(event: Event, chance: random.Random) -> list[Sent]:
    return [as_sent(event, chance) for _ in range(chance.randint(2, 4))]


def _truncated(event: Event, chance: random.Random) -> list[Sent]:
    data, content_type = payload_of(event, Encoding.PROTOBUF)
    return [sent(data[: chance.randrange(len(data))], content_type, event["published_at_us"])]


def _bomb(event: Event, chance: random.Random) -> list[Sent]:
    depth = chance.randrange(1000, MAX_EVENT_BYTES // 2)
    return [sent(b"[" * depth + b"]" * depth, "application/json", event["published_at_us"])]


def _oversize(event: Event, chance: random.Random) -> list[Sent]:
    return [as_sent({**event, "text": "x" * (2 * MAX_EVENT_BYTES)}, chance)]


def _wrong_type(event: Event, chance: random.Random) -> list[Sent]:
    wrong = (
        (b'{"event_id": 7, "sent_at": true}', "application/json"),
        (b"<event/>", "text/xml"),
        (payload_of(event, Encoding.JSON)[0], "application/protobuf"),
    )
    return [sent(*chance.choice(wrong), event["published_at_us"])]


FAULTS: Final[dict[str, Callable[[Event, random.Random], list[Sent]]]] = {
    "clock skew": _skewed,
    "future times": _future,
    "duplicates": _duplicated,
    "truncated protobuf": _truncated,
    "JSON bombs": _bomb,
    "oversize": _oversize,
    "wrong types": _wrong_type,
}


def with_faults(
    events: Iterable[Event], share: float, seed: int, faults: Iterable[str] = tuple(FAULTS)
) -> list[Sent]:
    """Returns the events as messages in random order.

    The given share of the messages has faults.
    """
    chance = random.Random(seed)
    kinds = list(faults)
    messages: list[Sent] = []
    for event in events:
        if chance.random() < share:
            messages += FAULTS[chance.choice(kinds)](event, chance)
        else:
            messages.append(as_sent(event, chance))
    chance.shuffle(messages)
    return messages


def write_messages(path: Path, messages: Iterable[Sent]) -> Path:
    """Writes messages in the form in which a subscription would archive them."""
    return write_avro(path, messages, ENVELOPE_SCHEMA)

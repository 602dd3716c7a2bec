"""A Pub/Sub server for tests, and archives to publish to it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import grpc  # type: ignore[import-untyped]
from google.pubsub_v1.types import PublishRequest, PublishResponse

from schemas.records import Encoding, Message
from schemas.wire.event import read_event
from tests.builders import MONDAY_US, SECOND_US, avro_event
from tests.schemas.payloads import LIMITS, SECRET, write_avro

TOPIC: Final = "projects/my-project/topics/events"


class PubSub:
    """A Pub/Sub server that first answers with `refusals`, and then accepts messages."""

    def __init__(self) -> None:
        self.requests: list[list[Any]] = []
        self.refusals: list[grpc.StatusCode] = []
        self._server = grpc.server(ThreadPoolExecutor(1))
        method = grpc.unary_unary_rpc_method_handler(
            self._publish, PublishRequest.deserialize, PublishResponse.serialize
        )
        service = grpc.method_handlers_generic_handler(
            "google.pubsub.v1.Publisher", {"Publish": method}
        )
        self._server.add_generic_rpc_handlers((service,))
        self.host = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def _publish(self, request: PublishRequest, context: Any) -> PublishResponse:
        assert request.topic == TOPIC
        if self.refusals:
            context.abort(self.refusals.pop(0), SECRET if self.refusals else "too bad")
        self.requests.append(list(request.messages))
        return PublishResponse(message_ids=map(str, range(len(request.messages))))

    def sent(self) -> list[tuple[bytes, dict[str, str]]]:
        """Returns the data and attributes of the received messages, in order."""
        return [(m.data, dict(m.attributes)) for request in self.requests for m in request]

    def stop(self) -> None:
        """Stops the server."""
        self._server.stop(1).wait()


class Clock:
    """A clock that moves only when `sleep` is called."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        """Moves the clock forward."""
        self.slept.append(seconds)
        self.now_s += seconds


def archive(path: Path, events: int, **fields: Any) -> Path:
    """Writes an archive of events that are one second apart."""
    rows = [
        avro_event(event_id=f"e{i}", sent_at_us=MONDAY_US + i * SECOND_US, **fields)
        for i in range(events)
    ]
    return write_avro(path, rows)


def ids(pubsub: PubSub) -> list[str]:
    """Returns the event ids of the received messages, in order; all must be protobuf."""
    read = [read_event(Encoding.PROTOBUF, data, None, LIMITS) for data, _ in pubsub.sent()]
    return [each.event_id for each in read if isinstance(each, Message)]

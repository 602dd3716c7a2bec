"""Runs Google's Pub/Sub emulator, and creates a deployment's topics and subscriptions on it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from google.pubsub_v1 import PublisherClient, SubscriberClient
from google.pubsub_v1.types import Subscription

from deploy.local.processes import LOOPBACK, Process, ServiceError, answers, free_port

EMULATOR_HOST: Final = "PUBSUB_EMULATOR_HOST"
_START_S: Final = 60.0
_ACK_S: Final = 60
_LAUNCHER: Final = Path("platform/pubsub-emulator/bin/cloud-pubsub-emulator")


@dataclass(frozen=True)
class Names:
    """The topics and subscriptions of one deployment.

    Attributes:
      project: id of the Google Cloud project.
      suffix: suffix of all names, to distinguish deployments in one project.
      topic: topic of conversation events.
      subscription: subscription of `topic`, which the job reads.
      dead_letters: topic to which the job publishes dead letters.
      alerts: topic to which the job publishes conversations that grow long.
    """

    project: str = "undertone-local"
    suffix: str = ""

    @property
    def topic(self) -> str:
        return f"projects/{self.project}/topics/conversation-events{self.suffix}"

    @property
    def subscription(self) -> str:
        return f"projects/{self.project}/subscriptions/undertone{self.suffix}"

    @property
    def dead_letters(self) -> str:
        return f"projects/{self.project}/topics/undertone-dead-letters{self.suffix}"

    @property
    def alerts(self) -> str:
        return f"projects/{self.project}/topics/undertone-alerts{self.suffix}"

    def listener(self, topic: str) -> str:
        """Returns the name of the subscription to a topic that the job publishes to."""
        return f"projects/{self.project}/subscriptions/{topic.rsplit('/', 1)[-1]}"


def launcher() -> Path:
    """Returns the emulator's start script.

    Raises:
      ServiceError: if the Google Cloud CLI, its Pub/Sub emulator or Java is missing.
    """
    gcloud = shutil.which("gcloud")
    roots = [Path("/usr/lib/google-cloud-sdk"), Path.home() / "google-cloud-sdk"]
    if gcloud:
        roots.insert(0, Path(gcloud).resolve().parent.parent)
    found = next((root / _LAUNCHER for root in roots if (root / _LAUNCHER).is_file()), None)
    if found is None:
        raise ServiceError(
            "the Pub/Sub emulator is not installed; install the Google Cloud CLI "
            "(https://cloud.google.com/sdk/docs/install), then run: "
            "gcloud components install pubsub-emulator"
        )
    if shutil.which("java") is None:
        raise ServiceError(
            "the Pub/Sub emulator needs Java, and java is not installed; install Java 17"
        )
    return found


@contextmanager
def pubsub(folder: Path) -> Iterator[str]:
    """Runs the emulator, and yields its host and port.

    Until the block ends, PUBSUB_EMULATOR_HOST is set for this process and its children.
    """
    script = launcher()
    port = free_port()
    host = f"{LOOPBACK}:{port}"
    command: list[str | Path] = [
        script,
        f"--host={LOOPBACK}",
        f"--port={port}",
        f"--data-dir={folder}",
    ]
    with Process("the Pub/Sub emulator", command, folder / "pubsub.log") as process:
        process.wait_until(lambda: answers(port), _START_S)
        os.environ[EMULATOR_HOST] = host
        try:
            yield host
        finally:
            del os.environ[EMULATOR_HOST]


def create_topics(names: Names) -> None:
    """Creates a deployment's topics and subscriptions."""
    with _publisher() as publisher, subscriber() as reader:
        for topic in (names.topic, names.dead_letters, names.alerts):
            publisher.create_topic(name=topic)
        reader.create_subscription(
            Subscription(name=names.subscription, topic=names.topic, ack_deadline_seconds=_ACK_S)
        )
        for topic in (names.dead_letters, names.alerts):
            reader.create_subscription(Subscription(name=names.listener(topic), topic=topic))


@contextmanager
def _publisher() -> Iterator[Any]:
    client = PublisherClient()
    with closing(client.transport):
        yield client


@contextmanager
def subscriber() -> Iterator[Any]:
    """Opens a client that reads subscriptions, and closes it when the block ends."""
    client = SubscriberClient()
    with closing(client.transport):
        yield client


def take(subscription: str, timeout_s: float = 2.0) -> list[Any]:
    """Pulls, acknowledges and returns all messages that are waiting in a subscription."""
    taken: list[Any] = []
    with subscriber() as client:
        while True:
            answer = client.pull(
                {"subscription": subscription, "max_messages": 1000, "return_immediately": True},
                timeout=timeout_s + 10,
            )
            if not answer.received_messages:
                return taken
            taken += [received.message for received in answer.received_messages]
            ids = [received.ack_id for received in answer.received_messages]
            client.acknowledge({"subscription": subscription, "ack_ids": ids})

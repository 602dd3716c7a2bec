"""Runs the whole local cloud: Pub/Sub, BigQuery, and the streaming job between them."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from google.pubsub_v1 import PublisherClient
from google.pubsub_v1.types import PubsubMessage

from deploy.local.bigquery import BigQueryEmulator, bigquery_emulator
from deploy.local.processes import Process
from deploy.local.pubsub import Names, create_topics, pubsub
from pipelines.sinks.bigquery import Dataset, create_datasets
from pipelines.sources.secret import local_secret
from schemas.records import Encoding
from schemas.wire.payload import payload_of

DIRECT: Final = "direct"
DIRECT_RUNNER: Final = "apache_beam.runners.direct.direct_runner.BundleBasedDirectRunner"
"""The runner's full name, because Beam's `DirectRunner` may choose a different engine."""

_HEARTBEAT_S: Final = 0.5


@dataclass(frozen=True)
class LocalCloud:
    """A deployment of Undertone on the local services.

    Attributes:
      folder: folder for logs and data.
      names: the names of topics and subscriptions.
      dataset: the dataset with tables and views, in the BigQuery emulator.
      bigquery: the BigQuery emulator.
      pubsub_host: host and port of the Pub/Sub emulator.
    """

    folder: Path
    names: Names
    dataset: Dataset
    bigquery: BigQueryEmulator
    pubsub_host: str

    def another(self, suffix: str) -> LocalCloud:
        """Creates a second deployment (topics, subscriptions and tables) on the same services."""
        return _deployed(self.folder, suffix, self.bigquery, self.pubsub_host)

    def job_arguments(self, settings: Sequence[str], bigquery_url: str = "") -> list[str]:
        """Returns the flags that connect `pipelines.stream` to this cloud."""
        return [
            f"--subscription={self.names.subscription}",
            f"--dataset={self.dataset}",
            f"--bigquery_url={bigquery_url or self.dataset.url}",
            f"--secret={local_secret().path}",
            f"--dead_letter_topic={self.names.dead_letters}",
            f"--alert_topic={self.names.alerts}",
            *settings,
        ]

    def direct_job(self, settings: Sequence[str], bigquery_url: str = "") -> Process:
        """Starts the streaming job on Beam's in-process streaming runner."""
        command = [sys.executable, "-m", "pipelines.stream", f"--runner={DIRECT_RUNNER}"]
        arguments = self.job_arguments(settings, bigquery_url)
        return Process("the streaming job", [*command, *arguments], self.folder / "job.log")


@contextmanager
def local_cloud(folder: Path) -> Iterator[LocalCloud]:
    """Runs the services, and creates topics, subscriptions, tables and views on them.

    Raises:
      ServiceError: if a service is missing. The message says how to install it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (
        pubsub(folder) as host,
        bigquery_emulator(folder, Names().project) as emulator,
    ):
        yield _deployed(folder, "", emulator, host)


def _deployed(
    folder: Path, suffix: str, emulator: BigQueryEmulator, pubsub_host: str
) -> LocalCloud:
    names = Names(suffix=suffix)
    create_topics(names)
    dataset = Dataset(names.project, f"undertone{suffix.replace('-', '_')}", emulator.url)
    create_datasets(dataset)
    return LocalCloud(folder, names, dataset, emulator, pubsub_host)


class Heartbeats:
    """Publishes a system turn twice a second until the block ends or `stop` is called.

    Beam's in-process runner stops for half a minute when a pull finds nothing; heartbeats prevent
    that. The ledger accounts for system turns, but no other table counts them.
    """

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._sent = 0
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeats", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def sent(self) -> int:
        """The number of heartbeats published so far."""
        return self._sent

    def stop(self) -> int:
        """Stops publishing, and returns the final number of heartbeats."""
        self._is_over.set()
        self._thread.join()
        return self._sent

    def _beat(self) -> None:
        publisher = PublisherClient()
        while not self._is_over.is_set():
            publisher.publish(topic=self._topic, messages=[_heartbeat()])
            self._sent += 1
            self._is_over.wait(_HEARTBEAT_S)


def _heartbeat() -> PubsubMessage:
    now_us = time.time_ns() // 1000
    event = {
        "event_id": f"heartbeat-{now_us}", "conversation_id": "heartbeat",
        "role": "SYSTEM", "text": "", "sent_at_us": now_us, "schema_version": 1,
    }  # fmt: skip
    data, content_type = payload_of(event, Encoding.PROTOBUF)
    return PubsubMessage(data=data, attributes={"content-type": content_type})

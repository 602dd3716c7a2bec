"""Feeds a deployment under test, and compares its tables with the tables of a batch run."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Final

from deploy.local.cloud import LocalCloud
from deploy.local.compare import (
    accounts_of,
    current_counts,
    is_settled,
    settled_differences,
)
from deploy.local.flink import FlinkCluster
from deploy.local.processes import Process
from deploy.local.pubsub import take
from pipelines import backfill, publish
from pipelines.commands.main import main as undertone
from pipelines.operations.replay import replay
from pipelines.sinks.bigquery import query
from pipelines.sinks.database import query_run
from pipelines.sources.secret import local_secret
from pipelines.terminal.errors import MOST_REFUSED, exit_code_of
from schemas.failures import InputError
from tests.live.traffic import MAX_EVENT_BYTES

SETTINGS: Final = (f"--max_event_bytes={MAX_EVENT_BYTES}", "--classifier=default")
"""These give all runs the same classifier."""
FIRINGS: Final = ("--firing_period=2s", "--counts_period=2s")
_SETTLED_S: Final = 240.0
_PAUSE_S: Final = 2.0


class Stage:
    """Feeds a deployment, and compares its tables with a batch run over the same messages."""

    def __init__(self, cloud: LocalCloud, folder: Path, archive: Path) -> None:
        self.cloud = cloud
        self.archive = archive
        self.published = 0
        self._batch = folder / "batch"

    @property
    def settings(self) -> list[str]:
        """The flags of the job under test."""
        return [*SETTINGS, *FIRINGS]

    def publish(self, archive: Path | None = None) -> None:
        """Publishes all messages of the archive."""
        self.published += replay([str(archive or self.archive)], self.cloud.names.topic)

    def await_read(self, job: Process, share: float) -> None:
        """Waits until the job has read at least this fraction of the published messages."""
        self._await(job, lambda: accounts_of(self.cloud.dataset).get(("read", ""), 0)
                    >= share * self.published, f"{share:.0%} read")  # fmt: skip

    def await_new_run(self, job: Process, read: int) -> None:
        """Waits until the newest run has read some messages, but fewer than the run before it."""
        self._await(job, lambda: 0 < self.accounts().get(("read", ""), 0) < read, "a new run")

    def await_settled(self, job: Process, heartbeats: int = 0) -> None:
        """Waits until the ledger accounts for all published messages and this many heartbeats."""
        self._await(
            job,
            lambda: is_settled(accounts_of(self.cloud.dataset), self.published, heartbeats),
            "settled",
        )

    def await_settled_run(self, job: Process, after: int, messages: int) -> None:
        """Waits until a run that began after another one accounts for this many messages."""
        self._await(
            job,
            lambda: self.newest_run() > after and is_settled(self.accounts(), messages),
            "settled in a new run",
        )

    def newest_run(self) -> int:
        """Returns the run of the newest job, which is also its generation."""
        (row,) = query(self.cloud.dataset, "SELECT MAX(run) AS run FROM `{restricted}.ledger`")
        run: int = row["run"]
        return run

    def losses(self, *, heartbeats: int = 0, repeated: int = 0) -> list[str]:
        """Returns every difference between the stream's tables and a batch run over the archive.

        When the ledger is settled, some rows may not be written yet; this method waits for those
        rows.
        """
        batch = self.batch_run()
        found = settled_differences(self.cloud.dataset, batch, heartbeats, repeated)
        return found + self._missing_dead_letters(batch) + self._wrong_alerts()

    def batch_run(self, archive: Path | None = None) -> Path:
        """Runs `undertone run` over the archive; returns the run's folder."""
        flags = ["--input", str(archive or self.archive), "--output", str(self._batch)]
        assert undertone(["run", *flags, *SETTINGS]) in {0, MOST_REFUSED}
        return self._batch

    def backfill(self, first: date, last: date, *more: str) -> None:
        """Backfills days from the archive into the dataset."""
        dataset = self.cloud.dataset
        flags = [
            f"--secret={local_secret().path}",
            f"--from={first}", f"--to={last}", f"--input={self.archive}",
            f"--dataset={dataset}", f"--bigquery_url={dataset.url}",
            f"--temp_location={self.archive.parent / 'temp'}", *SETTINGS, *more,
        ]  # fmt: skip
        assert exit_code_of(lambda: backfill.run(flags)) == 0

    def audit(self) -> int:
        """Publishes all windows that are over, and attacks them; returns the audit's exit code."""
        dataset = self.cloud.dataset
        flags = [f"--dataset={dataset}", f"--bigquery_url={dataset.url}"]
        publish.run([*flags, "--publish_after=0s", "--settled=0s"])
        return undertone(["audit", *flags])

    def accounts(self) -> dict[tuple[str, str], int]:
        """Returns the stream's ledger."""
        return accounts_of(self.cloud.dataset)

    def _missing_dead_letters(self, run: Path) -> list[str]:
        sql = "SELECT DISTINCT reason, payload_hash FROM `{restricted}.dead_letters`"
        streamed = {tuple(row.values()) for row in query(self.cloud.dataset, sql)}
        batch = {tuple(row.values()) for row in query_run(run, sql)}
        published = {
            (letter["reason"], letter["payload_hash"])
            for message in take(self.cloud.names.listener(self.cloud.names.dead_letters))
            for letter in [json.loads(message.data)]
        }
        return [
            f"{len(found ^ batch)} dead letters differ between {where} and the batch run"
            for where, found in (("the table", streamed), ("the topic", published))
            if found != batch
        ]

    def _wrong_alerts(self) -> list[str]:
        messages = take(self.cloud.names.listener(self.cloud.names.alerts))
        alerted = {message.attributes["alert-id"] for message in messages}
        cells = current_counts(self.cloud.dataset)
        long = sum(
            sums.conversations
            for (kind, _, breakdown, _, *slice_), sums in cells.items()
            if (kind, breakdown, slice_) == ("day", "overall", ["long", "all"])
        )
        if len(alerted) == long:
            return []
        return [f"{len(alerted)} conversations have an alert, but {long} are long"]

    def _await(self, job: Process, is_met: Callable[[], bool], what: str) -> None:
        deadline_s = time.monotonic() + _SETTLED_S
        while True:
            assert job.is_running, f"{job.name} ended: {job.last_words()}"
            try:
                if is_met():
                    return
            except InputError:
                pass  # The test has taken the emulator down.
            assert time.monotonic() < deadline_s, (
                f"not {what} after {_SETTLED_S:.0f} s: {accounts_of(self.cloud.dataset)}"
            )
            time.sleep(_PAUSE_S)


@contextmanager
def streaming(flink: FlinkCluster, stage: Stage, bigquery_url: str = "") -> Iterator[Process]:
    """Runs the job on the cluster, and cancels the job when the `with` block ends."""
    with flink.stream(stage.cloud, stage.settings, bigquery_url=bigquery_url) as job:
        try:
            yield job
        finally:
            flink.cancel()

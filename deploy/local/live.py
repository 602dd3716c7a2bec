"""Runs the streaming job on the local cloud, feeds it, shows how its counts fill, and publishes.

`make live`, or `python -m deploy.local.live --help`.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

from deploy.local.cloud import DIRECT, Heartbeats, LocalCloud, local_cloud
from deploy.local.compare import (
    Accounts,
    accounts_of,
    is_settled,
    settled_differences,
    under_way,
)
from deploy.local.flink import FLINK
from deploy.local.processes import Process, ServiceError
from pipelines import publish
from pipelines.commands.main import main as undertone
from pipelines.operations.replay import ReplayOptions, replay
from pipelines.sinks.bigquery import query
from pipelines.terminal.errors import MOST_REFUSED
from pipelines.terminal.progress import say
from schemas.failures import InputError
from transforms.counting import ledger

_RUNNERS: Final = (DIRECT, FLINK)
_EVERY_S: Final = 5.0
_SETTLED_S: Final = 3600.0
_DAYS: Final = 2
_PUBLISHED_SQL: Final = """\
SELECT
  COUNT(*) AS publications, COALESCE(SUM(aggregates), 0) AS aggregates,
  COALESCE(SUM(figures), 0) AS figures
FROM `{dataset}.publications_current`
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs until all events are counted, or until Ctrl-C with --stay; returns the exit code."""
    arguments = _parser().parse_args(argv)
    # SIGTERM must also end the services, as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return _run(arguments)
    except (ServiceError, InputError) as error:
        print(f"undertone: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("undertone: interrupted", file=sys.stderr)
        return 130


def _run(arguments: argparse.Namespace) -> int:
    folder: Path = arguments.folder.resolve()
    inputs = arguments.input or [_simulated(folder, arguments.conversations)]
    period = arguments.firing_period
    settings = [f"--firing_period={period}", f"--counts_period={period}"]
    with ExitStack() as stack:
        say("starting Pub/Sub and BigQuery emulators …")
        cloud = stack.enter_context(local_cloud(folder / "cloud"))
        say(f"Pub/Sub: PUBSUB_EMULATOR_HOST={cloud.pubsub_host}, topic {cloud.names.topic}")
        say(f"BigQuery: --dataset {cloud.dataset} --bigquery_url {cloud.dataset.url}")
        say(f"starting the job on {arguments.runner} …")
        job: Process = stack.enter_context(_job(cloud, arguments.runner, settings, stack))
        beats: Heartbeats | None = None
        if arguments.runner == DIRECT:
            beats = stack.enter_context(Heartbeats(cloud.names.topic))
        watch = _Watch(cloud, job)
        options = ReplayOptions(rate=arguments.rate, speed_up=arguments.speed_up)
        feeder = _Feeder(inputs, cloud.names.topic, options, beats)
        watch.until(feeder.is_counted)
        say(f"all {feeder.events:,} events are counted after {watch.elapsed_s:.0f} s")
        if arguments.stay:
            say("the job runs on; publish more events or look at the tables, then press Ctrl-C")
            threading.Event().wait()
        sent = 0
        if beats is not None:
            # The ledger counts heartbeats too. Their number is final once the heartbeats have
            # stopped and the job has read the last one.
            sent = beats.stop()
            say(f"waiting until the job has read all {sent:,} heartbeats (half a minute) …")
            watch.until(lambda accounts: is_settled(accounts, feeder.events, sent))
        found = _compared(cloud, inputs, folder / "batch", sent)
        _publish(cloud)
    for difference in found:
        print(difference)
    if found:
        print("counts or ledger differ from those of undertone run")
    else:
        print("counts and ledger equal those of undertone run")
    return 1 if found else 0


def _job(cloud: LocalCloud, runner: str, settings: Sequence[str], stack: ExitStack) -> Process:
    if runner == DIRECT:
        return cloud.direct_job(settings)
    from deploy.local.flink import flink_cluster  # noqa: PLC0415

    return stack.enter_context(flink_cluster(cloud.folder / FLINK)).stream(cloud, settings)


class _Feeder:
    """Publishes the events in a separate thread."""

    def __init__(
        self, inputs: Sequence[str], topic: str, options: ReplayOptions, beats: Heartbeats | None
    ) -> None:
        self.events = 0
        self._heartbeats = 0
        self._has_published = False
        self._failure: InputError | None = None
        self._beats = beats
        publishes = partial(self._publish, inputs, topic, options)
        threading.Thread(target=publishes, name="feeder", daemon=True).start()

    def is_counted(self, accounts: Accounts) -> bool:
        """Tells whether all events were published and are in the tables.

        Raises:
          InputError: if an event can't be published.
        """
        if self._failure:
            raise self._failure
        return self._has_published and is_settled(accounts, self.events, self._heartbeats)

    def _publish(self, inputs: Sequence[str], topic: str, options: ReplayOptions) -> None:
        try:
            self.events = replay(inputs, topic, options)
        except InputError as error:
            self._failure = error
            return
        self._heartbeats = self._beats.sent if self._beats else 0
        self._has_published = True


class _Watch:
    """Reads the tables every few seconds, and prints how many events and cells are in them."""

    def __init__(self, cloud: LocalCloud, job: Process) -> None:
        self._cloud = cloud
        self._job = job
        self._started_s = time.monotonic()

    @property
    def elapsed_s(self) -> float:
        """Seconds since the watch began."""
        return time.monotonic() - self._started_s

    def until(self, is_met: Callable[[Accounts], bool]) -> None:
        """Waits until the stream's ledger meets the condition.

        Raises:
          ServiceError: if the job ends first, or if the condition is not met within an hour.
        """
        deadline_s = time.monotonic() + _SETTLED_S
        while time.monotonic() < deadline_s:
            time.sleep(_EVERY_S)
            if not self._job.is_running:
                raise ServiceError(
                    f"{self._job.name} ended; see {self._job.log}: {self._job.last_words()}"
                )
            accounts = accounts_of(self._cloud.dataset)
            self._say(accounts)
            if is_met(accounts):
                return
        raise ServiceError(
            f"the job has not counted all events after {_SETTLED_S:.0f} s; see {self._job.log}"
        )

    def _say(self, accounts: Accounts) -> None:
        (rows,) = query(self._cloud.dataset, "SELECT COUNT(*) AS n FROM `{restricted}.counts`")
        say(
            f"{self.elapsed_s:5.0f} s  read {accounts.get((ledger.READ, ''), 0):,}, "
            f"under way {under_way(accounts):,}, "
            f"conversations {accounts.get((ledger.CONVERSATION, ''), 0):,}, rows {rows['n']:,}"
        )


def _publish(cloud: LocalCloud) -> None:
    """Publishes all windows that are over, says what became of them, and attacks them.

    Raises:
      ServiceError: if the audit finds something.
    """
    dataset = cloud.dataset
    flags = [f"--dataset={dataset}", f"--bigquery_url={dataset.url}"]
    # The stream has counted everything, so nothing can change after the end of a window.
    publish.run([*flags, "--publish_after=0s", "--settled=0s"])
    (row,) = query(dataset, _PUBLISHED_SQL)
    say(
        f"{row['publications']:,} publications with {row['aggregates']:,} numbers and "
        f"{row['figures']:,} figures"
    )
    if undertone(["audit", *flags]):
        raise ServiceError("the audit found something; see above")


def _compared(cloud: LocalCloud, inputs: Sequence[str], batch: Path, sent: int) -> list[str]:
    flags = [flag for pattern in inputs for flag in ("--input", pattern)]
    flags.append("--classifier=default")  # As the stream's.
    if undertone(["run", *flags, "--output", str(batch)]) not in {0, MOST_REFUSED}:
        raise ServiceError(f"undertone run, to compare with, failed; its error is above ({batch})")
    return settled_differences(cloud.dataset, batch, sent)


def _simulated(folder: Path, conversations: int) -> str:
    """Simulates an archive of the last few days, and returns the file pattern for the archive."""
    # Some conversations go on for days, and an event of the future would be refused.
    start = datetime.now(UTC) - timedelta(days=_DAYS + 5)
    flags = ["--conversations", str(conversations), "--days", str(_DAYS)]
    flags += ["--duplicates", "0.02", "--late", "0.01", "--malformed", "0.01"]
    archive = folder / "archive"
    if undertone(["simulate", *flags, "--start", f"{start:%Y-%m-%d}", "--output", str(archive)]):
        raise ServiceError(f"undertone simulate failed; its error is above ({archive})")
    return str(archive / "*.avro")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.local.live",
        description="Runs the streaming job on emulators of Pub/Sub and BigQuery, feeds it an "
        "archive, and compares its tables with a batch run's.",
    )
    parser.add_argument("--runner", choices=_RUNNERS, default=DIRECT)
    parser.add_argument("--folder", type=Path, default=Path("out/live"), metavar="DIR")
    parser.add_argument("--input", action="append", metavar="PATTERN", help="default: a simulation")
    parser.add_argument("--conversations", type=int, default=500, help="to simulate (default 500)")
    parser.add_argument("--rate", type=float, help="most messages a second (default: no limit)")
    parser.add_argument("--speed_up", type=float, help="replay this many times faster than life")
    parser.add_argument("--firing_period", default="5s", help="of the job (default 5s)")
    parser.add_argument("--stay", action="store_true", help="run on until Ctrl-C")
    return parser


if __name__ == "__main__":
    sys.exit(main())

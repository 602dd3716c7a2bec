"""Runs the streaming job on the local cloud, feeds it, and shows the tables filling.

`make live`, or `python -m deploy.local.live --help`.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from deploy.local.cloud import DIRECT, LocalCloud, heartbeats, local_cloud
from deploy.local.compare import accounts_of, is_settled, settled_differences, under_way
from deploy.local.flink import FLINK
from deploy.local.processes import Process, ServiceError
from pipelines.commands.main import main as undertone
from pipelines.operations.publish import Publishing, publish
from pipelines.sinks.bigquery import query
from pipelines.terminal.progress import say
from schemas.failures import InputError
from transforms import ledger

_RUNNERS: Final = (DIRECT, FLINK)
_EVERY_S: Final = 5.0
_SETTLED_S: Final = 3600.0
_DAYS: Final = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Runs until all is counted, or for ever with --stay; returns the exit code."""
    arguments = _parser().parse_args(argv)
    # What ends this process must end its services too.
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
    settings = [f"--firing_period={arguments.firing_period}"]
    with ExitStack() as stack:
        say("starting Pub/Sub and BigQuery emulators …")
        cloud = stack.enter_context(local_cloud(folder / "cloud"))
        say(f"Pub/Sub: PUBSUB_EMULATOR_HOST={cloud.pubsub_host}, topic {cloud.names.topic}")
        say(f"BigQuery: --dataset {cloud.dataset} --bigquery_url {cloud.dataset.url}")
        say(f"starting the job on {arguments.runner} …")
        job: Process = stack.enter_context(_job(cloud, arguments.runner, settings, stack))
        beats: list[int] = []
        if arguments.runner == DIRECT:
            beats = stack.enter_context(heartbeats(cloud.names.topic))
        publishing = Publishing(rate=arguments.rate, speed_up=arguments.speed_up)
        started_s = time.monotonic()
        events = _watched(cloud, job, inputs, publishing, started_s)
        say(f"all {events:,} events are counted after {time.monotonic() - started_s:.0f} s")
        if arguments.stay:
            say("the job goes on; publish more, look around, and end it with Ctrl-C")
            threading.Event().wait()
        # What beats after the ledger's last row is not in it.
        read = accounts_of(cloud.dataset)[ledger.READ, ""]
        found = _compared(cloud, inputs, folder / "batch", min(len(beats), read - events))
    for difference in found:
        print(difference)
    print("the tables differ" if found else "tables and ledger equal those of undertone run")
    return 1 if found else 0


def _job(cloud: LocalCloud, runner: str, settings: Sequence[str], stack: ExitStack) -> Process:
    if runner == DIRECT:
        return cloud.direct_job(settings)
    from deploy.local.flink import flink_cluster  # noqa: PLC0415

    return stack.enter_context(flink_cluster(cloud.folder / FLINK)).stream(cloud, settings)


def _watched(
    cloud: LocalCloud,
    job: Process,
    inputs: Sequence[str],
    publishing: Publishing,
    started_s: float,
) -> int:
    """Publishes, and tells what the tables hold until they hold all of it; returns the events."""
    published: list[int] = []
    failed: list[InputError] = []

    def feed() -> None:
        try:
            published.append(publish(inputs, cloud.names.topic, publishing))
        except InputError as error:
            failed.append(error)

    feeder = threading.Thread(target=feed, name="feeder", daemon=True)
    feeder.start()
    deadline_s = time.monotonic() + _SETTLED_S
    while time.monotonic() < deadline_s:
        time.sleep(_EVERY_S)
        if failed:
            raise failed[0]
        if not job.is_running:
            raise ServiceError(f"{job.name} ended; see {job.log}: {job.last_words()}")
        accounts = accounts_of(cloud.dataset)
        (rows,) = query(cloud.dataset, "SELECT COUNT(*) AS n FROM `{dataset}.aggregates`")
        say(
            f"{time.monotonic() - started_s:5.0f} s  read {accounts.get((ledger.READ, ''), 0):,}, "
            f"under way {under_way(accounts):,}, "
            f"conversations {accounts.get((ledger.CONVERSATION, ''), 0):,}, rows {rows['n']:,}"
        )
        if published and is_settled(accounts, published[0]):
            return published[0]
    raise ServiceError(f"not all events are counted after {_SETTLED_S:.0f} s; see {job.log}")


def _compared(cloud: LocalCloud, inputs: Sequence[str], batch: Path, beats: int) -> list[str]:
    flags = [flag for pattern in inputs for flag in ("--input", pattern)]
    if undertone(["run", *flags, "--output", str(batch)]):
        raise ServiceError("the batch run to compare with failed")
    return settled_differences(cloud.dataset, batch, beats)


def _simulated(folder: Path, conversations: int) -> str:
    """Simulates an archive of the last days and returns its pattern."""
    start = datetime.now(UTC) - timedelta(days=_DAYS + 1)
    flags = ["--conversations", str(conversations), "--days", str(_DAYS)]
    flags += ["--duplicates", "0.02", "--late", "0.01", "--malformed", "0.01"]
    archive = folder / "archive"
    if undertone(["simulate", *flags, "--start", f"{start:%Y-%m-%d}", "--output", str(archive)]):
        raise ServiceError("the simulation failed")
    return str(archive / "*.avro")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.local.live",
        description="Runs the streaming job on Pub/Sub and BigQuery emulators, feeds it an archive "
        "and compares the tables with a batch run's.",
    )
    parser.add_argument("--runner", choices=_RUNNERS, default=DIRECT)
    parser.add_argument("--folder", type=Path, default=Path("out/live"), metavar="DIR")
    parser.add_argument("--input", action="append", metavar="PATTERN", help="default: a simulation")
    parser.add_argument("--conversations", type=int, default=500, help="to simulate, default 500")
    parser.add_argument("--rate", type=float, help="messages a second at most")
    parser.add_argument("--speed_up", type=float, help="replay so much faster than life")
    parser.add_argument("--firing_period", default="5s", help="default 5s")
    parser.add_argument("--stay", action="store_true", help="go on until Ctrl-C")
    return parser


if __name__ == "__main__":
    sys.exit(main())

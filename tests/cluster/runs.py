"""Runs one archive in memory and on clusters, with and without faults, and times the runs."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from deploy.local.compare import table_hashes
from deploy.local.flink import FlinkCluster
from deploy.local.flink_batch import failures, run_batch, written
from deploy.local.processes import Process, ServiceError
from pipelines.report.run import RUN_FILE
from pipelines.simulator import SimulationSettings, write_simulation

CONVERSATIONS: Final = 118_000
"""This many conversations have a little over a million events."""
WHILE_READING: Final = 0.1
"""Records written per conversation when part of the archive is read and scored."""
WHILE_TALLYING: Final = 6.0
"""Records written per conversation after the first shuffle. At the end there are about eight."""
SETTINGS: Final = ("--min_users=1", "--min_conversations=1", "--classifier=default")
"""These publish every cell, so that every loss shows, and give all runs the same classifier."""

_TIMEOUT_S: Final = 600.0
_POLL_S: Final = 0.2
_SHOWN: Final = 12
_HEAD: Final = ("runner", "events", "wall time", "load before", "tables", "fault", "recovered")


class Archive(NamedTuple):
    """Files of simulated events, including duplicate, late and damaged events."""

    pattern: str
    conversations: int
    events: int


class Fault(NamedTuple):
    """A fault that strikes a cluster in the middle of a job.

    Attributes:
      name: name of the fault in the table.
      due_at: records per conversation that the job's steps must write before the fault strikes.
      strike: function that damages the cluster.
    """

    name: str
    due_at: float
    strike: Callable[[FlinkCluster], None]


class Outcome(NamedTuple):
    """The outcome of a run.

    Attributes:
      runner: where the job ran.
      events: number of events in the archive.
      seconds: wall time from the command's start to its end.
      load: the machine's load average (one minute) before the run, which includes the load of
          the previous run.
      hashes: hash of each table.
      fault: name of the fault; empty if there was none.
      failures: how often Flink restarted the job or a part of it.
    """

    runner: str
    events: int
    seconds: float
    load: float
    hashes: dict[str, str]
    fault: str = ""
    failures: int = 0


def simulated(folder: Path, conversations: int) -> Archive:
    """Simulates an archive of one week of events."""
    simulation = SimulationSettings(
        conversations=conversations, start=datetime(2026, 1, 5, tzinfo=UTC), days=7,
        duplicates=0.01, late=0.005, malformed=0.002,
    )  # fmt: skip
    summary = write_simulation(folder, simulation)
    return Archive(str(folder / "*.avro"), conversations, summary.events)


def in_memory(archive: Archive, folder: Path) -> Outcome:
    """Runs `undertone run` as a user does, with one process per core."""
    load, started_s = os.getloadavg()[0], time.monotonic()
    command = [sys.executable, "-m", "pipelines.commands.main", "run", *_arguments(archive, folder)]
    with Process("the run in memory", command, folder.with_suffix(".log")) as process:
        _await_end(process, lambda: None)
    hashes = _hashes(process, folder)
    return Outcome("in memory", archive.events, time.monotonic() - started_s, load, hashes)


def on_flink(
    cluster: FlinkCluster, archive: Archive, folder: Path, runner: str, fault: Fault | None = None
) -> Outcome:
    """Runs `undertone run` on a cluster, with one working slot per task manager.

    Args:
      cluster: the cluster that takes the job.
      archive: the archive to read.
      folder: folder of the run.
      runner: name of the runner in the table.
      fault: a fault that strikes in the middle of the run, or None.
    """
    load, started_s = os.getloadavg()[0], time.monotonic()
    log = folder.with_suffix(".log")
    pending = [fault] if fault else []

    def strike() -> None:
        if pending and written(cluster) >= pending[0].due_at * archive.conversations:
            pending.pop().strike(cluster)

    arguments = _arguments(archive, folder)
    with run_batch(cluster, arguments, log, parallelism=cluster.task_managers) as job:
        try:
            _await_end(job, strike)
        finally:
            cluster.cancel()
    seconds = time.monotonic() - started_s
    hashes = _hashes(job, folder)
    what = fault.name if fault else ""
    return Outcome(runner, archive.events, seconds, load, hashes, what, failures(cluster))


def table(outcomes: Sequence[Outcome]) -> str:
    """Returns outcomes as a Markdown table that compares each outcome with the first one."""
    rows = [_HEAD, ("---",) * len(_HEAD), *(_row(each, outcomes[0]) for each in outcomes)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _row(outcome: Outcome, expected: Outcome) -> tuple[str, ...]:
    differing = [name for name, hash_ in outcome.hashes.items() if hash_ != expected.hashes[name]]
    shown = outcome.hashes["aggregates"][:_SHOWN]
    tables = f"{', '.join(differing)} differ" if differing else f"identical ({shown})"
    again = f"yes, started again {outcome.failures} ×" if outcome.failures else "no"
    return (
        outcome.runner, f"{outcome.events:,}", f"{outcome.seconds:.0f} s", f"{outcome.load:.1f}",
        tables, outcome.fault or "–", again if outcome.fault else "–",
    )  # fmt: skip


def _arguments(archive: Archive, folder: Path) -> list[str]:
    return ["--input", archive.pattern, "--output", str(folder), *SETTINGS]


def _await_end(process: Process, meanwhile: Callable[[], None]) -> None:
    deadline_s = time.monotonic() + _TIMEOUT_S
    while process.is_running:
        if time.monotonic() > deadline_s:
            raise ServiceError(
                f"{process.name} has not ended after {_TIMEOUT_S:.0f} s; see {process.log}"
            )
        meanwhile()
        time.sleep(_POLL_S)


def _hashes(process: Process, folder: Path) -> dict[str, str]:
    if not (folder / RUN_FILE).is_file():
        raise ServiceError(f"{process.name} failed; see {process.log}: {process.last_words()}")
    return table_hashes(folder)

"""Batch jobs on the local Flink cluster: `undertone run`, and how its work was shared."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from deploy.local.flink import START_S, FlinkCluster, file_name
from deploy.local.processes import Process

KEPT_MS: Final = 3000
"""For so long a batch job's workers wait for its next step."""


def run_batch(
    cluster: FlinkCluster, arguments: Sequence[str], log: Path, parallelism: int
) -> Process:
    """Submits `undertone run`, and waits until Flink has the job.

    Args:
      cluster: that takes the job.
      arguments: of `undertone run`, the runner's left out.
      log: file that takes what it prints.
      parallelism: slots that the job takes, spread over the task managers.

    Returns:
      The process that submitted the job. It goes on when the job has ended, reads what the
      workers wrote and puts the run's folder together.
    """
    before = cluster.ids()
    flags = [
        *cluster.runner_flags(),
        f"--parallelism={parallelism}",
        # What a step gives is kept on disk: a failure costs the steps whose results are lost.
        "--execution_mode_for_batch=BATCH",
        # Else the workers end with each step, and the next step waits for new ones.
        f"--environment_cache_millis={KEPT_MS}",
        # Flink does not spread what a source was split into unless it is told to.
        "--experiments=pre_optimize=all",
    ]
    command = [sys.executable, "-m", "pipelines.commands.main", "run", *arguments, *flags]
    process = Process("the batch job", command, log)
    process.wait_until(lambda: bool(cluster.ids() - before), START_S)
    return process


def written(cluster: FlinkCluster) -> int:
    """Returns how many records the steps of the newest job have given so far, in all.

    A step's count shows when it is done with a bundle; in a batch job that is all it reads.
    """
    vertices = cluster.ask(f"/jobs/{_newest(cluster)}")["vertices"]
    return sum(vertex["metrics"]["write-records"] for vertex in vertices)


def shares(cluster: FlinkCluster) -> dict[str, float]:
    """Returns which share of the records of the newest job each task manager's steps gave."""
    job = f"/jobs/{_newest(cluster)}"
    given = dict.fromkeys(cluster.names(), 0)
    names = {file_name(name): name for name in given}
    for vertex in cluster.ask(job)["vertices"]:
        for each in cluster.ask(f"{job}/vertices/{vertex['id']}/taskmanagers")["taskmanagers"]:
            if each["taskmanager-id"] in names:
                given[names[each["taskmanager-id"]]] += each["metrics"]["write-records"]
    return {name: records / (sum(given.values()) or 1) for name, records in given.items()}


def failures(cluster: FlinkCluster) -> int:
    """Returns how often the newest job, or a part of it, had to be started again."""
    history = cluster.ask(f"/jobs/{_newest(cluster)}/exceptions")["exceptionHistory"]
    return len(history["entries"])


def _newest(cluster: FlinkCluster) -> str:
    jobs = cluster.ask("/jobs/overview")["jobs"]
    newest: str = max(jobs, key=lambda job: job["start-time"])["jid"]
    return newest

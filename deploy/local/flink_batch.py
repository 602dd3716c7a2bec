"""Runs `undertone run` on the local Flink cluster, and reports each task manager's share."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from deploy.local.flink import START_S, FlinkCluster, file_name
from deploy.local.processes import Process

KEPT_MS: Final = 3000
"""How long a batch job's workers wait for the job's next step, in milliseconds."""


def run_batch(
    cluster: FlinkCluster, arguments: Sequence[str], log: Path, parallelism: int
) -> Process:
    """Submits `undertone run`, and waits until Flink has the job.

    Args:
      cluster: the cluster that takes the job.
      arguments: arguments of `undertone run`, without those for the runner.
      log: file for the output of `undertone run`.
      parallelism: number of slots that the job takes, spread over the task managers.

    Returns:
      The process that submitted the job. When the job has ended, this process collects the
      workers' output into the run's folder.
    """
    before = cluster.ids()
    flags = [
        *cluster.runner_flags(),
        f"--parallelism={parallelism}",
        # A step's output is kept on disk. After a failure, only steps with lost output run again.
        "--execution_mode_for_batch=BATCH",
        # Without this, the workers end with each step, and the next step waits for new ones.
        f"--environment_cache_millis={KEPT_MS}",
        # Without this, Flink does not spread the splits of a source.
        "--experiments=pre_optimize=all",
    ]
    command = [sys.executable, "-m", "pipelines.commands.main", "run", *arguments, *flags]
    process = Process("the batch job", command, log)
    process.wait_until(lambda: bool(cluster.ids() - before), START_S)
    return process


def written(cluster: FlinkCluster) -> int:
    """Returns the number of records that all steps of the newest job have written so far.

    Flink updates a step's count at the end of a bundle. In a batch job, the whole input of a step
    is one bundle.
    """
    vertices = cluster.ask(f"/jobs/{_newest(cluster)}")["vertices"]
    return sum(vertex["metrics"]["write-records"] for vertex in vertices)


def shares(cluster: FlinkCluster) -> dict[str, float]:
    """Returns, for each task manager, the fraction of the newest job's records that it wrote."""
    job = f"/jobs/{_newest(cluster)}"
    records_of = dict.fromkeys(cluster.names(), 0)
    names = {file_name(name): name for name in records_of}
    for vertex in cluster.ask(job)["vertices"]:
        for each in cluster.ask(f"{job}/vertices/{vertex['id']}/taskmanagers")["taskmanagers"]:
            if each["taskmanager-id"] in names:
                records_of[names[each["taskmanager-id"]]] += each["metrics"]["write-records"]
    total = sum(records_of.values()) or 1
    return {name: records / total for name, records in records_of.items()}


def failures(cluster: FlinkCluster) -> int:
    """Returns how often Flink had to restart the newest job or a part of that job."""
    history = cluster.ask(f"/jobs/{_newest(cluster)}/exceptions")["exceptionHistory"]
    return len(history["entries"])


def _newest(cluster: FlinkCluster) -> str:
    jobs = cluster.ask("/jobs/overview")["jobs"]
    newest: str = max(jobs, key=lambda job: job["start-time"])["jid"]
    return newest

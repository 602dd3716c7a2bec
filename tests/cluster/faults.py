"""Faults that can strike a cluster in the middle of a job."""

from __future__ import annotations

import os
import signal
from typing import Final

from deploy.local.flink import FlinkCluster
from tests.cluster.runs import WHILE_READING, WHILE_TALLYING, Fault

KILLED: Final = "task manager 2"


def kill_and_restart(cluster: FlinkCluster) -> None:
    """Crashes a task manager, and starts a new one in its place some seconds later."""
    cluster.processes[KILLED].kill()
    cluster.start()


def kill(cluster: FlinkCluster) -> None:
    """Crashes a task manager for good; the other one takes over its work."""
    cluster.processes[KILLED].kill()


def kill_workers(cluster: FlinkCluster) -> None:
    """Crashes all Python workers."""
    for worker in cluster.workers():
        os.kill(worker, signal.SIGKILL)


RESTARTED: Final = Fault(
    "task manager killed while reading, restarted", WHILE_READING, kill_and_restart
)
LEFT_DOWN: Final = Fault("task manager killed while tallying, left down", WHILE_TALLYING, kill)
WORKERS_KILLED: Final = Fault("Python workers killed while reading", WHILE_READING, kill_workers)

FAULTS: Final = (RESTARTED, LEFT_DOWN, WORKERS_KILLED)

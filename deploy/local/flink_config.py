"""Configures Flink for a cluster on one machine."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from deploy.local.processes import LOOPBACK

RETRIES: Final = 1000
"""A job is restarted this many times before it fails."""
_BATCH_RETRY_MS: Final = 5000
"""The delay before a batch job is restarted, in milliseconds.

It is longer than `flink_batch.KEPT_MS`. Otherwise a dead worker would stay and fail each retry.
"""


def config_of(rest_port: int, rpc_port: int, slots: int, checkpoints: Path, tmp: Path) -> str:
    """Returns the configuration of a job manager, its task managers and the job server.

    Args:
      rest_port: port of the job manager's REST interface.
      rpc_port: port on which the job manager serves its task managers.
      slots: number of slots per task manager.
      checkpoints: folder for checkpoints.
      tmp: folder for the job manager's temporary files.
    """
    settings = {
        "jobmanager.rpc.address": LOOPBACK,
        "jobmanager.rpc.port": rpc_port,
        "jobmanager.bind-host": LOOPBACK,
        "jobmanager.memory.process.size": "640m",
        "rest.address": LOOPBACK,
        "rest.bind-address": LOOPBACK,
        "rest.port": rest_port,
        "rest.bind-port": rest_port,
        "taskmanager.numberOfTaskSlots": slots,
        "taskmanager.load-balance.mode": "SLOTS",
        # A manually started task manager needs a size for every part of its memory.
        "taskmanager.cpu.cores": 1.0,
        "taskmanager.memory.framework.heap.size": "64m",
        # Half of this memory is for reading a batch job's shuffled data.
        "taskmanager.memory.framework.off-heap.size": "128m",
        "taskmanager.memory.task.heap.size": "640m",
        "taskmanager.memory.task.off-heap.size": "64m",
        # Only batch jobs use this memory, for sorting. A stream's state is on the heap.
        "taskmanager.memory.managed.size": "256m",
        "taskmanager.memory.network.min": "128m",
        "taskmanager.memory.network.max": "128m",
        # The number of 32 KB buffers per result. About a dozen results are written at once.
        "taskmanager.network.sort-shuffle.min-buffers": 64,
        "taskmanager.memory.jvm-metaspace.size": "192m",
        "taskmanager.memory.jvm-overhead.min": "64m",
        "taskmanager.memory.jvm-overhead.max": "64m",
        "classloader.resolve-order": "parent-first",
        "classloader.check-leaked-classloader": "false",
        "state.backend.type": "hashmap",
        "state.checkpoint-storage": "filesystem",
        "state.checkpoints.dir": f"file://{checkpoints}",
        "state.checkpoints.num-retained": 2,
        # The runner tells Flink about retries only for a stream.
        "restart-strategy.type": "fixed-delay",
        "restart-strategy.fixed-delay.attempts": RETRIES,
        "restart-strategy.fixed-delay.delay": f"{_BATCH_RETRY_MS} ms",
        # With these settings, Flink notices within seconds that a process has died.
        "heartbeat.interval": 1000,
        "heartbeat.timeout": 10000,
        "heartbeat.rpc-failure-threshold": 2,
        "io.tmp.dirs": str(tmp),
    }
    return "".join(f"{key}: {value}\n" for key, value in settings.items())

"""Flink's configuration, for a cluster on one machine."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from deploy.local.processes import LOOPBACK

RETRIES: Final = 1000
"""So often a job is started again before it fails."""
_BATCH_RETRY_MS: Final = 5000
"""Longer than `flink_batch.KEPT_MS`, or a dead worker is kept for ever, and fails each retry."""


def config_of(rest_port: int, rpc_port: int, slots: int, checkpoints: Path, tmp: Path) -> str:
    """Returns the configuration of a job manager, of its task managers and of the job server.

    Args:
      rest_port: of the job manager's REST interface.
      rpc_port: of the job manager, for its task managers.
      slots: of each task manager.
      checkpoints: folder that takes them.
      tmp: folder of the job manager for temporary files.
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
        # A task manager that is started by hand must be told every part of its memory.
        "taskmanager.cpu.cores": 1.0,
        "taskmanager.memory.framework.heap.size": "64m",
        # Half of it is for reading what a batch job has shuffled.
        "taskmanager.memory.framework.off-heap.size": "128m",
        "taskmanager.memory.task.heap.size": "640m",
        "taskmanager.memory.task.off-heap.size": "64m",
        # Only batch jobs take it, to sort in; a stream's state is on the heap.
        "taskmanager.memory.managed.size": "256m",
        "taskmanager.memory.network.min": "128m",
        "taskmanager.memory.network.max": "128m",
        # Of 32 KB, for each result that is being written: some dozen at once.
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
        # The runner tells Flink of retries in a stream only.
        "restart-strategy.type": "fixed-delay",
        "restart-strategy.fixed-delay.attempts": RETRIES,
        "restart-strategy.fixed-delay.delay": f"{_BATCH_RETRY_MS} ms",
        # A process that is gone is missed within seconds.
        "heartbeat.interval": 1000,
        "heartbeat.timeout": 10000,
        "heartbeat.rpc-failure-threshold": 2,
        "io.tmp.dirs": str(tmp),
    }
    return "".join(f"{key}: {value}\n" for key, value in settings.items())

"""Times the bounded run on one and on two Flink task managers, with and without faults.

Run: `python -m tests.benchmarks.bench_cluster`. The benchmark prints a Markdown table.

Each task manager uses one slot and one Python worker. Runs on one and on two task managers
alternate, so that neither setup gains if the machine's speed drifts. Each run starts its own
cluster. The time includes sending the job, but not starting the cluster. The load column shows how
busy the machine was.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from pathlib import Path
from typing import Final

from deploy.local.flink import flink_cluster
from pipelines.terminal.progress import say
from tests.cluster.faults import FAULTS
from tests.cluster.runs import (
    CONVERSATIONS,
    Archive,
    Fault,
    Outcome,
    in_memory,
    on_flink,
    simulated,
    table,
)

SLOTS: Final = 2
"""Slots of each task manager. One is used; the spare one takes over from a dead task manager."""


def on_new_cluster(
    archive: Archive, folder: Path, task_managers: int, fault: Fault | None = None
) -> Outcome:
    """Runs the job on a cluster started for this run only."""
    runner = f"Flink, {task_managers} task manager{'s' if task_managers > 1 else ''}"
    say(f"{runner}{f', {fault.name}' if fault else ''} …")
    with flink_cluster(folder / "flink", task_managers, SLOTS) as cluster:
        return on_flink(cluster, archive, folder / "run", runner, fault)


def measured(
    archive: Archive, folder: Path, pairs: int, faults: tuple[Fault, ...]
) -> list[Outcome]:
    """Returns the outcomes of all runs; the first of them is a run in memory."""
    outcomes = []
    for pair in range(pairs):
        say("in memory …")
        outcomes.append(in_memory(archive, folder / f"{pair}-memory"))
        for task_managers in (2, 1) if pair % 2 else (1, 2):
            at = folder / f"{pair}-{task_managers}"
            outcomes.append(on_new_cluster(archive, at, task_managers))
    for number, fault in enumerate(faults):
        outcomes.append(on_new_cluster(archive, folder / f"fault-{number}", 2, fault))
    return outcomes


def main() -> int:
    """Prints the table; returns 1 if results differ, or if faults and failures do not match."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--conversations", type=int, default=CONVERSATIONS)
    parser.add_argument("--pairs", type=int, default=2, help="number of times to time both sizes")
    parser.add_argument("--no_faults", action="store_true", help="only time runs without faults")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        archive = simulated(Path(scratch) / "archive", arguments.conversations)
        faults = () if arguments.no_faults else FAULTS
        outcomes = measured(archive, Path(scratch), arguments.pairs, faults)
    print(table(outcomes))
    as_expected = all(
        each.hashes == outcomes[0].hashes and bool(each.fault) == bool(each.failures)
        for each in outcomes
    )
    return 0 if as_expected else 1


if __name__ == "__main__":
    # SIGTERM must also end the services of this process.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())

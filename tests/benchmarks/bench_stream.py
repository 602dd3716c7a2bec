"""Times the streaming graph against an empty graph of the same shape, on two runners.

Run: `python -m tests.benchmarks.bench_stream --runner direct` or `--runner flink`.

An empty graph with the same steps measures the cost of the runner itself. So the ratio says how
much of the runner's speed is left when the steps do their work. The two graphs alternate, and the
ratio of their speeds is taken for each pair of runs.

On the in-process runner a `TestStream` delivers chunks of records, and advances processing time by
a firing period every `EVENTS_A_FIRING` events. On Flink all events wait in a subscription before
the job starts. The clock starts when all tasks run, and stops when the ledger accounts for every
event. This takes three firings or more.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.direct.direct_runner import BundleBasedDirectRunner
from apache_beam.testing.test_stream import TestStream

from deploy.local.flink import FlinkCluster, flink_cluster
from deploy.local.pubsub import Names, create_topics, pubsub
from pipelines.operations.replay import replay
from pipelines.settings import Settings
from pipelines.simulator import SimulationSettings, write_simulation
from pipelines.sinks.archive import read_events
from schemas.records import Encoding, PayloadChunk
from schemas.wire.payload import payload_of
from tests.benchmarks.stream_graphs import BUILDS, accounts_in, drop
from transforms.classifiers import load_default
from transforms.counting.ledger import CONVERSATION, FATES, READ, TALLIED
from transforms.policies import Firings

FIRING_S: Final = 2
EVENTS_A_FIRING: Final = 2000
"""The number of events between two firings of the direct runner, about its real speed."""
CHUNKS: Final = (10, 500)
_EVENTS_A_CONVERSATION: Final = 7
_TIMEOUT_S: Final = 120.0
_PAUSE_S: Final = 0.1


class Taken(NamedTuple):
    """The seconds of a run: wall-clock time, and CPU time, on which other load has no effect."""

    wall_s: float
    cpu_s: float


Seconds = dict[str, list[Taken]]
"""The times of all runs, by graph."""


def simulated(folder: Path, events: int) -> list[dict[str, Any]]:
    """Writes an archive of about `events` recent events, and returns the events in its order."""
    start = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    simulation = SimulationSettings(
        conversations=events // _EVENTS_A_CONVERSATION, start=start - timedelta(days=2), days=2
    )
    summary = write_simulation(folder, simulation)
    return [event for name in summary.files for event in read_events(folder / name)]


def chunks_of(events: Sequence[dict[str, Any]], size: int) -> Iterator[PayloadChunk]:
    """Yields the events as the chunks that a subscription delivers."""
    for at in range(0, len(events), size):
        part = events[at : at + size]
        rows = [payload_of(event, Encoding.PROTOBUF)[0] for event in part]
        published = [event["published_at_us"] or event["sent_at_us"] for event in part]
        yield PayloadChunk(Encoding.PROTOBUF, rows, published, "bench")


def direct_seconds(graph: str, chunks: Sequence[PayloadChunk], settings: Settings) -> Taken:
    """Returns the time that the in-process runner needs for all chunks."""
    stream = TestStream()
    since = 0
    for chunk in chunks:
        stream.add_elements([chunk])
        since += len(chunk.rows)
        if since >= EVENTS_A_FIRING:
            stream.advance_processing_time(FIRING_S + 1)
            since = 0
    for _ in range(4):  # A firing feeds the next step, whose own timer fires a period later.
        stream.advance_processing_time(FIRING_S + 1)
    stream.advance_watermark_to_infinity()
    options = PipelineOptions(["--streaming"])
    pipeline = beam.Pipeline(runner=BundleBasedDirectRunner(), options=options)
    drop(BUILDS[graph](pipeline | stream, settings))
    started_s, cpu_s = time.perf_counter(), time.process_time()
    pipeline.run().wait_until_finish()
    return Taken(time.perf_counter() - started_s, time.process_time() - cpu_s)


class FlinkBench:
    """Submits graphs to a cluster, and gives each graph its own subscription."""

    def __init__(self, cluster: FlinkCluster, host: str, archive: Path, flags: Sequence[str]):
        self._cluster = cluster
        self._host = host
        self._archive = archive
        self._flags = flags
        self._runs = 0

    def seconds(self, graph: str) -> Taken:
        """Returns the time that the cluster needs to count all events once all tasks run."""
        self._runs += 1
        names = Names(suffix=f"-{self._runs}")
        create_topics(names)
        published = replay([str(self._archive / "*.avro")], names.topic)
        output = self._cluster.folder / f"counts-{self._runs}.tsv"
        command = [
            sys.executable, "-m", "tests.benchmarks.stream_job", f"--graph={graph}",
            f"--subscription={names.subscription}", f"--output={output}",
            f"--firing_period={FIRING_S}s", f"--counts_period={FIRING_S}s", *self._flags,
        ]  # fmt: skip
        log = self._cluster.folder / f"job-{self._runs}.log"
        with self._cluster.submit(command, log, self._host):
            try:
                before = self.cpu_seconds()
                started_s = time.monotonic()
                while not _is_through(accounts_in(output), published):
                    if time.monotonic() - started_s > _TIMEOUT_S:
                        raise TimeoutError(
                            f"graph {graph} counted {accounts_in(output)} of {published} events "
                            f"in {_TIMEOUT_S:.0f} s; see {log}"
                        )
                    time.sleep(_PAUSE_S)
                taken_s = time.monotonic() - started_s
                cpu_s = sum(now - before.get(pid, 0.0) for pid, now in self.cpu_seconds().items())
            finally:
                self._cluster.cancel()
        return Taken(taken_s, cpu_s)

    def cpu_seconds(self) -> dict[int, float]:
        """Returns the CPU time of the task manager and of each worker, by process id."""
        pids = [self._cluster.processes["task manager"].pid, *self._cluster.workers()]
        return {pid: _cpu_seconds(pid) for pid in pids}


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _is_through(accounts: dict[str, int], published: int) -> bool:
    return (
        accounts.get(READ, 0) >= published
        and sum(accounts.get(fate, 0) for fate in FATES) >= published
        and accounts[CONVERSATION] == accounts.get(TALLIED)
    )


def in_turn(runs: int, seconds: Any) -> Seconds:
    """Times the graphs alternately, `runs` times each, after one warm-up that does not count."""
    taken: Seconds = {graph: [] for graph in BUILDS}
    seconds(next(iter(BUILDS)))
    for run in range(runs):
        order = list(BUILDS) if run % 2 else list(BUILDS)[::-1]
        for graph in order:
            taken[graph].append(seconds(graph))
    return taken


def print_row(name: str, events: int, taken: Seconds) -> None:
    """Prints the medians by wall clock and by CPU time, and the ratio of the pairs."""
    for index, clock in enumerate(Taken._fields):
        times = {graph: [t[index] for t in of_graph] for graph, of_graph in taken.items()}
        pace = {graph: events / statistics.median(of) for graph, of in times.items()}
        ratios = [empty / ours for ours, empty in zip(times["ours"], times["empty"], strict=True)]
        print(
            f"{name:<28}{clock:<8}{events:8,}{pace['ours']:10,.0f}{pace['empty']:10,.0f}"
            f"{statistics.median(ratios):8.2f}  ({min(ratios):.2f} to {max(ratios):.2f})",
            flush=True,
        )


def main() -> None:
    """Prints the events per second of both graphs, and the ratio of the two."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runner", choices=("direct", "flink"), required=True)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--chunk", type=int, action="append", help="records per chunk (direct)")
    arguments, flags = parser.parse_known_args()
    settings = Settings(
        firings=Firings(timedelta(seconds=FIRING_S), timedelta(seconds=FIRING_S)),
        classifier_version=load_default().version,
    )
    settings = replace(settings, revision=1)
    title = f"median of {arguments.runs}"
    print(f"{title:<28}clock     events    ours/s   empty/s   ratio", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        archive = folder / "archive"
        events = simulated(archive, arguments.events)
        if arguments.runner == "direct":
            for size in arguments.chunk or CHUNKS:
                chunks = list(chunks_of(events, size))
                taken = in_turn(arguments.runs, lambda g, c=chunks: direct_seconds(g, c, settings))
                print_row(f"direct, {size} events a chunk", len(events), taken)
            return
        with pubsub(folder) as host, flink_cluster(folder / "flink") as cluster:
            bench = FlinkBench(cluster, host, archive, flags)
            taken = in_turn(arguments.runs, bench.seconds)
            print_row(f"flink {' '.join(flags)}", len(events), taken)


if __name__ == "__main__":
    # SIGTERM must also end the services of this process.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    main()

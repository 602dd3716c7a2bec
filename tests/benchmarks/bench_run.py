"""Times the whole bounded run against a plain loop that decodes, scores and folds.

Run: `make bench`, or `python -m tests.benchmarks.bench_run --conversations 100000`.

The loop uses no Beam and stops at the states of the conversations. So the loop's time is the
minimum for this work in one process. The bounded run reads the same archive with the in-process
runner, and also writes tables, database and report. Loop and run alternate, so that neither gains
if the machine's speed drifts. The ratio of their speeds is taken for each pair of a loop and a run.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from fastavro import block_reader

from pipelines.beam_options import beam_options
from pipelines.local import run_local
from pipelines.settings import Settings
from pipelines.simulator import SimulationSettings, write_simulation
from schemas.records import Encoding, PayloadChunk
from tests.builders import PSEUDONYMS
from transforms.classifiers import load_default
from transforms.classifiers.scoring import score_messages
from transforms.conversation.messages import decode_chunk
from transforms.conversation.spans import fold_chunk, merge_spans
from transforms.conversation.state import ConversationState
from transforms.publishing.policy import Policy

TWO_WORKERS = ("--direct_num_workers=2", "--direct_running_mode=multi_processing")


def plain_loop(files: Sequence[Path]) -> int:
    """Decodes, scores and folds without Beam; returns how many conversations there are."""
    settings, classifier = Settings(), load_default()
    partials: defaultdict[bytes, list[ConversationState]] = defaultdict(list)
    for path in files:
        with path.open("rb") as file:
            for block in block_reader(file, handle_unicode_errors="surrogateescape"):
                chunk = PayloadChunk(Encoding.AVRO, list(block), None, path.name)
                messages, _, _ = decode_chunk(chunk, settings.limits, PSEUDONYMS)
                scored = score_messages(messages, classifier)
                for key, partial in fold_chunk(scored, settings.gap_us):
                    partials[key].append(partial.state)
    return sum(len(merge_spans(states, settings.gap_us)) for states in partials.values())


def whole_run(files: Sequence[Path], folder: Path, flags: Sequence[str] = ()) -> None:
    """Runs the whole job, which writes tables, database and report."""
    settings = Settings(classifier_version=load_default().version, revision=1)
    run_local([str(path) for path in files], folder, settings, Policy(), beam_options(flags))


def seconds(action: Callable[[], object]) -> float:
    """Returns the wall-clock time of an action, in seconds."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def main() -> None:
    """Prints the events per second of loop and run, and the ratio of the two."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--conversations", type=int, default=60_000)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        start = datetime(2026, 1, 5, tzinfo=UTC)
        simulation = SimulationSettings(conversations=arguments.conversations, start=start, days=2)
        summary = write_simulation(folder / "archive", simulation)
        files = sorted((folder / "archive").glob("*.avro"))
        ways: dict[str, Callable[[], object]] = {
            "plain loop": lambda: plain_loop(files),
            "whole run, 1 process": lambda: whole_run(files, folder / "run"),
            "whole run, 2 processes": lambda: whole_run(files, folder / "run", TWO_WORKERS),
        }
        times = {name: [0.0] * arguments.runs for name in ways}
        plain_loop(files[:1])  # Loads the model and everything else that is loaded once.
        for turn in range(arguments.runs):
            for name, way in ways.items():
                times[name][turn] = seconds(way)
    print(f"{summary.events:,} events of {arguments.conversations:,} conversations, "
          f"median of {arguments.runs}")  # fmt: skip
    for name, taken in times.items():
        ratios = [a / b for a, b in zip(taken, times["plain loop"], strict=True)]
        print(
            f"{name:<24}{statistics.median(taken):7.1f} s"
            f"{summary.events / statistics.median(taken):10,.0f} events/s"
            f"{statistics.median(ratios):8.2f} × plain loop"
        )


if __name__ == "__main__":
    main()

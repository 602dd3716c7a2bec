"""Times the shipped classifier against a plain loop over the same weights.

Run: `python -m tests.benchmarks.bench_classifier`. The benchmark prints messages per second and
asserts nothing. The messages are the simulator's lines, joined in pairs, so that they are as long
as real messages. Times are CPU times of this process, so other work on the machine does not count.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from transforms.classifiers import NgramClassifier, load_default
from transforms.classifiers.ngram.features import extract

SCENES: Final = Path(__file__).parents[2] / "pipelines" / "simulator"
MESSAGES: Final = 20_000
PLAIN_MESSAGES: Final = 500


def read_messages() -> tuple[list[str], list[bool]]:
    """Reads the simulator's lines, repeated up to `MESSAGES`, and whether a human wrote each."""
    rows = [
        json.loads(line)
        for path in sorted(SCENES.glob("scenes_*.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    picked = [rows[index * 7919 % len(rows)] for index in range(MESSAGES)]
    texts = [f"{row['text']} {rows[index % len(rows)]['text']}" for index, row in enumerate(picked)]
    return texts, [row["role"] == "human" for row in picked]


def rate(work: Callable[[], None], messages: int) -> float:
    """Returns the messages scored per second in the best of three runs."""
    times = []
    for _ in range(3):
        begun = time.process_time()
        work()
        times.append(time.process_time() - begun)
    return messages / min(times)


def score_in_batches(
    classifier: NgramClassifier, texts: list[str], human: list[bool], size: int
) -> None:
    """Scores all messages, `size` at a time."""
    for begin in range(0, len(texts), size):
        classifier.score(texts[begin : begin + size], np.array(human[begin : begin + size]))


def score_plainly(classifier: NgramClassifier, texts: list[str]) -> None:
    """Sums the encoder's weights feature by feature, without arrays.

    The plain loop leaves out the work of the networks.
    """
    table = classifier.encoder.packed.view("<u2")
    for text in texts:
        sums = [0] * table.shape[1]
        for family in extract([text]).families:
            for bucket in family.buckets.tolist():
                for place, weight in enumerate(table[bucket].tolist()):
                    sums[place] += weight - 128


def main() -> None:
    """Prints the figures of the benchmark."""
    classifier = load_default()
    texts, human = read_messages()
    mean = sum(map(len, texts)) / len(texts)
    print(f"{len(texts):,} messages of {mean:.0f} characters, {np.mean(human):.0%} human")
    found = 0.0
    for size in (1, 32, 256, 1000, 5000):
        part = texts[: size * 200]
        found = rate(partial(score_in_batches, classifier, part, human, size), len(part))
        print(f"batches of {size:>5}: {found:>9,.0f} messages/s")
    few = texts[:PLAIN_MESSAGES]
    plain = rate(partial(score_plainly, classifier, few), len(few))
    print(f"plain Python loop: {plain:>9,.0f} messages/s, {found / plain:.0f} times slower")


if __name__ == "__main__":
    main()

"""Prints what it costs to publish a large day, and its hours.

Run: `python -m tests.benchmarks.bench_publish`. The day has 200,000 conversations from 200
countries, in 30 languages, with 12 models. Its exact counts are drawn, not counted, and stand in
rows as in the table `counts`. Publishing means to read these rows, to decide which cells are
published, to add noise, to compute the figures, and to make all rows. A correction reads the last
publication from its rows as well. For comparison, DuckDB reads the same rows and adds up the
conversations of each slice.

A publication may cost at most 10 CPU seconds, and the process at most 1 GB of memory.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Callable, Iterator
from typing import Final, TypeVar

import duckdb
import numpy as np
import pyarrow as pa

from pipelines.publishing.windows import Batch, publish_windows
from schemas.breakdowns import OTHER
from schemas.counts import CountsRow
from tests.builders import HOUR_US, MONDAY_US
from transforms.counting.cells import Sums
from transforms.counting.places import KEY_SPACE, cells_text
from transforms.counting.windows import Window, day_window, hour_of
from transforms.facets.facet import ALL
from transforms.facets.lengths import LENGTHS
from transforms.facets.registry import FACETS, INDEX, SUMMING_CHANGE, Slice
from transforms.publishing.policy import Policy
from transforms.publishing.rows import standing_of

MOST_CPU_S: Final = 10.0
MOST_BYTES: Final = 10**9
VALUES: Final = {
    "overall": [ALL],
    "platform": ["web", "ios", "android", OTHER],
    "country": [f"C{i}" for i in range(200)],
    "language": [f"L{i}" for i in range(30)],
    "plan": ["free", "pro", "team", OTHER],
    "model": [f"model-{i}" for i in range(12)],
    "length": list(LENGTHS),
}
Result = TypeVar("Result")


def counts_rows(window: Window, conversations: int, seed: int) -> list[CountsRow]:
    """Draws the exact counts of a window; the values of a breakdown follow Zipf's law."""
    chance = np.random.default_rng(seed)
    return [
        _row(window, breakdown, value, int(conversations * share), chance)
        for breakdown, values in VALUES.items()
        for value, share in zip(values, _zipf(len(values)), strict=True)
    ]


def _zipf(size: int) -> Iterator[float]:
    weights = 1 / np.arange(1, size + 1)
    yield from weights / weights.sum()


def _row(
    window: Window, breakdown: str, value: str, size: int, chance: np.random.Generator
) -> CountsRow:
    cells = {INDEX[Slice("all", ALL)]: _sums(size, False, chance)}
    for facet in FACETS[1:]:
        for name, share in zip(facet.values, _zipf(len(facet.values)), strict=True):
            index = INDEX[Slice(facet.name, name)]
            if found := int(chance.poisson(size * share)):
                cells[index] = _sums(min(found, size), index in SUMMING_CHANGE, chance)
    everyone = cells[INDEX[Slice("all", ALL)]]
    return CountsRow(
        *window, breakdown, value, everyone.conversations, everyone.users, cells_text(cells),
        1, 0, 1, "stream", "key-1", "1", "plain-1",
    )  # fmt: skip


def _sums(size: int, has_change: bool, chance: np.random.Generator) -> Sums:
    change = round(15 * size + chance.normal() * 120 * size**0.5) if has_change else 0
    squares = 120**2 * size if has_change else 0
    return Sums(size, (2 * size + 2) // 3, int(chance.integers(KEY_SPACE)), change, squares)


def add_by_duckdb(rows: list[CountsRow]) -> int:
    """Adds up the conversations of each slice from the same JSON; returns the number of sums."""
    table = pa.table({"breakdown": [r.breakdown for r in rows], "cells": [r.cells for r in rows]})
    with duckdb.connect(config={"threads": 1}) as database:
        database.register("counts", table)
        found = database.sql(
            "SELECT breakdown, f.key, v.key, sum((v.value ->> 0)::BIGINT)"
            " FROM counts, json_each(cells) AS f, json_each(f.value) AS v GROUP BY ALL"
        ).fetchall()
    return len(found)


def measured(name: str, work: Callable[[], Result]) -> tuple[Result, float]:
    """Runs some work, prints its CPU time, and returns both."""
    started = time.process_time()
    result = work()
    spent = time.process_time() - started
    print(f"{name:<42}{spent:8.2f} CPU s")
    return result, spent


def main() -> int:
    """Prints the figures; returns 1 if one is over its limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--conversations", type=int, default=200_000)
    size = parser.parse_args().conversations
    day = day_window(MONDAY_US)
    hours = [hour_of(MONDAY_US + hour * HOUR_US) for hour in range(24)]
    rows = counts_rows(day, size, 0)
    hourly = [row for i, hour in enumerate(hours) for row in counts_rows(hour, size // 24, i + 1)]
    more = counts_rows(day, size + size // 50, 99)

    def correct(batch: Batch) -> Batch:
        standing = standing_of(batch.publications, batch.bases)
        return publish_windows(more, {day: standing}, Policy(), 2)

    publish_windows(hourly[:9], {}, Policy(), 1)  # So that imports and caches are not measured.
    batch, first = measured("a day", lambda: publish_windows(rows, {}, Policy(), 1))
    changed, second = measured("its correction", lambda: correct(batch))
    all_, third = measured("its 24 hours", lambda: publish_windows(hourly, {}, Policy(), 1))
    slices, _ = measured("DuckDB, adding up the day", lambda: add_by_duckdb(rows))
    cells = sum(row.cells.count("[") for row in rows)
    print(f"day: {len(rows):,} places, {cells:,} cells; {len(batch.aggregates):,} published, "
          f"{len(batch.figures):,} figures; {len(all_.aggregates):,} published in hours; "
          f"corrected to {len(changed.aggregates):,}; {slices:,} sums by DuckDB")  # fmt: skip
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    is_over = max(first, second, third / 24) > MOST_CPU_S or peak > MOST_BYTES
    print(f"peak memory of the process {peak / 1e6:,.0f} MB; the bars are {MOST_CPU_S:g} CPU s a "
          f"publication and {MOST_BYTES / 1e6:,.0f} MB: "
          f"{'missed' if is_over else 'met'}")  # fmt: skip
    return int(is_over)


if __name__ == "__main__":
    sys.exit(main())

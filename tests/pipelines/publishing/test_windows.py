"""Tests that what is published depends on the conversations only, not on how they were counted."""

from __future__ import annotations

import random
from typing import Final

import msgspec
import pytest

from pipelines.publishing.windows import Batch, publish_windows
from schemas.counts import CountsRow
from schemas.tables import BATCH
from tests.pipelines.running import Result, chunk, current, run_bounded, run_unbounded
from tests.pipelines.timelines import HOUR_S, said
from tests.run_folders import counts_row
from transforms.counting.windows import DAY, HOUR
from transforms.publishing.policy import Policy

POLICY: Final = Policy(min_users=3, min_conversations=3, variance=1.0, max_noise=2)
"""Thresholds low enough for small tests."""


def batch_of(result: Result) -> Batch:
    """Publishes the hours and days of a run, as if every job had the same origin."""
    rows = [
        msgspec.structs.replace(row, generation=1, origin=BATCH)
        for row in current(result.rows)
        if row.window_kind in {HOUR, DAY} and row.cells != "{}"
    ]
    return publish_windows(rows, {}, POLICY, attempt=1)


@pytest.mark.parametrize("seed", range(2))
def test_a_stream_publishes_the_same_as_a_batch(seed: int) -> None:
    """In any order, with duplicates and in any parts, all published rows are the same."""
    chance = random.Random(seed)
    kinds = ("coaching", "counseling", "technical")
    events = [
        said(f"{c}-{i}", (c % 3 + i / 10) * HOUR_S, f"c{c}", chance.choice(kinds),
             user_id=f"u{c % 9}", country=chance.choice(["DE", "FR"]))
        for c in range(14)
        for i in range(chance.randrange(1, 8))
    ]  # fmt: skip
    arriving = events + chance.sample(events, len(events) // 3)
    chance.shuffle(arriving)
    third = len(arriving) // 3
    parts = [arriving[:third], arriving[third : 2 * third], arriving[2 * third :]]
    streamed, batch = batch_of(run_unbounded(parts)), batch_of(run_bounded([chunk(events)]))
    assert batch.aggregates
    assert batch.figures
    assert streamed == batch


def test_counts_of_several_secrets_are_not_published() -> None:
    """A user would be counted twice, so the window is left alone."""
    rows: list[CountsRow] = [counts_row(50), counts_row(50, generation=2, key_id="ffffffff")]
    batch = publish_windows(rows, {}, POLICY, attempt=1)
    assert (batch.publications, batch.aggregates) == ([], [])
    assert batch.kept == ["day 2025-06-02 was counted with several secrets"]

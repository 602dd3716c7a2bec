"""Tests that the ledger accounts for every record, in the stream and in the batch run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from apache_beam.testing import test_stream

from pipelines.settings import wall_clock_us
from tests.pipelines.running import (
    EXACT,
    FIRING_S,
    Result,
    chunk,
    run_bounded,
    run_stream,
    run_unbounded,
    stopped_at,
)
from tests.pipelines.timelines import DAY_S, HOUR_S, START_S, last_revision, said
from transforms.counting.ledger import imbalance


def test_conversations_over_the_limit_are_in_the_ledger() -> None:
    """Conversations over a user's limit are counted by day.

    Conversations without a user have no limit.
    """
    shared = [said(f"s{i}", 60 * i, f"s{i}", user_id="guest") for i in range(7)]
    nobody = [said(f"n{i}", 60 * i, f"n{i}", user_id=None) for i in range(5)]
    limited = replace(EXACT, max_conversations_per_user=3)
    result = run_unbounded([shared, nobody], limited)
    assert result.accounts() == {
        ("read", ""): 12, ("counted", ""): 12,
        ("conversation", ""): 12, ("tallied", ""): 8, ("over_user_limit", "2026-01-01"): 4,
    }  # fmt: skip
    assert result.accounts() == run_bounded([chunk([*shared, *nobody])], limited).accounts()
    assert result.cells()[START_S * 1_000_000, "day", "overall", "all", "all", "all"][:2] == (8, 1)
    assert imbalance(last_revision(result)) is None


def one_of_every_fate() -> list[dict[str, Any]]:
    """Returns events for every account, including a conversation too long to keep whole."""
    days_later = said("late", 0, published_at_us=(START_S + 3 * DAY_S) * 1_000_000)
    refused = [said("r1", 1, role="ROBOT"), said("r2", 2, role="ROBOT"), said("", 3)]
    system = said("s", 9, role="SYSTEM")
    long = [said(f"l{i}", i, "long") for i in range(300)]
    return [said("1", 0), said("1", 0), said("2", 5), said("3", 5, "d"), days_later,
            *refused, system, *long, long[7]]  # fmt: skip


def test_every_account_of_the_ledger_ends_as_the_batch_run_s() -> None:
    """In any order of arrival, each record, conversation and tally is counted once, by reason."""
    events = one_of_every_fate()
    steps = [events[:100], events[50:], events[:2]]
    streamed = run_unbounded(steps)
    assert streamed.accounts() == {
        ("read", ""): 100 + 260 + 2, ("counted", ""): 3 + 256, ("duplicate", ""): 3,
        ("sampled", ""): 91 + 260 - 256, ("system_turn", ""): 1, ("late", ""): 1,
        ("dead_letter", "invalid_role"): 2, ("dead_letter", "missing_event_id"): 1,
        ("conversation", ""): 3, ("tallied", ""): 3,
    }  # fmt: skip
    assert streamed.accounts() == run_bounded([chunk(step) for step in steps]).accounts()


def test_the_last_revision_of_a_run_is_its_whole_ledger() -> None:
    """The last revision of a run has every account once, and all its accounts are from that run."""
    events = one_of_every_fate()
    clocked = replace(EXACT, clock=wall_clock_us)
    result = run_unbounded([events[:5], events[5:]], clocked)
    assert {total.run for total in result.ledger} == {EXACT.revision}
    assert len({total.revision for total in result.ledger}) > 1
    last = [(total.account, total.reason) for total in last_revision(result)]
    assert sorted(last) == sorted({(t.account, t.reason) for t in result.ledger})
    assert imbalance(last_revision(result)) is None


def open_at_drain(result: Result) -> dict[str, int]:
    """Returns the number of conversations open at the end, by day."""
    return {day: n for (account, day), n in result.accounts().items() if account == "open_at_drain"}


def test_a_drain_counts_the_conversations_that_are_open() -> None:
    """Open conversations are counted by the day they began; those already closed are left out."""
    gap = int(EXACT.session_gap.total_seconds())
    now_s = DAY_S + 3 * HOUR_S
    events = [said("1", DAY_S - 60), said("2", DAY_S + 60), said("3", DAY_S, "d"),
              said("4", now_s - gap, "closed"), said("5", now_s - gap + 1, "e")]  # fmt: skip
    now = stopped_at((START_S + now_s) * 1_000_000)
    result = run_unbounded([events], replace(EXACT, clock=now))
    assert open_at_drain(result) == {"2026-01-01": 2, "2026-01-02": 1}
    assert open_at_drain(run_unbounded([events])) == {}


def test_a_drain_takes_in_what_has_not_fired() -> None:
    """Messages of the last firing period join the published conversations.

    Each open conversation is counted once.
    """
    first, last = [said("1", 0), said("2", 5, "d")], [said("3", 10), said("4", 15, "e")]
    stream = test_stream.TestStream().add_elements([chunk(first)])
    for _ in range(4):
        stream.advance_processing_time(FIRING_S)
    stream.add_elements([chunk(last)]).advance_watermark_to_infinity()
    drained = run_stream(stream, replace(EXACT, clock=stopped_at((START_S + 20) * 1_000_000)))
    batch = run_bounded([chunk([*first, *last])])
    assert drained.cells() == batch.cells()
    assert drained.accounts() == batch.accounts() | {("open_at_drain", "2026-01-01"): 3}

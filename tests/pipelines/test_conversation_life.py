"""Tests when the stream forgets a conversation and closes a day if clocks disagree."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.records import PayloadChunk
from tests.pipelines.running import EXACT, chunk, run_bounded, run_unbounded
from tests.pipelines.timelines import (
    DAY_S,
    HOUR_S,
    START_S,
    conversations,
    last_revision,
    original_publish_time,
    received,
    said,
)
from transforms.counting.cells import day_of
from transforms.counting.ledger import imbalance

LIFE_S = EXACT.firings.conversation_life.days * DAY_S
GAP_S = int(EXACT.session_gap.total_seconds())
SKEW_S = EXACT.limits.max_future_us // 1_000_000


def again(event: dict[str, Any], at_s: float) -> PayloadChunk:
    """Returns an event that was published in time, and is published again at `at_s`."""
    first_s = event["sent_at_us"] / 1_000_000 - START_S
    return received(event, at_s, **original_publish_time(first_s))


def test_a_day_past_its_life_changes_no_more() -> None:
    """Messages for a day that is past the conversation life write no row.

    The ledger counts the conversations of these messages.
    """
    days = EXACT.firings.conversation_life.days + 2
    old, new = said("2", 60, "d"), said("3", days * DAY_S, "e")
    before = run_unbounded([[said("1", 0)]])
    result = run_unbounded([[said("1", 0)], START_S + days * DAY_S, [old, new]])
    assert result.accounts()["past_life", "2026-01-01"] == 1
    assert imbalance(last_revision(result)) is None
    of_the_day = [r for r in result.rows if day_of(r.window_start_us) == START_S * 1_000_000]
    assert of_the_day == before.rows
    assert len(result.rows) == 2 * len(of_the_day)


def test_an_event_that_claims_a_future_publish_time_is_refused() -> None:
    """A message that claims a publish time 40 days ahead is refused; the nine others count."""
    ahead_s = 40 * DAY_S
    timeline = [received(said(str(i), i * HOUR_S), i * HOUR_S) for i in range(9)]
    future = received(said("future", ahead_s), 3 * HOUR_S, **original_publish_time(ahead_s))
    result = run_unbounded([*timeline[:3], future, *timeline[3:]])
    assert result.accounts() == {
        ("read", ""): 10, ("counted", ""): 9, ("dead_letter", "from_the_future"): 1,
        ("conversation", ""): 1, ("tallied", ""): 1,
    }  # fmt: skip
    (letter,) = result.dead_letters
    assert letter.published_at_us == (START_S + 3 * HOUR_S) * 1_000_000


def test_revisions_of_a_closed_day_are_counted() -> None:
    """If a conversation grows after its day is closed, the ledger counts its revisions.

    The conversation gets a message every 14 hours, and becomes long only after the closing.
    """
    every_s = 14 * HOUR_S
    events = [said(str(i), i * every_s) for i in range(55)]
    closed_s = (EXACT.firings.conversation_life.days + 1) * DAY_S + HOUR_S
    assert 49 * every_s < closed_s < 50 * every_s  # The 51st message comes later.
    after = [received(events[i], i * every_s) for i in range(50, 55)]
    result = run_unbounded([events[:50], START_S + closed_s, *after])
    batch = run_bounded([chunk(events)])
    assert conversations(batch.cells(), "long", "all") == 1
    assert conversations(result.cells(), "long", "all") == 0
    assert result.accounts() == batch.accounts() | {("revisions_past_life", "2026-01-01"): 5}
    assert imbalance(last_revision(result)) is None


def test_a_clock_that_runs_ahead_makes_nothing_be_forgotten_early() -> None:
    """A message dated five minutes ahead drops no span that another message may still join."""
    last_s = GAP_S + LIFE_S
    first, ahead = said("1", 1), said("3", last_s + SKEW_S)
    edge = said("2", GAP_S)
    result = run_unbounded([received(first, 1), received(ahead, last_s), again(edge, last_s)])
    assert result.cells() == run_bounded([chunk([first, edge, ahead])]).cells()
    assert result.accounts()["conversation", ""] == 2


@pytest.mark.parametrize("ahead_s", [0, SKEW_S - 1])
def test_a_watermark_that_runs_ahead_makes_nothing_be_forgotten_early(ahead_s: int) -> None:
    """Spans, users and days are kept longer by as much as clocks may differ from the watermark."""
    last_s = GAP_S + LIFE_S
    first, edge = said("1", 0), said("2", GAP_S)
    result = run_unbounded([received(first, 0), START_S + last_s + ahead_s, again(edge, last_s)])
    assert result.cells() == run_bounded([chunk([first, edge])]).cells()
    assert result.accounts() == {
        ("read", ""): 2, ("counted", ""): 2, ("conversation", ""): 1, ("tallied", ""): 1,
    }  # fmt: skip


def test_the_last_message_of_a_day_is_counted_behind_a_watermark_that_runs_ahead() -> None:
    """A day is closed only when none of its messages can still be accepted."""
    at_s = DAY_S - 1
    event = said("2", at_s, "d")
    watermark_s = START_S + at_s + LIFE_S + SKEW_S
    result = run_unbounded([received(said("1", 0), 0), watermark_s, again(event, at_s + LIFE_S)])
    assert result.accounts()["tallied", ""] == 2
    assert ("past_life", "2026-01-01") not in result.accounts()

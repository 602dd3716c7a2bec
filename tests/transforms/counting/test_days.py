"""Tests that a backfill of some days gives the same result for them as counting everything."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.records import ScoredMessage
from tests.builders import GAP_US, HOUR_US, MONDAY_US, scored
from transforms.conversation.spans import Span, fold
from transforms.counting.cells import DAY_US, day_of
from transforms.counting.days import DayRange, date_of, start_of

MONDAY: Final = date(2025, 6, 2)
GAP: Final = timedelta(hours=24)
WEEK: Final = timedelta(days=7)


def day_range(first: int = 0, last: int = 0, margin: timedelta = WEEK, **more: int) -> DayRange:
    """Returns the range between two days, counted from Monday."""
    day = timedelta(days=1)
    return DayRange.of(MONDAY + first * day, MONDAY + last * day, GAP, margin, **more)


def test_days_have_starts_and_dates() -> None:
    """Start and date of a day convert into each other; any instant of the day gives its date."""
    assert start_of(MONDAY) == MONDAY_US
    assert date_of(MONDAY_US + 5 * HOUR_US) == MONDAY
    assert list(day_range(0, 2).starts()) == [MONDAY_US, MONDAY_US + DAY_US, MONDAY_US + 2 * DAY_US]


def test_both_ends_are_included() -> None:
    """The range is from the first instant of the first day to the last instant of the last day."""
    asked = day_range(0, 1)
    inside = (MONDAY_US, MONDAY_US + 2 * DAY_US - 1)
    outside = (MONDAY_US - 1, MONDAY_US + 2 * DAY_US)
    assert [asked.has(us) for us in (*inside, *outside)] == [True, True, False, False]


def test_messages_of_the_margins_count() -> None:
    """Messages count from one gap before the range to one margin after the range, or to now."""
    asked = day_range()
    assert (asked.sent_from_us, asked.sent_before_us) == (
        MONDAY_US - GAP_US,
        MONDAY_US + 8 * DAY_US,
    )
    assert asked.is_said_in_time(asked.sent_from_us)
    assert not asked.is_said_in_time(asked.sent_before_us)
    now_us = MONDAY_US + 2 * DAY_US
    assert day_range(now_us=now_us).sent_before_us == now_us


def test_a_conversation_near_the_end_may_go_on() -> None:
    """A conversation may go on if its last message is within one gap of `sent_before_us`."""
    asked = day_range(margin=GAP)
    assert asked.may_go_on(asked.sent_before_us - GAP_US)
    assert not asked.may_go_on(asked.sent_before_us - GAP_US - 1)


@pytest.mark.parametrize(
    ("last", "margin", "sentence"),
    [
        (-1, WEEK, "the last day 2025-06-01 is before the first, 2025-06-02; swap the two"),
        (0, timedelta(hours=1), "margin must be at least session_gap"),
    ],
)
def test_an_impossible_range_is_refused(last: int, margin: timedelta, sentence: str) -> None:
    """The error shows the value and says what to do."""
    with pytest.raises(ValueError, match=sentence):
        day_range(0, last, margin)


def conversations(messages: list[ScoredMessage]) -> list[Span]:
    """Returns the conversations of one id, in time order."""
    return fold(messages, GAP_US)


@given(
    hours=st.lists(st.integers(-80, 160), min_size=1, max_size=12, unique=True),
    first=st.integers(0, 2),
    length=st.integers(0, 2),
    jitter_us=st.sampled_from([0, 1, -1]),
)
def test_a_range_counts_the_same_as_counting_everything(
    hours: list[int], first: int, length: int, jitter_us: int
) -> None:
    """Messages outside the margins do not change a conversation that begins in the range."""
    asked = day_range(first, first + length, timedelta(days=8))
    said = [scored(h, at_us=h * HOUR_US + jitter_us) for h in hours]
    whole = [c for c in conversations(said) if asked.has(c.first_at_us)]
    kept = [m for m in said if asked.is_said_in_time(m.sent_at_us)]
    assert [c for c in conversations(kept) if asked.has(c.first_at_us)] == whole
    assert {day_of(c.first_at_us) for c in whole} <= set(asked.starts())


def test_the_margin_before_is_as_small_as_possible() -> None:
    """A message exactly one gap before the range matters; one microsecond earlier it does not."""
    asked = day_range()
    edge, inside = scored("a", at_us=-GAP_US), scored("b", at_us=0)
    assert asked.is_said_in_time(edge.sent_at_us)
    assert len(conversations([edge, inside])) == 1
    earlier = scored("a", at_us=-GAP_US - 1)
    assert not asked.is_said_in_time(earlier.sent_at_us)
    assert len(conversations([earlier, inside])) == 2

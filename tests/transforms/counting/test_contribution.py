"""Tests that a limited number of a user's conversations count, the same in any order."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import HOUR_US, MONDAY_US, SECOND_US, rank_for, summary
from transforms.counting import contribution
from transforms.counting.cells import DAY_US
from transforms.counting.contribution import (
    rank_of,
    record_key,
    remembered_ids,
    within_limit,
)


def test_a_rank_is_the_end_of_the_conversations_hash() -> None:
    """The rank has 8 bytes, and none of them is among those that an alert shows."""
    assert rank_of(bytes(range(24))) == bytes(range(16, 24))


@settings(deadline=None, max_examples=80)
@given(st.data(), st.integers(1, 6))
def test_the_smallest_ranks_count(data: st.DataObject, limit: int) -> None:
    """In any order the same conversations count, and the number over the limit is returned."""
    ranked = [(rank_for(i), summary(at_s=i)) for i in range(data.draw(st.integers(0, 9)))]
    counted, over = within_limit(data.draw(st.permutations(ranked)), limit)
    assert sorted(counted) == sorted(ranked)[:limit]
    assert over.total() == max(0, len(ranked) - limit)


def test_the_limit_holds_for_each_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each day has a limit of its own, however many conversations a shared user has."""
    monkeypatch.setattr(contribution, "_LEAST_SPARE", 2)
    ranked = [(rank_for(i), summary(at_s=i + day * 86_400)) for i in range(50) for day in (0, 1)]
    counted, over = within_limit(ranked, 3)
    smallest = sorted({each for each, _ in ranked})[:3]
    assert sorted(each for each, _ in counted) == sorted(smallest * 2)
    assert over == {MONDAY_US: 47, MONDAY_US + DAY_US: 47}


def test_the_earliest_hours_of_one_id_count() -> None:
    """Conversations of one id share a rank; among them, the ones in the earliest hours count."""
    day = [
        (rank_for("group chat"), summary(at_s=hour * HOUR_US / SECOND_US)) for hour in (5, 0, 7, 3)
    ]
    counted, over = within_limit(day, 2)
    assert counted == [day[1], day[3]]
    assert over.total() == 2


def test_a_record_key_is_not_the_rank_that_decides() -> None:
    """The conversations with the smallest ranks count, so record keys use the other bytes."""
    assert record_key(bytes([9, 9, 9, 9, 0, 0, 1, 2])) == 258


def test_the_stream_remembers_spare_conversations() -> None:
    """A user's day remembers as many spare conversations as the limit, and at least 256."""
    assert [remembered_ids(limit) - limit for limit in (1, 100, 256, 1000)] == [256, 256, 256, 1000]

"""Tests that a limited number of a user's conversations count, the same in any order."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import HOUR_US, SECOND_US, summary
from transforms.counting.contribution import rank_of, remembered_ids, within_limit


def test_a_rank_depends_on_the_conversation_only() -> None:
    """Equal ids have equal ranks in every release, and different ids have different ranks."""
    assert rank_of(bytes(16)).hex() == "dfaa52c212d856da"
    assert rank_of(bytes(15) + b"\1") != rank_of(bytes(16))


@settings(deadline=None, max_examples=80)
@given(st.data(), st.integers(1, 6))
def test_the_smallest_ranks_count(data: st.DataObject, limit: int) -> None:
    """In any order the same conversations count, and the number over the limit is returned."""
    ranked = [(rank_of(bytes([i])), summary(at_s=i)) for i in range(data.draw(st.integers(0, 9)))]
    counted, over = within_limit(data.draw(st.permutations(ranked)), limit)
    assert sorted(counted, key=str) == sorted((s for _, s in sorted(ranked)[:limit]), key=str)
    assert over == max(0, len(ranked) - limit)


def test_the_earliest_hours_of_one_id_count() -> None:
    """Conversations of one id share a rank; among them, the ones in the earliest hours count."""
    rank = rank_of(b"group chat")
    day = [(rank, summary(at_s=hour * HOUR_US / SECOND_US)) for hour in (5, 0, 7, 3)]
    counted, over = within_limit(day, 2)
    assert [s.started_at_us for s in counted] == [day[1][1].started_at_us, day[3][1].started_at_us]
    assert over == 2


def test_the_stream_remembers_spare_conversations() -> None:
    """A user's day remembers as many spare conversations as the limit, and at least 256."""
    assert [remembered_ids(limit) - limit for limit in (1, 100, 256, 1000)] == [256, 256, 256, 1000]

"""Tests that a user's day equals the batch after changes in any order, and stays small."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.records import SignedSummary
from tests.builders import rank_for, summary
from tests.counted import totals_of
from tests.random_days import summaries
from transforms.counting import user_day
from transforms.counting.cells import NOTHING, WHOLE_DAY
from transforms.counting.contribution import (
    Rank,
    RankedSummary,
    remembered_ids,
    within_limit,
)
from transforms.counting.profile import Profile, profile_of
from transforms.counting.totals import DayTotals
from transforms.counting.user_day import UserDay

LIMIT = 100

Change = tuple[Rank, SignedSummary]


class Ended(NamedTuple):
    """A user's day after some changes, and the sum of everything that the changes added."""

    day: UserDay
    totals: DayTotals
    counted: Counter[tuple[Rank, Profile]]
    over_limit: int
    shortfall: int


def after(changes: Iterable[Change], limit: int = LIMIT) -> Ended:
    """Applies changes one after another, and encodes and decodes the day before each change."""
    ended = Ended(UserDay(), DayTotals(), Counter(), 0, 0)
    for rank, change in changes:
        update = UserDay.decode(ended.day.encode()).apply(rank, change, limit)
        for each in update.counted:
            ended.counted[each.rank, each.profile] += each.after - each.before
        ended = Ended(
            update.user_day,
            ended.totals.add_all(update.added),
            ended.counted,
            ended.over_limit + update.over_limit,
            ended.shortfall + update.shortfall,
        )
        assert ended.totals.get(WHOLE_DAY, NOTHING).conversations <= limit
    return ended


def added(numbers: Iterable[int], sign: int = 1) -> list[Change]:
    """Returns changes that add or take back one conversation for each number."""
    return [(rank_for(n), SignedSummary(sign, summary(human_messages=n % 60))) for n in numbers]


@st.composite
def revised(draw: st.DrawFn) -> tuple[list[RankedSummary], list[Change]]:
    """Draws changes to conversations, and the conversations that are left after the changes.

    Some ids have several conversations on the day.
    """
    left, changes = list[RankedSummary](), list[Change]()
    user = st.builds(lambda s: msgspec.structs.replace(s, user="u"), summaries())
    for _ in range(draw(st.integers(0, 12))):
        rank = rank_for(draw(st.integers(0, 7)))
        versions = draw(st.lists(user, min_size=1, max_size=3))
        for version in versions:
            changes += [(rank, SignedSummary(1, version)), (rank, SignedSummary(-1, version))]
        if draw(st.booleans()):
            changes.pop()
            left.append((rank, versions[-1]))
    return left, draw(st.permutations(changes))


@settings(deadline=None, max_examples=100)
@given(revised(), st.integers(1, 8))
def test_any_order_of_changes_ends_like_the_batch(
    made: tuple[list[RankedSummary], list[Change]], limit: int
) -> None:
    """The changes add up to the totals of the conversations that count in a batch."""
    left, changes = made
    counted, over_limit = within_limit(left, limit)
    ended = after(changes, limit)
    assert ended.totals == totals_of(counted)
    assert +ended.counted == Counter((rank, profile_of(s)) for rank, s in counted)
    assert -ended.counted == Counter()
    assert (ended.over_limit, ended.shortfall) == (over_limit.total(), 0)


@settings(deadline=None, max_examples=100)
@given(revised(), st.integers(1, 4))
def test_what_a_full_memory_misses_is_counted(
    made: tuple[list[RankedSummary], list[Change]], limit: int
) -> None:
    """With only one spare id, a day may miss conversations of the batch, but counts how many."""
    left, changes = made
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(user_day, "remembered_ids", lambda limit: limit + 1)
        ended = after(changes, limit)
    batch = len(within_limit(left, limit)[0])
    assert 0 <= ended.shortfall <= batch
    if ended.shortfall < batch:
        assert ended.totals == totals_of(within_limit(left, batch - ended.shortfall)[0])
    else:
        assert ended.totals == {}
    assert ended.over_limit == len(left) - batch + ended.shortfall
    assert len({known.rank for known in ended.day.known}) <= limit + 1


def test_the_memory_of_a_shared_user_is_bounded() -> None:
    """Conversations that are not remembered take no state, and are counted as over the limit."""
    full = after(added(range(remembered_ids(LIMIT))))
    many = after(added(range(4 * remembered_ids(LIMIT))))
    assert len(many.day.encode()) < 1.05 * len(full.day.encode()) < 32_768
    assert many.over_limit == 4 * remembered_ids(LIMIT) - LIMIT
    assert many.totals[WHOLE_DAY][:2] == (LIMIT, 1)


def test_a_change_costs_the_same_for_any_number_of_conversations(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A change compares as many profiles with 2,000 conversations as with 400."""
    compared = list[int]()

    def counting(_: Iterable[object], profiles: Sequence[object]) -> set[object]:
        compared.append(len(profiles))
        return set()

    monkeypatch.setattr(user_day, "cells_without", counting)
    few, many = (after(added(range(n))).day for n in (400, 2000))
    for day in (few, many):
        assert len(day.known) <= remembered_ids(LIMIT)
        day.apply(bytes(8), SignedSummary(1, summary()), LIMIT)
    assert compared[-2:] == [LIMIT - 1] * 2


def test_a_conversation_that_leaves_lets_the_next_count() -> None:
    """If no more conversations leave than there are spares, the totals equal the batch's."""
    everyone = range(4 * LIMIT)
    in_order = sorted(everyone, key=rank_for)
    spare = remembered_ids(LIMIT) - LIMIT
    leaving, staying = in_order[:spare], in_order[spare:]
    ended = after([*added(everyone), *added(leaving, -1)])
    left = [(rank, change.summary) for rank, change in added(staying)]
    assert ended.totals == totals_of(within_limit(left, LIMIT)[0])
    assert (ended.over_limit, ended.shortfall) == (len(staying) - LIMIT, 0)
    one_more = after([*added(everyone), *added(in_order[: spare + 1], -1)])
    assert (one_more.totals[WHOLE_DAY].conversations, one_more.shortfall) == (LIMIT - 1, 1)


def test_a_forgotten_conversation_may_leave() -> None:
    """If a forgotten conversation is taken back, only the number over the limit decreases."""
    in_order = sorted(range(4 * LIMIT), key=rank_for)
    before = after([*added(in_order), *added(in_order[:1], -1)])
    ended = after([*added(in_order), *added(in_order[:1], -1), *added(in_order[-1:], -1)])
    assert ended.totals == before.totals
    assert ended.over_limit == before.over_limit - 1


def test_revisions_do_not_use_up_the_memory() -> None:
    """If new summaries come before the old ones are taken back, no id is forgotten."""
    ids = range(remembered_ids(LIMIT))
    longer = [(rank_for(n), SignedSummary(1, summary(human_messages=99))) for n in ids]
    ended = after([*added(ids), *longer, *added(ids, -1)])
    assert ended.day == after(longer).day
    assert ended.day.edge is None


@pytest.mark.parametrize(("before", "then"), [(8, 3), (3, 8)])
def test_a_limit_may_change_with_an_update(before: int, then: int) -> None:
    """From the next change on, a user's day counts by the new limit."""
    ended = after(added(range(20)), before)
    (change,) = added([20])
    update = ended.day.apply(*change, then)
    expected = after(added(range(21)), then)
    assert ended.totals.add_all(update.added) == expected.totals
    assert (ended.over_limit + update.over_limit, update.shortfall) == (expected.over_limit, 0)


def test_a_user_day_is_a_value() -> None:
    """Applying a change does not modify the day that it is applied to."""
    before = after(added([1])).day
    encoded = before.encode()
    before.apply(*added([2])[0], LIMIT)
    assert before.encode() == encoded == UserDay.decode(encoded).encode()


def test_a_user_day_of_another_version_is_refused() -> None:
    """The bytes of a different version are refused, not misread."""
    with pytest.raises(ValueError, match="version 9"):
        UserDay.decode(msgspec.msgpack.encode((9, [], 0, None, 0, [])))

"""Tests that a bounded run's sums equal plain counting in every kind of window."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.records import ConversationSummary
from tests.builders import HOUR_US, MONDAY_US, SECOND_US, rank_for, summary
from transforms.counting.builder import WHOLE_RANGE, CountsBuilder
from transforms.counting.candidates import candidate_of
from transforms.counting.cells import DAY_US, Sums
from transforms.counting.contribution import RankedSummary, record_key
from transforms.counting.places import Place, add_cells
from transforms.counting.profile import profile_of
from transforms.counting.totals import PlaceKey, place_key, whole_hour
from transforms.counting.windows import (
    Window,
    day_window,
    hour_of,
    month_of,
    range_of,
    week_of,
    windows_in,
)
from transforms.facets.registry import SUMMING_CHANGE

HOURS = st.sampled_from([0, 1, 2, 25, 26, 24 * 6, 24 * 7, 24 * 27, 24 * 29, 24 * 29 + 3])
"""Hours after a Monday: of the same day, the same week, the same month, and later ones."""


@st.composite
def conversations(draw: st.DrawFn) -> list[RankedSummary]:
    """Draws conversations of a few users over five weeks."""
    return [
        (
            rank_for(number),
            summary(
                draw(st.sampled_from(["ada", "bob", ""])),
                at_s=draw(HOURS) * HOUR_US / SECOND_US,
                platform=draw(st.sampled_from(["web", "ios"])),
                types=draw(st.sampled_from([[], ["coaching"]])),
                human_messages=draw(st.sampled_from([3, 6, 60])),
                change=-4,
            ),
        )
        for number in range(draw(st.integers(0, 8)))
    ]


def windows_of(found: ConversationSummary) -> list[Window]:
    """Returns the windows that a conversation belongs to."""
    at_us = found.started_at_us
    return [hour_of(at_us), day_window(at_us), week_of(at_us), month_of(at_us), WHOLE_RANGE]


def counted_plainly(found: list[RankedSummary]) -> dict[PlaceKey, dict[int, Sums]]:
    """Counts each window on its own, with a set of users for each cell."""
    users: defaultdict[tuple[Any, ...], set[str]] = defaultdict(set)
    cells: defaultdict[PlaceKey, dict[int, Sums]] = defaultdict(dict)
    for rank, conversation in found:
        change = conversation.sentiment_change_300ths or 0
        for window in windows_of(conversation):
            for breakdown, value, slices in profile_of(conversation).slices():
                key = place_key(window, Place(breakdown, value))
                for index in slices:
                    known = users[key, index]
                    is_new = bool(conversation.user) and conversation.user not in known
                    known.add(conversation.user)
                    changes = (change, change * change) if index in SUMMING_CHANGE else (0, 0)
                    added = Sums(1, int(is_new), record_key(rank), *changes)
                    add_cells(cells[key], {index: added})
    return cells


def built(found: list[RankedSummary], builder: CountsBuilder) -> dict[PlaceKey, dict[int, Sums]]:
    """Counts with the builder, user by user."""
    for user in {s.user for _, s in found if s.user}:
        builder.add_user([each for each in found if each[1].user == user])
    for each in found:
        if not each[1].user:
            builder.add_user([each])
    return {key: change.cells for key, change in builder.places()}


@settings(deadline=None, max_examples=150)
@given(conversations())
def test_all_windows_are_counted_as_if_each_were_alone(found: list[RankedSummary]) -> None:
    """Hours, days, weeks, months and the range have exact sums and distinct users."""
    assert built(found, CountsBuilder()) == counted_plainly(found)


@settings(deadline=None, max_examples=50)
@given(conversations(), conversations())
def test_bundles_add_up(one: list[RankedSummary], two: list[RankedSummary]) -> None:
    """The sums of two bundles with different users are the sums of their union."""
    others = [(rank, summary("eve", at_s=(s.started_at_us - MONDAY_US) / SECOND_US))
              for rank, s in two]  # fmt: skip
    together = built(one + others, CountsBuilder())
    apart = built(one, CountsBuilder())
    for key, cells in built(others, CountsBuilder()).items():
        apart[key] = add_cells(apart.get(key, {}), cells)
    assert apart == together


def test_a_backfill_counts_whole_weeks_and_months_only() -> None:
    """Of the longer windows, only those within the days that were asked for are counted."""
    longer = windows_in(MONDAY_US, MONDAY_US + 8 * DAY_US)
    assert longer == [week_of(MONDAY_US), range_of(MONDAY_US, MONDAY_US + 8 * DAY_US)]
    found = [(rank_for(1), summary(at_s=8 * 86_400)), (rank_for(2), summary())]
    counted = built(found, CountsBuilder(longer))
    assert {Window(*key[:3]) for key in counted if key[0] not in {"hour", "day"}} == set(longer)
    week = counted[place_key(longer[0], Place(0, "all"))]
    assert {sums.conversations for sums in week.values()} == {1}


def test_a_bundle_keeps_few_candidates() -> None:
    """Of many conversations of an hour, those with the smallest priorities are kept."""
    found = [(rank_for(number), summary()) for number in range(100)]
    builder = CountsBuilder(most_candidates=3)
    for each in found:
        builder.add_user([each])
    kept = dict(builder.places())[whole_hour(MONDAY_US)].candidates
    ordered = sorted(candidate_of(rank, MONDAY_US, profile_of(s)) for rank, s in found)
    assert kept.present() == ordered[:3]
    assert kept.edge == ordered[3].priority

"""Tests the cells that a conversation counts in, the users of a cell, and the sums of totals."""

from __future__ import annotations

from itertools import groupby

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.breakdowns import BREAKDOWNS
from schemas.labels import PUSHBACK_REASONS, PUSHBACK_TYPES, TYPES, USES
from schemas.records import ConversationSummary
from tests.builders import HOUR_US, MONDAY_US, summary
from tests.counted import ranked, totals_of
from tests.golden.ids import FACET_IDS
from tests.random_days import summaries
from transforms.counting.cells import (
    BREAKDOWN_IDS,
    DAY,
    DAY_US,
    LENGTH,
    OVERALL,
    Cell,
    Sums,
    day_of,
)
from transforms.counting.places import Place
from transforms.counting.profile import profile_of
from transforms.counting.totals import DayTotals, PlaceChange, place_key
from transforms.counting.windows import day_window, hour_of
from transforms.facets.facet import ALL
from transforms.facets.lengths import LENGTHS, length_of
from transforms.facets.registry import INDEX, SLICES, Slice

CELLS = st.builds(
    Cell, st.integers(-1, 1), st.integers(0, 2), st.sampled_from(["all", "DE"]), st.integers(0, 3)
)
NUMBERS = st.integers(-3, 3)
ENTRIES = st.lists(st.tuples(CELLS, st.builds(Sums, NUMBERS, NUMBERS, NUMBERS, NUMBERS, NUMBERS)))


def totals_from(entries: list[tuple[Cell, Sums]]) -> DayTotals:
    """Adds entries one by one."""
    totals = DayTotals()
    for cell, sums in entries:
        totals.add(cell, sums)
    return totals


def cells_of(found: ConversationSummary) -> list[tuple[Cell, Sums]]:
    """Returns the cells of a conversation, whose record key is 7, and the sums to add."""
    return list(profile_of(found).cells(7))


def names_of(found: ConversationSummary) -> set[str]:
    """Returns the slices of released facets that a summary counts in, as `facet:value`."""
    slices = [SLICES[cell.slice_index] for cell, _ in cells_of(found)]
    return {":".join(slice_) for slice_ in slices if slice_.facet in FACET_IDS}


@settings(deadline=None, max_examples=100)
@given(ENTRIES, ENTRIES, ENTRIES)
def test_totals_add_like_numbers(
    one: list[tuple[Cell, Sums]], two: list[tuple[Cell, Sums]], three: list[tuple[Cell, Sums]]
) -> None:
    """Addition is associative and commutative, has a zero, and is undone by subtraction."""
    a, b, c = totals_from(one), totals_from(two), totals_from(three)
    ab_c = DayTotals(a).add_all(b).add_all(c)
    assert (
        ab_c == DayTotals(a).add_all(DayTotals(b).add_all(c)) == DayTotals(c).add_all(b).add_all(a)
    )
    assert DayTotals(a).add_all(DayTotals()) == a
    assert DayTotals(a).add_all(b).add_all(b, -1) == a
    assert DayTotals(a).add_all(a, -1) == {}


@settings(deadline=None, max_examples=80)
@given(ENTRIES, NUMBERS)
def test_equal_changes_have_equal_bytes(entries: list[tuple[Cell, Sums]], revisions: int) -> None:
    """The bytes do not depend on the order of arrival, and decode to the change."""
    places = totals_from(entries).by_place(MONDAY_US)
    others = totals_from(entries[::-1]).by_place(MONDAY_US)
    for key, cells in places.items():
        change, other = PlaceChange(cells, revisions), PlaceChange(others[key], revisions)
        assert change.encode() == other.encode()
        assert PlaceChange.decode(change.encode()) == change


def test_totals_are_divided_by_place() -> None:
    """Each hour, and the day, has its own place for each value of a breakdown."""
    places = totals_of(ranked(summary(platform="web"), summary(platform="ios", at_s=3600)))
    divided = places.by_place(MONDAY_US)
    everyone = INDEX[Slice("all", ALL)]
    day = place_key(day_window(MONDAY_US), Place(OVERALL, ALL))
    second_hour = place_key(hour_of(MONDAY_US + HOUR_US), Place(OVERALL, ALL))
    assert divided[day][everyone].conversations == 2
    assert divided[second_hour][everyone].conversations == 1
    assert sum(map(len, divided.values())) == len(places)


@settings(deadline=None, max_examples=80)
@given(st.lists(summaries(users=1), max_size=6))
def test_each_cell_of_a_user_counts_one_user(found: list[ConversationSummary]) -> None:
    """Every cell that has at least one of a user's conversations counts one user."""
    totals = totals_of(ranked(*(s for s in found if s.user)))
    assert all(sums.users == 1 for sums in totals.values())
    assert all(sums.conversations >= 1 for sums in totals.values())


def test_a_user_counts_once_in_a_cell() -> None:
    """If two conversations of one user share a cell, the cell counts both, but only one user."""
    totals = totals_of(ranked(summary(platform="web"), summary(platform="ios", at_s=3600)))
    everyone = INDEX[Slice("all", ALL)]
    assert totals[Cell(DAY, OVERALL, ALL, everyone)][:2] == (2, 1)
    assert totals[Cell(1, OVERALL, ALL, everyone)][:2] == (1, 1)
    assert totals[Cell(DAY, BREAKDOWN_IDS["platform"], "web", everyone)][:2] == (1, 1)


def test_a_conversation_without_a_user_adds_no_user() -> None:
    """A missing id is not a user, and the conversation is not given to another user."""
    nobody = totals_of(ranked(summary(user="")))
    assert {t.users for t in nobody.values()} == {0}
    both = totals_of(ranked(summary(user=""), summary()))
    assert both[Cell(DAY, OVERALL, ALL, INDEX[Slice("all", ALL)])][:2] == (2, 1)


def test_every_measure_of_metrics_has_its_slices() -> None:
    """Each measure, and each group that docs/metrics.md reports it for, is one slice."""
    wanted = {("all", ALL)}
    wanted |= {("type", t) for t in TYPES} | {("use", u) for u in USES}
    wanted |= {(f, g) for f in ("long", "sentiment") for g in (ALL, "affective", *TYPES)}
    wanted |= {("pushback", t) for t in (ALL, *PUSHBACK_TYPES)}
    wanted |= {("pushback_reason", r) for r in PUSHBACK_REASONS}
    edges = (*TYPES, "none")
    pairs = [f"{o}>{c}" for o in edges for c in edges]
    wanted |= {(f, p) for f in ("drift", "drift_long") for p in pairs}
    wanted |= {(f, e) for f in ("opening", "opening_long") for e in edges}
    turn = ("coaching_or_counseling", "companionship")
    wanted |= {(f, t) for f in ("drift_headline", "drift_long_headline") for t in turn}
    wanted |= {("companionship_and_roleplay", "any")}
    wanted |= {("length", n) for n in LENGTHS}
    assert wanted <= set(SLICES)
    assert len(SLICES) == len(INDEX)


def test_every_breakdown_of_metrics_is_there() -> None:
    """Measures are given overall and by platform, country, language, plan, model and length."""
    wanted = {"overall", "platform", "country", "language", "plan", "model", "length"}
    assert wanted <= {breakdown.name for breakdown in BREAKDOWNS}


def test_a_plain_conversation_is_in_few_slices() -> None:
    """A short technical conversation is only in slices that each conversation has."""
    assert names_of(summary(use="technical")) == {
        "all:all", "use:technical", "length:3", "drift:none>none", "opening:none",
    }  # fmt: skip


def test_a_rich_conversation_is_in_all_its_slices() -> None:
    """A long affective conversation of two types with pushback is in all of their slices."""
    rich = summary(
        types=["coaching", "roleplay"], human_messages=51, opening="coaching",
        closing="companionship", reasons=0b11,
    )  # fmt: skip
    groups = ("all", "affective", "coaching", "roleplay")
    drift = "coaching>companionship"
    assert names_of(rich) == {
        "all:all", "use:affective", "type:coaching", "type:roleplay", "length:51-100",
        *(f"long:{g}" for g in groups), *(f"sentiment:{g}" for g in groups),
        "pushback:all", "pushback:coaching",
        "pushback_reason:self_harm", "pushback_reason:dangerous_health",
        f"drift:{drift}", f"drift_long:{drift}", "opening:coaching", "opening_long:coaching",
        *(
            f"{facet}:{value}"
            for facet in ("drift_headline", "drift_long_headline")
            for value in ("coaching_or_counseling", "companionship")
        ),
        "companionship_and_roleplay:any",
    }  # fmt: skip


@pytest.mark.parametrize("humans", [0, 3, 6, 51])
def test_each_cell_is_yielded_once(humans: int) -> None:
    """A conversation counts in each cell once for its hour and once for its day."""
    cells = [cell for cell, _ in cells_of(summary(types=["coaching"], human_messages=humans))]
    assert len(cells) == len(set(cells))
    by_day = {c._replace(hour=0) for c in cells if c.hour == DAY}
    assert by_day == {c for c in cells if c.hour != DAY}


def _breakdown(cell: Cell) -> int:
    return cell.breakdown


def test_no_number_has_two_rows() -> None:
    """A facet is left out of a breakdown whose cells already show the same numbers."""
    cells = [cell for cell, _ in cells_of(summary(types=["coaching"], human_messages=60))]
    facets = {
        breakdown: {SLICES[c.slice_index].facet for c in group}
        for breakdown, group in groupby(sorted(cells, key=_breakdown), key=_breakdown)
    }
    assert "length" not in facets[OVERALL]
    assert "long" in facets[OVERALL]
    assert not facets[LENGTH] & {"length", "long", "drift_long", "opening_long"}
    assert {"length", "long"} <= facets[BREAKDOWN_IDS["plan"]]


def test_change_is_kept_in_sentiment_cells_only() -> None:
    """Only slices of sentiment have the sums of mood changes and of their squares."""
    for cell, sums in cells_of(summary(types=["coaching"], human_messages=6, change=-5)):
        is_about_it = SLICES[cell.slice_index].facet == "sentiment"
        assert sums == (Sums(1, 0, 7, -5, 25) if is_about_it else Sums(1, 0, 7, 0, 0))


def test_a_change_of_zero_is_a_change() -> None:
    """A change of 0 counts among the conversations with a change; a missing one does not."""
    with_change = names_of(summary(human_messages=6, change=0))
    assert "sentiment:all" in with_change
    assert "sentiment:all" not in names_of(summary(human_messages=5))


@pytest.mark.parametrize(("humans", "is_long"), [(49, False), (50, False), (51, True)])
def test_long_is_strictly_more_than_fifty(humans: int, is_long: bool) -> None:
    """A conversation of 50 human messages is not long; one of 51 is."""
    found = names_of(summary(human_messages=humans))
    assert ("long:all" in found) == is_long == ("drift_long:none>none" in found)
    assert length_of(humans) == ("51-100" if is_long else "21-50")


def test_length_bins_leave_no_number_out() -> None:
    """Every number of messages has one bin. The bins are in order; the last has no upper end."""
    bins = [name for name, _ in groupby(length_of(n) for n in range(400))]
    assert bins == list(LENGTHS)
    assert length_of(10**9) == "201+"


@pytest.mark.parametrize("at_us", [MONDAY_US, MONDAY_US + 1, MONDAY_US + DAY_US - 1])
def test_a_conversation_belongs_where_it_started(at_us: int) -> None:
    """The day and hour of a conversation are the UTC day and hour of its first message."""
    found = summary(at_s=(at_us - MONDAY_US) / 1e6)
    assert day_of(at_us) == MONDAY_US
    assert {c.hour for c, _ in cells_of(found)} == {DAY, (at_us - MONDAY_US) // 3_600_000_000}


def test_equal_values_of_two_breakdowns_are_two_cells() -> None:
    """A platform and a country with the same name are counted separately."""
    totals = totals_of(ranked(summary(platform="x", country="x")))
    values = {(c.breakdown, c.value) for c in totals if c.hour == DAY}
    assert {(1, "x"), (2, "x")} <= values
    assert len(values) == len(BREAKDOWNS)

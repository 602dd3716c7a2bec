"""Tests which cells of a day are published, and with which remainders and thresholds."""

from __future__ import annotations

from collections import defaultdict
from typing import Final

import pytest
from hypothesis import given, settings

from tests.builders import summary
from tests.random_days import busy_day
from tests.transforms.publishing.days import (
    AFFECTIVE,
    EVERYONE,
    FEW,
    SEEDS,
    SIZES,
    UNSHRUNK,
    crowd,
    day_of_people,
)
from transforms.counting.cells import BREAKDOWN_IDS, DAY, OVERALL, Cell, Sums
from transforms.counting.totals import DayTotals
from transforms.facets.facet import ALL
from transforms.facets.registry import INDEX, Slice
from transforms.publishing.relations import relations_of
from transforms.publishing.suppression import NOT_PUBLISHED, Thresholds, published_cells

COUNTRY: Final = BREAKDOWN_IDS["country"]


@settings(deadline=None, max_examples=15, phases=UNSHRUNK)
@given(SIZES, SEEDS)
def test_suppression_knows_no_false_relation(size: int, seed: int) -> None:
    """The conversations of a partition add up exactly; a subset is not larger than its total."""
    totals = day_of_people(busy_day(size, seed))
    for relation in relations_of(totals):
        total, parts, is_partition = relation.total, relation.parts, relation.is_partition
        whole = totals[total].conversations
        inside = sum(totals[part].conversations for part in parts)
        assert whole == inside if is_partition else whole >= inside


@settings(deadline=None, max_examples=15, phases=UNSHRUNK)
@given(SIZES, SEEDS)
def test_every_published_cell_reaches_both_thresholds(size: int, seed: int) -> None:
    """All rows, even remainders, reach both thresholds; only remainders differ from true counts."""
    totals = day_of_people(busy_day(size, seed))
    for cell, tally in published_cells(totals, FEW).items():
        assert FEW.allow(tally.conversations, tally.users)
        assert cell.value == NOT_PUBLISHED or tally == totals[cell]


@settings(deadline=None, max_examples=15, phases=UNSHRUNK)
@given(SIZES, SEEDS)
def test_the_order_of_the_sheet_does_not_matter(size: int, seed: int) -> None:
    """Totals that were filled in a different order give the same rows, byte for byte."""
    totals = day_of_people(busy_day(size, seed))
    there = published_cells(totals, FEW)
    back = published_cells(DayTotals(reversed(totals.items())), FEW)
    assert back.encode() == there.encode()


@pytest.mark.parametrize("size", [14, 15])
def test_fifteen_users_are_enough(size: int) -> None:
    """At the default thresholds, 15 conversations of 15 users are published; 14 of 14 are not."""
    published = published_cells(day_of_people(crowd(size)), Thresholds())
    assert (Cell(DAY, OVERALL, ALL, EVERYONE) in published) == (size == 15)


@pytest.mark.parametrize(("users", "conversations", "is_out"), [
    (14, 30, False), (15, 30, True), (30, 30, True),
])  # fmt: skip
def test_both_thresholds_must_be_reached(users: int, conversations: int, is_out: bool) -> None:
    """Many conversations of too few users are withheld."""
    found = [summary(f"u{i % users}") for i in range(conversations)]
    published = published_cells(day_of_people(found), Thresholds())
    assert (Cell(DAY, OVERALL, ALL, EVERYONE) in published) == is_out


def test_conversations_without_user_do_not_count_towards_the_users() -> None:
    """A hundred conversations without a user are not published."""
    assert published_cells(day_of_people([summary("") for _ in range(100)]), Thresholds()) == {}


def test_thresholds_of_one_publish_everything() -> None:
    """With thresholds of 1 all conversations are shown, even those without a user."""
    totals = day_of_people([summary(""), summary(country="DE")])
    assert published_cells(totals, Thresholds(1, 1)) == totals


@pytest.mark.parametrize("name", ["min_users", "min_conversations"])
def test_a_threshold_below_one_is_refused(name: str) -> None:
    """The error shows the value and names the default."""
    with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0; the default is 15"):
        Thresholds(**{name: 0})


def test_one_small_country_takes_another_with_it() -> None:
    """If only one value is small, the next smallest is withheld too, so subtraction fails."""
    found = [
        each
        for name, size in (("DE", 9), ("FR", 5), ("IT", 2))
        for each in crowd(size, name, country=name)
    ]
    published = published_cells(day_of_people(found), FEW)
    of_country = {
        cell.value: tally
        for cell, tally in published.items()
        if cell[:2] == (DAY, COUNTRY) and cell.slice_index == EVERYONE
    }
    assert set(of_country) == {"DE", NOT_PUBLISHED}
    assert of_country[NOT_PUBLISHED] == Sums(7, 7, 0, 0)
    assert Cell(DAY, OVERALL, ALL, EVERYONE) in published


def test_the_remainder_never_claims_too_many_users() -> None:
    """A remainder's users are a lower bound: users of published cells are not counted."""
    travellers = [s for name in ("DE", "FR", "IT") for s in crowd(5, "u", country=name)]
    more = crowd(4, "x", country="DE") + crowd(2, "y", country="CH")
    of_country: defaultdict[str, set[str]] = defaultdict(set)
    for each in travellers + more:
        of_country[each.breakdowns[1]].add(each.user)
    published = published_cells(day_of_people(travellers + more), Thresholds(6, 3))
    for cell, tally in published.items():
        if cell.value == NOT_PUBLISHED and cell[:2] == (DAY, COUNTRY):
            names = {n for n in of_country if cell._replace(value=n) not in published}
            assert tally.users <= len({user for name in names for user in of_country[name]})


def test_a_sheet_in_the_middle_of_a_revision_is_no_error() -> None:
    """A cell whose conversations cancel out for a moment is withheld, and causes no error."""
    slice_ = INDEX[Slice("sentiment", ALL)]
    passing = Sums(0, 0, 3, 9)
    totals = DayTotals({Cell(hour, OVERALL, ALL, slice_): passing for hour in (DAY, 4)})
    assert published_cells(totals, FEW) == {}


@settings(deadline=None, max_examples=15, phases=UNSHRUNK)
@given(SIZES, SEEDS)
def test_retractions_ahead_of_their_replacements_are_no_error(size: int, seed: int) -> None:
    """If conversations are subtracted before they are added, no small cell is published."""
    totals = day_of_people(busy_day(size, seed))
    totals.add_all(day_of_people(busy_day(size, seed + 1)), -1)
    for tally in published_cells(totals, FEW).values():
        assert FEW.allow(tally.conversations, tally.users)


def test_the_headline_is_kept_where_another_cell_can_go() -> None:
    """A small use is protected by withholding a larger one, not the affective conversations."""
    found = [
        *crowd(5, "a", types=["coaching"]),
        *crowd(9, "b", use="work"),
        *crowd(2, "c", use="technical"),
    ]
    published = published_cells(day_of_people(found), FEW)
    seen = {c.slice_index for c in published if c[:3] == (DAY, OVERALL, ALL)}
    assert {EVERYONE, AFFECTIVE} <= seen
    assert not {INDEX[Slice("use", use)] for use in ("work", "technical")} & seen


def test_an_empty_sheet_publishes_nothing() -> None:
    """A day without conversations has no cell."""
    assert published_cells(DayTotals(), Thresholds()) == {}

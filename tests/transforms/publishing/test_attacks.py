"""Tests that an attacker who subtracts published cells learns nothing about a small cell."""

from __future__ import annotations

from hypothesis import example, given, settings

from tests.random_days import busy_day
from tests.transforms.publishing.attacker import (
    equations,
    groups,
    small_of,
    solve,
    subtract,
    unknowns_of,
    within,
)
from tests.transforms.publishing.days import (
    AFFECTIVE,
    FEW,
    SEEDS,
    SIZES,
    UNSHRUNK,
    crowd,
    day_of_people,
)
from transforms.counting.cells import DAY, LENGTH, OVERALL, Cell, Sums
from transforms.facets.registry import INDEX, Slice
from transforms.publishing.suppression import NOT_PUBLISHED, published_cells


@settings(deadline=None, max_examples=15, phases=UNSHRUNK)
@given(SIZES, SEEDS)
def test_the_attacker_has_his_definitions_right(size: int, seed: int) -> None:
    """The attacker's equations hold for real totals, and each slice fits into its larger slice."""
    totals = day_of_people(busy_day(size, seed))
    for total, parts in equations(totals):
        assert totals.get(total, Sums(0, 0, 0, 0))[0] == sum(totals[p][0] for p in parts)
    pairs = list(within())
    for cell, tally in totals.items():
        for larger, smaller in pairs:
            if cell.slice_index == smaller:
                around = totals.get(cell._replace(slice_index=larger))
                assert around is None or around.conversations >= tally.conversations


@settings(deadline=None, max_examples=30, phases=UNSHRUNK)
@given(SIZES, SEEDS)
def test_subtracting_finds_nothing_small(size: int, seed: int) -> None:
    """Chains of subtractions determine no cell below a threshold."""
    totals = day_of_people(busy_day(size, seed))
    rows = unknowns_of(totals, published_cells(totals, FEW))
    assert small_of(totals, subtract(rows), FEW) == []


@settings(deadline=None, max_examples=30, phases=UNSHRUNK)
@given(SIZES, SEEDS)
def test_solving_finds_nothing_small(size: int, seed: int) -> None:
    """Even all equations together determine no cell below a threshold."""
    totals = day_of_people(busy_day(size, seed))
    rows = unknowns_of(totals, published_cells(totals, FEW))
    assert small_of(totals, solve(rows), FEW) == []


@settings(deadline=None, max_examples=30, phases=UNSHRUNK)
@given(SIZES, SEEDS)
@example(size=40, seed=2)
@example(size=70, seed=40)
def test_no_two_published_slices_differ_by_few(size: int, seed: int) -> None:
    """If a slice and a smaller slice within it are published, the rest is empty or not small."""
    totals = day_of_people(busy_day(size, seed))
    published = published_cells(totals, FEW)
    pairs = list(within())
    for cell, tally in published.items():
        for larger, smaller in pairs:
            around = published.get(cell._replace(slice_index=larger))
            if cell.value != NOT_PUBLISHED and cell.slice_index == smaller and around is not None:
                rest = around.conversations - tally.conversations
                assert rest == 0 or rest >= FEW.min_conversations, (cell, larger)


def test_a_type_that_is_nearly_all_of_the_affective_is_held_back() -> None:
    """If the affective cell and a type differ by few conversations, not both are published."""
    found = crowd(10, "a", types=["coaching"]) + crowd(2, "b", types=["counseling"])
    published = published_cells(day_of_people(found), FEW)
    both = {AFFECTIVE, INDEX[Slice("type", "coaching")]}
    seen = {c.slice_index for c in published if c[:2] == (DAY, OVERALL)}
    assert not both <= seen


def test_lengths_by_country_are_tied_to_the_cells_of_length() -> None:
    """A small country is not revealed by the total of a length in the breakdown `length`."""
    found = [
        *crowd(9, "a", country="DE", human_messages=4),
        *crowd(8, "b", country="FR", human_messages=4),
        *crowd(2, "c", country="IT", human_messages=4),
        *crowd(8, "d", country="IT", human_messages=1),
        *crowd(7, "e", country="DE", human_messages=1),
        *crowd(7, "f", country="FR", human_messages=1),
    ]  # fmt: skip
    totals = day_of_people(found)
    rows = unknowns_of(totals, published_cells(totals, FEW))
    assert small_of(totals, subtract(rows), FEW) == []


def test_two_names_of_one_set_are_held_back_together() -> None:
    """From six messages on, a type and its sentiment slice count the same conversations."""
    found = [
        *crowd(9, "a", types=["coaching"], human_messages=6),
        *crowd(5, "b", types=["counseling"], human_messages=6),
        *crowd(2, "c", types=["coaching"], human_messages=60),
        *crowd(4, "d", human_messages=60),
        *crowd(8, "e", human_messages=4),
    ]  # fmt: skip
    totals = day_of_people(found)
    published = published_cells(totals, FEW)
    for length in ("6-10", "51-100"):
        for plain, changed in groups("sentiment"):
            pair = [Cell(DAY, LENGTH, length, index) in published for index in (plain, changed)]
            assert pair[0] == pair[1]

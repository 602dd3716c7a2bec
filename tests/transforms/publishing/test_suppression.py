"""What is published of a day gives nothing small away, not even to an attacker who subtracts.

The attacker of these tests knows every published cell, which cells are empty, and METRICS: from the
definitions alone, not from `relations_of`, he derives which cells add up to which.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from schemas.labels import AFFECTIVE_TYPES, PUSHBACK_REASONS, PUSHBACK_TYPES, TYPES
from schemas.records import ConversationSummary
from tests.builders import busy_day, summary
from transforms.counting.cells import BREAKDOWN_IDS, DAY, LENGTH, OVERALL, Cell, Sums
from transforms.counting.totals import DayTotals, totals_of
from transforms.facets.facet import ALL
from transforms.facets.lengths import LENGTHS
from transforms.facets.registry import INDEX, SLICES, Slice
from transforms.publishing.relations import relations_of
from transforms.publishing.suppression import (
    NOT_PUBLISHED,
    Thresholds,
    published_cells,
)

FEW: Final = Thresholds(min_users=3, min_conversations=3)
EVERYONE: Final = INDEX[Slice("all", ALL)]
AFFECTIVE: Final = INDEX[Slice("use", "affective")]
COUNTRY: Final = BREAKDOWN_IDS["country"]

_WITH_CHANGE: Final = LENGTHS[LENGTHS.index("6-10") :]
_LONG: Final = LENGTHS[LENGTHS.index("51-100") :]
_PRIME: Final = 2**61 - 1


def day_of_people(found: Iterable[ConversationSummary]) -> DayTotals:
    """Adds up the sheets of all users."""
    people: defaultdict[str, list[ConversationSummary]] = defaultdict(list)
    for each in found:
        people[each.user].append(each)
    totals = DayTotals()
    for mine in people.values():
        totals.add_all(totals_of(mine))
    return totals


def crowd(size: int, prefix: str = "u", **fields: object) -> list[ConversationSummary]:
    """Builds one conversation each of so many users."""
    return [summary(f"{prefix}{i}", **fields) for i in range(size)]  # type: ignore[arg-type]


def equations(totals: DayTotals) -> Iterator[tuple[Cell, list[Cell]]]:
    """Yields (total, parts) that METRICS says are equal, of the cells that are not empty."""
    for total, parts in _definitions(totals):
        yield total, [part for part in parts if part in totals]


def _definitions(totals: DayTotals) -> Iterator[tuple[Cell, list[Cell]]]:
    hours: defaultdict[Cell, list[Cell]] = defaultdict(list)
    values: defaultdict[tuple[int, int, int], list[Cell]] = defaultdict(list)
    for cell in totals:
        if cell.hour != DAY:
            hours[cell._replace(hour=DAY)].append(cell)
        if cell.breakdown != OVERALL:
            values[cell.hour, cell.breakdown, cell.slice_index].append(cell)
    yield from hours.items()
    for (hour, _, index), parts in values.items():
        facet, name = SLICES[index]
        if facet == "length":
            yield Cell(hour, LENGTH, name, EVERYONE), parts
        else:
            yield Cell(hour, OVERALL, ALL, index), parts
    for hour, breakdown, value in {cell[:3] for cell in totals}:
        yield from _of_place(hour, breakdown, value)
    for hour in {cell.hour for cell in totals}:
        yield from _of_lengths(hour)


def _of_place(hour: int, breakdown: int, value: str) -> Iterator[tuple[Cell, list[Cell]]]:
    """Yields what ties the slices of one place."""

    def cells(facet: str, names: Iterable[str]) -> list[Cell]:
        return [Cell(hour, breakdown, value, INDEX[Slice(facet, name)]) for name in names]

    (everyone,), (long,), (changed,) = (cells(f, [ALL]) for f in ("all", "long", "sentiment"))
    yield everyone, cells("use", [s.value for s in SLICES if s.facet == "use"])
    yield everyone, cells("drift", [s.value for s in SLICES if s.facet == "drift"])
    if breakdown == LENGTH:
        if value in _WITH_CHANGE:
            for plain, other in _groups("sentiment"):
                yield Cell(hour, breakdown, value, plain), [Cell(hour, breakdown, value, other)]
        return
    yield long, cells("drift_long", [s.value for s in SLICES if s.facet == "drift_long"])
    if breakdown != OVERALL:
        yield everyone, cells("length", LENGTHS)
        yield long, cells("length", _LONG)
        yield changed, cells("length", _WITH_CHANGE)


def _of_lengths(hour: int) -> Iterator[tuple[Cell, list[Cell]]]:
    """Yields what ties the long and the changed of `overall` to the values of `length`."""
    for facet, names in (("long", _LONG), ("sentiment", _WITH_CHANGE)):
        for plain, other in _groups(facet):
            parts = [Cell(hour, LENGTH, name, plain) for name in names]
            yield Cell(hour, OVERALL, ALL, other), parts
    for slice_ in SLICES:
        if slice_.facet == "drift_long":
            plain = INDEX[Slice("drift", slice_.value)]
            parts = [Cell(hour, LENGTH, name, plain) for name in _LONG]
            yield Cell(hour, OVERALL, ALL, INDEX[slice_]), parts


def _groups(facet: str) -> Iterator[tuple[int, int]]:
    """Yields (a group's slice, the slice of those in it that are long or changed)."""
    yield EVERYONE, INDEX[Slice(facet, ALL)]
    yield AFFECTIVE, INDEX[Slice(facet, "affective")]
    for name in TYPES:
        yield INDEX[Slice("type", name)], INDEX[Slice(facet, name)]


def within() -> Iterator[tuple[int, int]]:
    """Yields (slice, another that is always within it), as METRICS defines them."""
    for facet in ("long", "sentiment"):
        yield from _groups(facet)
        yield INDEX[Slice(facet, ALL)], INDEX[Slice(facet, "affective")]
        yield INDEX[Slice(facet, ALL)], INDEX[Slice(facet, "roleplay")]
        for name in AFFECTIVE_TYPES:
            yield INDEX[Slice(facet, "affective")], INDEX[Slice(facet, name)]
    for (_, long), (_, changed) in zip(_groups("long"), _groups("sentiment"), strict=True):
        yield changed, long
    for name in AFFECTIVE_TYPES:
        yield AFFECTIVE, INDEX[Slice("type", name)]
    yield EVERYONE, INDEX[Slice("type", "roleplay")]
    yield EVERYONE, INDEX[Slice("pushback", ALL)]
    for name in PUSHBACK_TYPES:
        yield INDEX[Slice("type", name)], INDEX[Slice("pushback", name)]
        yield INDEX[Slice("pushback", ALL)], INDEX[Slice("pushback", name)]
    for name in PUSHBACK_REASONS:
        yield INDEX[Slice("pushback", ALL)], INDEX[Slice("pushback_reason", name)]
    for slice_ in SLICES:
        if slice_.facet == "drift_long":
            yield INDEX[Slice("drift", slice_.value)], INDEX[slice_]


def unknowns_of(totals: DayTotals, published: DayTotals) -> list[dict[Cell, int]]:
    """Returns each equation's coefficients of the cells that the attacker does not see."""
    rows = []
    for total, parts in equations(totals):
        signed = {total: 1} | dict.fromkeys(parts, -1)
        row = {c: sign for c, sign in signed.items() if c in totals and c not in published}
        if row:
            rows.append(row)
    return rows


def subtract(rows: list[dict[Cell, int]]) -> set[Cell]:
    """Returns the cells had by subtracting what is known from a total, again and again."""
    known: set[Cell] = set()
    while True:
        left = [[cell for cell in row if cell not in known] for row in rows]
        found = {cells[0] for cells in left if len(cells) == 1}
        if not found:
            return known
        known |= found


def solve(rows: list[dict[Cell, int]]) -> set[Cell]:
    """Returns the cells that the equations together determine, by Gaussian elimination.

    In integers modulo a prime of 61 bits, in which no determinant of so small a matrix vanishes
    but by a chance that is none.
    """
    reduced: dict[Cell, dict[Cell, int]] = {}
    holders: defaultdict[Cell, set[Cell]] = defaultdict(set)
    for row in sorted(rows, key=len):
        left: dict[Cell, int] = dict(row)
        for cell in [cell for cell in row if cell in reduced]:
            _subtract(left, reduced[cell], left[cell])
        if not left:
            continue
        pivot = min(left, key=lambda cell: len(holders[cell]))
        scale = pow(left[pivot], -1, _PRIME)
        left = {cell: value * scale % _PRIME for cell, value in left.items()}
        for holder in list(holders.pop(pivot, ())):
            other = reduced[holder]
            _subtract(other, left, other[pivot])
            for cell in left:
                if cell in other:
                    holders[cell].add(holder)
                else:
                    holders[cell].discard(holder)
        reduced[pivot] = left
        for cell in left:
            holders[cell].add(pivot)
    return {pivot for pivot, row in reduced.items() if len(row) == 1}


def _subtract(row: dict[Cell, int], other: dict[Cell, int], times: int) -> None:
    for cell, value in other.items():
        if left := (row.get(cell, 0) - times * value) % _PRIME:
            row[cell] = left
        else:
            row.pop(cell, None)


def small_of(totals: DayTotals, cells: Iterable[Cell], thresholds: Thresholds) -> list[Cell]:
    """Returns those of the cells that may not be known."""
    return [c for c in cells if not thresholds.allow(totals[c].conversations, totals[c].users)]


SIZES: Final = st.integers(1, 100)
SEEDS: Final = st.integers(0, 2**20)
UNSHRUNK: Final = (Phase.explicit, Phase.reuse, Phase.generate)
"""A seed has no simpler neighbour, and shrinking the size of a day tells little."""


@settings(deadline=None, max_examples=15, phases=UNSHRUNK)
@given(SIZES, SEEDS)
def test_the_attacker_has_his_definitions_right(size: int, seed: int) -> None:
    """Every equation holds of real sheets, and every slice lies within the larger one."""
    totals = day_of_people(busy_day(size, seed))
    for total, parts in equations(totals):
        assert totals.get(total, Sums(0, 0, 0, 0))[0] == sum(totals[p][0] for p in parts)
    pairs = list(within())
    for cell, tally in totals.items():
        for larger, smaller in pairs:
            if cell.slice_index == smaller:
                around = totals.get(cell._replace(slice_index=larger))
                assert around is None or around.conversations >= tally.conversations


@settings(deadline=None, max_examples=15, phases=UNSHRUNK)
@given(SIZES, SEEDS)
def test_suppression_knows_no_false_relation(size: int, seed: int) -> None:
    """Partitions add up exactly, in conversations; a subset's total is no smaller."""
    totals = day_of_people(busy_day(size, seed))
    for relation in relations_of(totals):
        total, parts, is_partition = relation.total, relation.parts, relation.is_partition
        whole = totals[total].conversations
        inside = sum(totals[part].conversations for part in parts)
        assert whole == inside if is_partition else whole >= inside


@settings(deadline=None, max_examples=15, phases=UNSHRUNK)
@given(SIZES, SEEDS)
def test_every_published_cell_reaches_both_thresholds(size: int, seed: int) -> None:
    """No row, remainders included, is of fewer; all but remainders are as counted."""
    totals = day_of_people(busy_day(size, seed))
    for cell, tally in published_cells(totals, FEW).items():
        assert FEW.allow(tally.conversations, tally.users)
        assert cell.value == NOT_PUBLISHED or tally == totals[cell]


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
    """Where a slice and one within it are published, the rest is empty or not small."""
    totals = day_of_people(busy_day(size, seed))
    published = published_cells(totals, FEW)
    pairs = list(within())
    for cell, tally in published.items():
        for larger, smaller in pairs:
            around = published.get(cell._replace(slice_index=larger))
            if cell.value != NOT_PUBLISHED and cell.slice_index == smaller and around is not None:
                rest = around.conversations - tally.conversations
                assert rest == 0 or rest >= FEW.min_conversations, (cell, larger)


@settings(deadline=None, max_examples=15, phases=UNSHRUNK)
@given(SIZES, SEEDS)
def test_the_order_of_the_sheet_does_not_matter(size: int, seed: int) -> None:
    """Sheets filled in another order publish the same, to the byte."""
    totals = day_of_people(busy_day(size, seed))
    there = published_cells(totals, FEW)
    back = published_cells(DayTotals(reversed(totals.items())), FEW)
    assert back.encode() == there.encode()


@pytest.mark.parametrize("size", [14, 15])
def test_fifteen_users_are_enough(size: int) -> None:
    """At the default thresholds 15 conversations of 15 users are published, 14 are not."""
    published = published_cells(day_of_people(crowd(size)), Thresholds())
    assert (Cell(DAY, OVERALL, ALL, EVERYONE) in published) == (size == 15)


@pytest.mark.parametrize(("users", "conversations", "is_out"), [
    (14, 30, False), (15, 30, True), (30, 30, True),
])  # fmt: skip
def test_both_thresholds_must_be_reached(users: int, conversations: int, is_out: bool) -> None:
    """Many conversations of too few users stay inside."""
    found = [summary(f"u{i % users}") for i in range(conversations)]
    published = published_cells(day_of_people(found), Thresholds())
    assert (Cell(DAY, OVERALL, ALL, EVERYONE) in published) == is_out


def test_conversations_without_user_do_not_count_towards_the_users() -> None:
    """A hundred conversations of nobody are not published."""
    assert published_cells(day_of_people([summary("") for _ in range(100)]), Thresholds()) == {}


def test_thresholds_of_one_publish_everything() -> None:
    """Somebody's own conversations are all shown, also those without a user."""
    totals = day_of_people([summary(""), summary(country="DE")])
    assert published_cells(totals, Thresholds(1, 1)) == totals


@pytest.mark.parametrize("name", ["min_users", "min_conversations"])
def test_a_threshold_below_one_is_refused(name: str) -> None:
    """The error shows the value and names the default."""
    with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0; the default is 15"):
        Thresholds(**{name: 0})


def test_one_small_country_takes_another_with_it() -> None:
    """A lone small value can not be had by subtraction: the next smallest goes too."""
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
    """Users who are also seen elsewhere are not counted into the remainder: it is a lower bound."""
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
    """A cell whose conversations cancel out for a moment is withheld, and stops nothing."""
    slice_ = INDEX[Slice("sentiment", ALL)]
    passing = Sums(0, 0, 3, 9)
    totals = DayTotals({Cell(hour, OVERALL, ALL, slice_): passing for hour in (DAY, 4)})
    assert published_cells(totals, FEW) == {}


@settings(deadline=None, max_examples=15, phases=UNSHRUNK)
@given(SIZES, SEEDS)
def test_retractions_ahead_of_their_replacements_are_no_error(size: int, seed: int) -> None:
    """Conversations taken from a sheet before they came to it leave nothing small to see."""
    totals = day_of_people(busy_day(size, seed))
    totals.add_all(day_of_people(busy_day(size, seed + 1)), -1)
    for tally in published_cells(totals, FEW).values():
        assert FEW.allow(tally.conversations, tally.users)


def test_the_headline_is_kept_where_another_cell_can_go() -> None:
    """To cover a small use a larger one goes, and the fewer affective conversations stay."""
    found = [
        *crowd(5, "a", types=["coaching"]),
        *crowd(9, "b", use="work"),
        *crowd(2, "c", use="technical"),
    ]
    published = published_cells(day_of_people(found), FEW)
    seen = {c.slice_index for c in published if c[:3] == (DAY, OVERALL, ALL)}
    assert {EVERYONE, AFFECTIVE} <= seen
    assert not {INDEX[Slice("use", use)] for use in ("work", "technical")} & seen


def test_a_type_that_is_nearly_all_of_the_affective_is_held_back() -> None:
    """The affective and one of their types may not differ by fewer than the thresholds."""
    found = crowd(10, "a", types=["coaching"]) + crowd(2, "b", types=["counseling"])
    published = published_cells(day_of_people(found), FEW)
    both = {AFFECTIVE, INDEX[Slice("type", "coaching")]}
    seen = {c.slice_index for c in published if c[:2] == (DAY, OVERALL)}
    assert not both <= seen


def test_lengths_by_country_are_tied_to_the_cells_of_length() -> None:
    """A length has its total under breakdown `length`: a lone small country must not show by it."""
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
    """Of six messages and more a type and its sentiment slice count the same conversations."""
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
        for plain, changed in _groups("sentiment"):
            pair = [Cell(DAY, LENGTH, length, index) in published for index in (plain, changed)]
            assert pair[0] == pair[1]


def test_an_empty_sheet_publishes_nothing() -> None:
    """A day without conversations has no cell."""
    assert published_cells(DayTotals(), Thresholds()) == {}

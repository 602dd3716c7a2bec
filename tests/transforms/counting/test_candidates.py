"""Tests that candidates add up in any order, and that the smallest priorities are kept."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import MONDAY_US, rank_for, summary
from transforms.counting.candidates import (
    Candidate,
    Candidates,
    candidate_of,
    candidates_of_text,
    decoded,
    encoded,
)
from transforms.counting.profile import profile_of
from transforms.counting.totals import PlaceChange


def candidate(number: int, human_messages: int = 3) -> Candidate:
    """Returns one of many different candidates."""
    profile = profile_of(summary(human_messages=human_messages))
    return candidate_of(rank_for(number), MONDAY_US, profile)


CHANGES = st.lists(st.tuples(st.integers(0, 9), st.sampled_from([1, 1, -1])), max_size=20)


def summed(changes: list[tuple[int, int]]) -> Candidates:
    """Adds changes up one after another."""
    total = Candidates()
    for number, times in changes:
        total.add(candidate(number), times)
    return total


@settings(deadline=None)
@given(CHANGES, st.data())
def test_the_sum_does_not_depend_on_the_order(
    changes: list[tuple[int, int]], data: st.DataObject
) -> None:
    """Changes in another order, split into two parts, give the same candidates and bytes."""
    other = data.draw(st.permutations(changes))
    cut = data.draw(st.integers(0, len(other)))
    total, parts = summed(changes), summed(other[:cut]).add_all(summed(other[cut:]))
    assert parts == total
    assert PlaceChange(candidates=parts).encode() == PlaceChange(candidates=total).encode()
    assert total.present() == sorted(
        candidate(n) for n in range(10) if sum(t for m, t in changes if m == n) > 0
    )


@settings(deadline=None)
@given(st.integers(1, 30), st.lists(st.integers(0, 40), unique=True), st.integers(0, 3))
def test_the_smallest_priorities_are_kept_however_they_are_split(
    most: int, numbers: list[int], parts: int
) -> None:
    """Bundles that each keep few candidates end with the same ones as all candidates together."""
    merged = Candidates()
    for part in range(parts + 1):
        one = summed([(n, 1) for n in numbers if n % (parts + 1) == part])
        merged.add_all(one.keep(most)).keep(most)
    ordered = sorted(candidate(n) for n in numbers)
    assert merged.present() == ordered[:most]
    assert merged.edge == (ordered[most].priority if len(ordered) > most else None)


def test_nothing_beyond_the_edge_comes_back() -> None:
    """A candidate that was dropped may be taken back or added again without any effect."""
    ordered = sorted(candidate(n) for n in range(5))
    kept = summed([(n, 1) for n in range(5)]).keep(2)
    for times in (-1, 1, 1):
        kept.add(ordered[3], times)
    assert kept.present() == ordered[:2]


def test_candidates_survive_being_stored() -> None:
    """State gives the same candidates back, also those that were taken back first."""
    kept = summed([(1, 1), (2, -1), (3, 1)]).keep(2)
    assert decoded(*encoded(kept)) == kept
    assert candidates_of_text(kept.text()) == kept.present()


def test_a_row_with_other_breakdowns_is_refused() -> None:
    """Values are never taken for those of another breakdown."""
    text = summed([(1, 1)]).text().replace("[1,2,3,4,5]", "[1,2,3,4]")
    with pytest.raises(ValueError, match="start a new job and backfill"):
        candidates_of_text(text)


def test_a_priority_is_below_a_limit_as_often_as_its_weight_says() -> None:
    """The share of small priorities is the limit times the weight, within four deviations."""
    chosen = random.Random(4).sample(range(10**9), 20_000)
    found = [candidate(n) for n in chosen]
    limit = 2**63 // (4 * found[0].weight)
    share = sum(c.priority < limit for c in found) / len(found)
    assert abs(share - 0.25) < 4 * (0.25 * 0.75 / len(found)) ** 0.5

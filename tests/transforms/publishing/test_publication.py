"""Tests what a first publication holds."""

from __future__ import annotations

import random
import statistics
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.random_days import busy_day
from tests.transforms.publishing.windows import (
    COUNTRY,
    EVERYONE,
    FEW,
    MONDAY,
    PROVENANCE,
    SENTIMENT,
    STRICT,
    WHOLE,
    counts_of,
    crowd,
    keyed,
    usual_day,
)
from transforms.counting.places import Place, WindowCounts
from transforms.facets.registry import SUMMING_CHANGE
from transforms.publishing.policy import OWN_DATA, Policy
from transforms.publishing.publication import Published, PublishedSums, publish

SIZES = st.integers(0, 60)
SEEDS = st.integers(0, 2**20)


def first(counts: WindowCounts, policy: Policy = FEW) -> Published:
    """Publishes a window for the first time."""
    published = publish(MONDAY, counts, None, policy, PROVENANCE)
    assert published is not None
    return published


@settings(deadline=None, max_examples=30)
@given(SIZES, SEEDS)
def test_exactly_the_cells_that_reach_both_thresholds_are_published(size: int, seed: int) -> None:
    """No smaller cell is published, and no larger cell is withheld."""
    counts = counts_of(keyed(busy_day(size, seed)))
    policy = replace(FEW, min_conversations=5)
    large = {
        (place, index)
        for place, cells in counts.items()
        for index, sums in cells.items()
        if sums.users >= 3 and sums.conversations >= 5
    }
    published = first(counts, policy).cells
    assert {(place, index) for place, cells in published.items() for index in cells} == large


@settings(deadline=None, max_examples=30)
@given(SIZES, SEEDS)
def test_numbers_are_near_the_true_ones_and_never_negative(size: int, seed: int) -> None:
    """A count is off by at most the largest noise, and is not below 0."""
    counts = counts_of(keyed(busy_day(size, seed)))
    for place, cells in first(counts).cells.items():
        for index, sums in cells.items():
            assert sums.conversations >= 0
            assert abs(sums.conversations - counts[place][index].conversations) <= FEW.max_noise
            assert (sums.change is not None) == (index in SUMMING_CHANGE)


@settings(deadline=None, max_examples=20)
@given(SIZES, SEEDS, st.randoms())
def test_the_order_of_the_counts_does_not_matter(
    size: int, seed: int, chance: random.Random
) -> None:
    """Conversations and places in another order give the same publication, in the same order."""
    people = keyed(busy_day(size, seed))
    counts = counts_of(people)
    shuffled = counts_of(chance.sample(people, len(people)))
    mixed = dict(chance.sample(list(shuffled.items()), len(shuffled)))
    assert repr(first(mixed).cells) == repr(first(counts).cells)


def test_cells_with_the_same_conversations_have_the_same_number() -> None:
    """If all conversations come from one country, its cells equal those of all conversations."""
    counts = counts_of(keyed(crowd(40, country="DE", human_messages=8)))
    published = first(counts, STRICT).cells
    german = published[Place(COUNTRY, "DE")]
    assert set(published[WHOLE]) <= set(german)
    assert {index: german[index] for index in published[WHOLE]} == published[WHOLE]


def test_published_numbers_are_unbiased() -> None:
    """Over many secrets, the mean of each published number is the true one."""
    people = crowd(30, human_messages=8, change=90)
    many = [first(counts_of(keyed(people, seed)), STRICT).cells[WHOLE] for seed in range(2000)]
    for true, name, unit in [
        (30, "conversations", 1), (30 * 90, "change", 600), (30 * 90**2, "change_squares", 600**2),
    ]:  # fmt: skip
        numbers = [getattr(cells[SENTIMENT], name) for cells in many]
        assert statistics.fmean(numbers) == pytest.approx(true, abs=4 * 2 * unit / 2000**0.5)
        assert statistics.pvariance(numbers) == pytest.approx(4 * unit**2, rel=0.15)


def test_own_data_is_published_exactly() -> None:
    """With the policy for one's own data, every cell has its true numbers, even without users."""
    counts = counts_of(keyed(busy_day(40, 1)))
    published = first(counts, OWN_DATA).cells
    assert published == {
        place: {
            index: PublishedSums(
                sums.conversations,
                sums.change if index in SUMMING_CHANGE else None,
                sums.change_squares if index in SUMMING_CHANGE else None,
            )
            for index, sums in cells.items()
        }
        for place, cells in counts.items()
    }


def test_a_window_without_large_cells_is_published_without_cells() -> None:
    """A first publication says that the window is published, even if it has no cells."""
    published = first(counts_of(keyed(crowd(5))), STRICT)
    assert (published.version, published.cells) == (1, {})


def test_a_withdrawal_of_a_wrong_policy_begins_anew() -> None:
    """If the policy was the mistake, the next version has the right one."""
    wrong = first(counts_of(keyed(crowd(5))), FEW)
    again = publish(MONDAY, {}, wrong, STRICT, PROVENANCE, is_withdrawn=True)
    assert again is not None
    assert (again.name, again.policy) == ("day/2025-06-02/2", STRICT)
    assert publish(MONDAY, {}, wrong, STRICT, PROVENANCE) is None


def test_noise_costs_little_on_a_usual_day() -> None:
    """With 6,000 conversations, half of the cells are within 2 % of the truth."""
    counts = counts_of(usual_day(6_000, seed=2))
    errors = [
        abs(sums.conversations / counts[place][index].conversations - 1)
        for place, cells in first(counts, STRICT).cells.items()
        for index, sums in cells.items()
    ]
    assert counts[WHOLE][EVERYONE].conversations == 6_000
    assert len(errors) > 300
    assert statistics.median(errors) <= 0.02

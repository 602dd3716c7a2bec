"""Tests when a correction replaces a published cell."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta
from itertools import combinations, pairwise

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
    STRICT,
    WHOLE,
    Cell,
    Conversation,
    counts_of,
    crowd,
    keyed,
    members_of,
)
from transforms.counting.places import Place, WindowCounts
from transforms.publishing.policy import OWN_DATA, Policy
from transforms.publishing.publication import Provenance, Published, kept_because, publish
from transforms.publishing.values import fold_values

LIMITED = replace(FEW, max_values=1)


def counts(size: int, prefix: str = "u") -> WindowCounts:
    """Counts one conversation for each of a number of users."""
    return counts_of(keyed(crowd(size, prefix)))


def published(*sizes: int, policy: Policy = STRICT) -> Published:
    """Publishes a window again and again, with these numbers of users."""
    last: Published | None = None
    for size in sizes:
        last = publish(MONDAY, counts(size), last, policy, PROVENANCE) or last
    assert last is not None
    return last


@pytest.mark.parametrize(("before", "after", "is_replaced"), [
    (100, 114, False), (100, 115, True), (100, 86, False), (100, 85, True),
    (14, 15, True), (10, 14, False), (29, 15, False), (29, 14, True), (20, 6, False),
])  # fmt: skip
def test_a_cell_is_replaced_if_enough_users_came_or_went(
    before: int, after: int, is_replaced: bool
) -> None:
    """A cell that was not published counts as one without users."""
    last = published(before)
    next_ = publish(MONDAY, counts(after), last, STRICT, PROVENANCE)
    assert (next_ is not None) == is_replaced
    if next_ is not None:
        assert next_.version == 2
        assert (WHOLE in next_.cells) == (after >= 15)


def test_the_same_counts_change_nothing() -> None:
    """Publishing the same counts again gives no new version."""
    last = published(100)
    assert publish(MONDAY, counts(100), last, STRICT, PROVENANCE) is None


def test_a_cell_differs_from_all_of_its_versions() -> None:
    """A number that would differ by one user from the first version is not published."""
    assert published(100, 120, 101).version == 2
    assert published(100, 120, 140).version == 3


def test_a_withdrawn_cell_comes_back_only_with_other_users() -> None:
    """A cell that disappears can't reappear with nearly the same users."""
    assert WHOLE not in published(20, 5, 21).cells
    assert WHOLE in published(20, 5, 35).cells


def test_cells_that_are_not_replaced_keep_their_numbers() -> None:
    """A new country changes its own cells and the total, but not the other countries."""
    german = keyed(crowd(40, country="DE"))
    late = keyed([*crowd(20, "f", country="FR"), *crowd(3, "g", country="DE")], seed=1)
    last = publish(MONDAY, counts_of(german), None, STRICT, PROVENANCE)
    next_ = publish(MONDAY, counts_of(german + late), last, STRICT, PROVENANCE)
    assert last is not None
    assert next_ is not None
    germany = Place(COUNTRY, "DE")
    assert next_.cells[germany] == last.cells[germany]
    assert next_.basis[WHOLE][EVERYONE].conversations == 63
    assert Place(COUNTRY, "FR") in next_.cells


def test_exact_numbers_are_corrected_at_once() -> None:
    """With the policy for one's own data, any difference is published, even of the same users."""
    last = published(5, policy=OWN_DATA)
    more = counts_of(keyed([*crowd(5), *crowd(1)]))
    next_ = publish(MONDAY, more, last, OWN_DATA, PROVENANCE)
    assert next_ is not None
    assert next_.cells[WHOLE][EVERYONE].conversations == 6


@pytest.mark.parametrize(("policy", "provenance", "reason"), [
    (replace(STRICT, variance=3.0), PROVENANCE, "another policy"),
    (replace(STRICT, min_users=20), PROVENANCE, "another policy"),
    (STRICT, PROVENANCE._replace(key_id="key-2"), "another secret"),
    (STRICT, PROVENANCE._replace(metrics_version="2"), "definitions 1"),
])  # fmt: skip
def test_a_published_window_keeps_policy_secret_and_definitions(
    policy: Policy, provenance: Provenance, reason: str
) -> None:
    """Otherwise nothing is published, and the reason is given."""
    last = published(100)
    assert publish(MONDAY, counts(200), last, policy, provenance) is None
    assert reason in (kept_because(last, policy, provenance) or "")


def test_a_correction_names_both_classifiers() -> None:
    """Some cells are from the last classifier. Publishing later or earlier is no obstacle."""
    later = replace(STRICT, publish_after=timedelta(hours=72))
    newer = PROVENANCE._replace(classifier_version="plain-2")
    next_ = publish(MONDAY, counts(200), published(100), later, newer)
    assert next_ is not None
    assert next_.provenance.classifier_version == "plain-1,plain-2"
    assert next_.policy == later


def timeline(size: int, seed: int) -> list[list[Conversation]]:
    """Makes the conversations of a window as they are known at several times.

    Conversations come, go and change, some in crowds and some one by one.
    """
    chance = random.Random(seed)
    pool = keyed(busy_day(size, seed), seed)
    known = pool[: size // 2]
    times = [known]
    for _ in range(6):
        few = chance.choice([1, 2, size // 4])
        gone = chance.sample(known, min(len(known), chance.choice([0, 1, few])))
        come = [each for each in pool if each not in known]
        known = [each for each in known if each not in gone] + come[:few]
        times.append(known)
    return times


@settings(deadline=None, max_examples=60)
@given(st.integers(4, 60), st.integers(0, 2**20), st.sampled_from([FEW, LIMITED]))
def test_no_two_versions_of_a_cell_isolate_few_users(size: int, seed: int, policy: Policy) -> None:
    """If any two versions of a cell differ, the changed conversations have `min_users` users."""
    last: Published | None = None
    seen: dict[Cell, list[set[Conversation]]] = {}
    for known in timeline(size, seed):
        window = counts_of(known)
        next_ = publish(MONDAY, window, last, policy, PROVENANCE)
        if next_ is not None:
            members = folded_members(known, window, last, policy)
            for cell in replaced_cells(last, next_):
                seen.setdefault(cell, []).append(set(members[cell]))
            last = next_
    for versions in seen.values():
        for one, other in combinations(versions, 2):
            assert one == other or len({each.summary.user for each in one ^ other}) >= 3


def replaced_cells(last: Published | None, next_: Published) -> list[Cell]:
    """Returns the cells that are new in a publication or have other exact counts."""
    before = last.basis if last else {}
    return [
        (place, index)
        for place, cells in next_.basis.items()
        for index, sums in cells.items()
        if before.get(place, {}).get(index) != sums
    ]


def folded_members(
    known: list[Conversation], window: WindowCounts, last: Published | None, policy: Policy
) -> dict[Cell, list[Conversation]]:
    """Returns the conversations of each cell after values are folded."""
    named = fold_values(window, last.basis if last else (), policy.max_values)
    members: dict[Cell, list[Conversation]] = {}
    for (place, index), found in members_of(known).items():
        cell = (place if place in named else Place(place.breakdown, "other"), index)
        members.setdefault(cell, []).extend(found)
    return members


@settings(deadline=None, max_examples=30)
@given(st.integers(4, 60), st.integers(0, 2**20))
def test_a_change_of_a_number_is_a_change_of_the_basis(size: int, seed: int) -> None:
    """A cell with the same basis has the same number in every version."""
    versions: list[Published] = []
    for known in timeline(size, seed):
        last = versions[-1] if versions else None
        next_ = publish(MONDAY, counts_of(known), last, FEW, PROVENANCE)
        versions += [next_] if next_ else []
    for before, after in pairwise(versions):
        assert after.version == before.version + 1
        for place, cells in after.basis.items():
            for index, sums in cells.items():
                if before.basis.get(place, {}).get(index) == sums:
                    assert after.cells[place][index] == before.cells[place][index]

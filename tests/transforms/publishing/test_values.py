"""Tests how the values beyond the limit are added to `other`."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.breakdowns import OTHER
from tests.transforms.publishing.windows import COUNTRY, EVERYONE, WHOLE, counts_of, crowd, keyed
from transforms.counting.cells import LENGTH, Sums
from transforms.counting.places import Place, WindowCounts
from transforms.publishing.values import fold_values


def countries(**users: int) -> WindowCounts:
    """Counts one conversation for each user in each country."""
    found = [one for name, size in users.items() for one in crowd(size, name, country=name)]
    return counts_of(keyed(found))


def names_of(counts: WindowCounts) -> set[str]:
    """Returns the names of the countries."""
    return {place.value for place in counts if place.breakdown == COUNTRY}


def test_values_with_the_most_users_keep_their_names() -> None:
    """The rest is added to `other`. Between equals, the first by name stays."""
    assert names_of(fold_values(countries(A=3, B=9, D=5, C=5), (), 2)) == {"B", "C", OTHER}


def test_nothing_is_folded_within_the_limit() -> None:
    """As many values as allowed stay as they are, with `other` besides."""
    counts = countries(A=3, B=9, other=1)
    assert fold_values(counts, (), 2) == counts


def test_a_value_that_was_published_stays() -> None:
    """A value that an earlier publication names stays, even if others have more users by now."""
    folded = fold_values(countries(A=3, B=9, C=5), [Place(COUNTRY, "A")], 2)
    assert names_of(folded) == {"A", "B", OTHER}


def test_other_is_the_sum_of_its_parts() -> None:
    """Sums are added. The users are those of the largest part, because some may be the same."""
    counts = countries(A=9, B=3, C=4, other=2)
    folded = fold_values(counts, (), 1)[Place(COUNTRY, OTHER)][EVERYONE]
    parts = [counts[Place(COUNTRY, name)][EVERYONE] for name in ("B", "C", OTHER)]
    assert folded == Sums(9, 4, sum(part.key for part in parts) % 2**32, 0, 0)


def test_fixed_lists_of_values_are_not_folded() -> None:
    """`overall` and `length` keep all their values."""
    people = [one for n in (1, 3, 60) for one in crowd(2, f"u{n}", human_messages=n)]
    folded = fold_values(counts_of(keyed(people)), (), 1)
    assert WHOLE in folded
    assert sum(place.breakdown == LENGTH for place in folded) == 3


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from("ABCDEF"), st.integers(1, 5)), st.integers(1, 4), st.randoms()
)
def test_the_order_of_the_counts_does_not_matter(
    users: dict[str, int], most: int, chance: random.Random
) -> None:
    """Counts in another order are folded in the same way, and no conversation is lost."""
    counts = countries(**users)
    shuffled = dict(chance.sample(list(counts.items()), len(counts)))
    folded = fold_values(counts, (), most)
    assert fold_values(shuffled, (), most) == folded
    assert len(names_of(folded) - {OTHER}) <= most
    total = sum(folded[place][EVERYONE].conversations for place in folded if place[0] == COUNTRY)
    assert total == sum(users.values())

"""Builds days of conversations to publish, with few or many users."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from hypothesis import Phase
from hypothesis import strategies as st

from schemas.records import ConversationSummary
from tests.builders import summary
from transforms.counting.totals import DayTotals, totals_of
from transforms.facets.facet import ALL
from transforms.facets.registry import INDEX, Slice
from transforms.publishing.suppression import Thresholds

FEW: Final = Thresholds(min_users=3, min_conversations=3)
EVERYONE: Final = INDEX[Slice("all", ALL)]
AFFECTIVE: Final = INDEX[Slice("use", "affective")]

SIZES: Final = st.integers(1, 100)
SEEDS: Final = st.integers(0, 2**20)
UNSHRUNK: Final = (Phase.explicit, Phase.reuse, Phase.generate)
"""The phases before shrinking: a seed has no simpler neighbour, and a smaller day tells little."""


def day_of_people(found: Iterable[ConversationSummary]) -> DayTotals:
    """Adds up the totals of all users."""
    people: defaultdict[str, list[ConversationSummary]] = defaultdict(list)
    for each in found:
        people[each.user].append(each)
    totals = DayTotals()
    for mine in people.values():
        totals.add_all(totals_of(mine))
    return totals


def crowd(size: int, prefix: str = "u", **fields: object) -> list[ConversationSummary]:
    """Builds one conversation for each of a number of users."""
    return [summary(f"{prefix}{i}", **fields) for i in range(size)]  # type: ignore[arg-type]

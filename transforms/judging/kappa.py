"""Cohen's kappa: how far two labellings agree beyond chance.

Source: Cohen, "A coefficient of agreement for nominal scales", 1960.

This module does not use Beam.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TypeVar

ValueT = TypeVar("ValueT")


def kappa(pairs: Mapping[tuple[ValueT, ValueT], int]) -> float | None:
    """Returns Cohen's kappa, at most 1. None if there is no item or only one value.

    Args:
      pairs: how often each pair of values occurs, one by either labeller.
    """
    total = sum(pairs.values())
    first: Counter[ValueT] = Counter()
    second: Counter[ValueT] = Counter()
    for (one, other), count in pairs.items():
        first[one] += count
        second[other] += count
    by_chance = sum(count * second[value] for value, count in first.items())
    if by_chance == total * total:
        return None
    agreed = sum(count for (one, other), count in pairs.items() if one == other)
    return (agreed * total - by_chance) / (total * total - by_chance)

"""Weighted random choices."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Mapping
from itertools import accumulate
from random import Random
from typing import Final, Generic, TypeVar

ValueT = TypeVar("ValueT")


class Mix(Generic[ValueT]):
    """Values with weights. The weights need not sum to one."""

    def __init__(self, weights: Mapping[ValueT, float]) -> None:
        self._values: Final = tuple(weights)
        self._ends: Final = tuple(accumulate(weights.values()))

    def pick(self, random: Random) -> ValueT:
        """Draws a value."""
        return self._values[bisect(self._ends, random.random() * self._ends[-1])]

"""Looks up the noise of published numbers by cell key, for many cells at once.

A cell's key is the sum of the secret record keys of its conversations, modulo 2**32. So a cell with
the same conversations always has the same noise, whatever the order, the run or the version. The
Australian Bureau of Statistics, Eurostat and the ONS protect censuses by the same method.

One thing differs: here the key is scrambled before the lookup. If a cell consists of two others,
its key is the sum of their keys. Without scrambling, the noise of the sum would reveal something
about its parts: an attacker who sees all three numbers would guess the noise of one in 27 % of the
cases. With scrambled keys it is 24 %, as with independent noise. The purpose of a number is
scrambled in too. So the noise of a cell's count reveals nothing about the noise of its mood.

This module does not use Beam.
"""

from __future__ import annotations

import enum
from functools import cache
from hashlib import blake2b
from typing import Final

import numpy as np
from numpy.typing import NDArray

from transforms.counting.places import KEY_SPACE
from transforms.publishing.distribution import SCALE, cumulative

Integers = NDArray[np.int64]

LARGEST_CHANGE: Final = 600
"""The largest change of mood of a conversation, from -1 to +1, in three-hundredths of a point."""


class Purpose(enum.Enum):
    """The numbers of a cell that get noise.

    Each value is the largest amount that one conversation adds to the number. The noise is in
    units of that amount, so all numbers hide a conversation equally well.
    """

    CONVERSATIONS = 1
    CHANGE = LARGEST_CHANGE
    CHANGE_SQUARES = LARGEST_CHANGE**2
    """Squares affect only the width of an interval. In small cells the noise of this sum is large,
    but there the width depends more on the noise of the mean."""


def noise(
    counts: Integers, keys: Integers, purpose: Purpose, variance: float, max_noise: int
) -> Integers:
    """Returns the noise to add to a number of each cell.

    Args:
      counts: true number of conversations of each cell, int64 of shape [n]. Negative ones and 0 get
        no noise.
      keys: keys of the cells, int64 of shape [n]; taken modulo 2**32.
      purpose: the number that the noise is for.
      variance: variance of the noise on a count.
      max_noise: the most that noise changes a count.

    Returns:
      int64 of shape [n], with mean 0. The noise of a count is a whole number, and a count plus its
      noise is never negative. The noise of a sum of changes is such a number times the largest
      amount that one conversation adds, plus a uniform part of half that amount at most. Without
      the uniform part, a small sum could be told exactly from its remainder. `variance_of_sum` is
      its variance.
    """
    drawn = _scrambled(keys, purpose.name)
    least = np.clip(counts, 0, max_noise)
    found = np.zeros(len(counts), np.int64)
    for size in np.unique(least).tolist():
        chosen = least == size
        sums = np.array(cumulative(size, max_noise, variance), np.int64)
        found[chosen] = np.searchsorted(sums, drawn[chosen], side="right") - size
    if variance == 0 or purpose.value == 1:
        return found * purpose.value
    half = purpose.value // 2 - 1
    part = _scrambled(keys, f"{purpose.name} part") * (2 * half + 1) // KEY_SPACE - half
    return found * purpose.value + np.where(counts > 0, part, 0)


def variance_of_sum(variance: float) -> float:
    """Returns the variance of the noise on a sum of changes, in units of the largest change.

    Args:
      variance: variance of the noise on a count.
    """
    return variance + 1 / 12 if variance else 0.0


def _scrambled(keys: Integers, purpose: str) -> Integers:
    """Mixes each key with the purpose into 32 bits, by the last steps of SplitMix64.

    Source: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014, with the
    constants of Stafford's variant 13.
    """
    mixed = (keys % KEY_SPACE).astype(np.uint64) ^ _tag(purpose)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return (mixed >> np.uint64(32)).astype(np.int64)


@cache
def _tag(purpose: str) -> np.uint64:
    """Returns a 64-bit number made from the purpose's name. The name must never change."""
    return np.uint64(int.from_bytes(blake2b(purpose.encode(), digest_size=8).digest(), "big"))


assert SCALE == KEY_SPACE  # A scrambled key has as many bits as the probabilities.

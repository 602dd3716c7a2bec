"""Sums over judged conversations, from which shares and means are estimated.

The sums are additive: those of a week are the sums of its days. Divide last.

A judged conversation stands for 1 / probability conversations. Four numbers of it matter, here
called columns: what the judge and the classifier say about the part, and about the whole. The first
three cumulants of an estimated total follow from sums of products of these numbers (Poisson
sampling: Särndal, Swensson and Wretman 1992, section 3.5).

This module does not use Beam.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from transforms.estimation.proportions import Floats

PART: Final = 0
WHOLE: Final = 1
SAID_PART: Final = 2
SAID_WHOLE: Final = 3
COLUMNS: Final = 4


class Sample(NamedTuple):
    """Judged conversations of one place, for `k` shares or means.

    Numbers that do not depend on the share may have one column, as all arrays broadcast to (n, k).

    Attributes:
      probability: float64 (n,), each conversation's probability of being sampled, in (0, 1].
      part: (n, k), whether the judge puts the conversation in the part, 0 or 1. For a mean: its
        change, or 0 outside the whole.
      said_part: (n, k), the same by the classifier.
      whole: (n, k), whether the judge puts the conversation in the whole. 1 if that is everything.
      said_whole: (n, k), the same by the classifier.
    """

    probability: Floats
    part: Floats
    said_part: Floats
    whole: Floats
    said_whole: Floats


class Moments(NamedTuple):
    """Sums over a sample, for `k` shares or means. They are additive, see `add`.

    Attributes:
      numbers: float64 (4, k), judged conversations with a part, with a whole, with a part or whole
        that the classifier says.
      right: float64 (k,), judged conversations whose part the judge and the classifier agree on.
      first: float64 (4, k), estimated totals of the columns.
      second: float64 (4, 4, k), estimated covariances of these totals.
      third: float64 (4, 4, 4, k), their estimated third cumulants.
      heaviest: float64 (k,), the largest standard deviation that one conversation adds to a total.
      heaviest_said: float64 (k,), the same among conversations with a part that the classifier
        says.
    """

    numbers: Floats
    right: Floats
    first: Floats
    second: Floats
    third: Floats
    heaviest: Floats
    heaviest_said: Floats


def zero(shares: int) -> Moments:
    """Returns the sums over no conversations, for some number of shares."""
    four, none = COLUMNS, np.zeros(shares)
    return Moments(
        np.zeros((four, shares)),
        none,
        np.zeros((four, shares)),
        np.zeros((four, four, shares)),
        np.zeros((four, four, four, shares)),
        none,
        none,
    )


def add(one: Moments, other: Moments) -> Moments:
    """Returns the sums over two samples of different conversations."""
    summed = [a + b for a, b in zip(one[:5], other[:5], strict=True)]
    largest = [np.maximum(a, b) for a, b in zip(one[5:], other[5:], strict=True)]
    return Moments(*summed, *largest)


def scale(moments: Moments, factor: Floats) -> Moments:
    """Returns the sums with all weights multiplied by a factor, float64 (k,).

    If the factor is 0, the conversations are not counted either.
    """
    is_counted = factor > 0
    return Moments(
        moments.numbers * is_counted,
        moments.right * is_counted,
        moments.first * factor,
        moments.second * factor**2,
        moments.third * factor**3,
        moments.heaviest * factor,
        moments.heaviest_said * factor,
    )


def moments_of(sample: Sample, times: Floats | None = None) -> Moments:
    """Sums over a sample. The sums depend on the order of its rows only by rounding.

    Args:
      sample: the judged conversations.
      times: float64 (n,), how often each row is in the sample, not necessarily a whole number. Once
        if it is None.

    Raises:
      ValueError: if a probability is not in (0, 1].
    """
    probability = np.asarray(sample.probability, np.float64)
    _check(probability)
    times = np.ones(len(probability)) if times is None else times
    columns = np.stack(np.broadcast_arrays(*(np.asarray(x, np.float64) for x in sample[1:])))
    columns = columns[[0, 2, 1, 3]]
    if not len(probability):
        return zero(columns.shape[2])
    rest, weight = 1 - probability, 1 / probability
    deviation = np.sqrt(rest) * weight
    is_in = columns != 0
    is_right = is_in[SAID_PART] & is_in[PART]
    return Moments(
        numbers=np.einsum("ink,n->ik", is_in, times),
        right=np.einsum("nk,n->k", is_right, times),
        first=np.einsum("ink,n->ik", columns, weight * times),
        second=_products(columns, columns, deviation**2 * times),
        third=np.stack(
            [
                _products(columns, columns * column, deviation**2 * (weight - 2) * times)
                for column in columns
            ]
        ),
        heaviest=np.full(columns.shape[2], deviation.max()),
        heaviest_said=np.where(is_in[SAID_PART], deviation[:, None], 0.0).max(axis=0),
    )


def _check(probability: Floats) -> None:
    wrong = probability[~((probability > 0) & (probability <= 1))]
    if wrong.size:
        raise ValueError(f"probability must be in (0, 1], got {wrong[0]}")


def _products(one: Floats, other: Floats, factor: Floats) -> Floats:
    found: Floats = np.einsum("ink,jnk->ijk", one, other * factor[None, :, None])
    return found

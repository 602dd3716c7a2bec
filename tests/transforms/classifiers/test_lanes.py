"""Tests sums of several numbers packed into one integer against plain sums."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.classifiers.ngram.lanes import add_rows, pack


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 700), min_size=1, max_size=8), st.integers(1, 9), st.integers(0, 99))
def test_packed_sums_equal_plain_sums(lengths: list[int], heads: int, seed: int) -> None:
    """Runs of any length are summed exactly, even empty runs and runs too long for a lane."""
    random = np.random.default_rng(seed)
    weights = random.choice([-128, -127, 0, 127], (32, heads)).astype(np.int8)
    buckets = random.integers(0, 32, sum(lengths))
    offsets = np.cumsum([0, *lengths])
    plain = [
        weights[buckets[begin:end]].sum(axis=0, dtype=np.int64) for begin, end in pairwise(offsets)
    ]
    assert (add_rows(pack(weights), buckets, offsets)[:, :heads] == np.array(plain)).all()


def test_a_run_of_extremes_does_not_overflow() -> None:
    """Ten thousand maximal weights add up without overflowing into the sum of the next head."""
    weights = np.array([[127, -128]], np.int8)
    sums = add_rows(pack(weights), np.zeros(10_000, np.intp), np.array([0, 10_000]))
    assert sums[0, :2].tolist() == [1_270_000, -1_280_000]

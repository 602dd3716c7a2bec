"""Tests the weighted logistic regression against known answers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array

from training.logistic import fit_logistic

RANDOM = np.random.default_rng(6)
INPUTS = RANDOM.normal(size=(4000, 3))
LINE = np.array([1.5, -1.0, 0.0])
TRUTH = (RANDOM.random(4000) < 1 / (1 + np.exp(-INPUTS @ LINE))).astype(np.float64)
ONES, LOOSE = np.ones(4000), np.full(3, 1e-6)


def test_the_coefficients_are_recovered() -> None:
    """Labels that were drawn from a known line give this line back."""
    assert fit_logistic(INPUTS, TRUTH, ONES, LOOSE) == pytest.approx(LINE, abs=0.15)


def test_a_sparse_array_gives_the_same_fit_as_a_dense_one() -> None:
    """The table's column and the second gate use the same function."""
    dense = np.where(np.abs(INPUTS) > 1, INPUTS, 0)
    sparse = fit_logistic(csr_array(dense), TRUTH, ONES, LOOSE)
    assert sparse == pytest.approx(fit_logistic(dense, TRUTH, ONES, LOOSE), abs=1e-4)


def test_a_weight_of_two_is_a_row_that_occurs_twice() -> None:
    """Rows of weight 0 teach nothing, and rows of weight 2 count twice."""
    weight = (np.arange(4000) % 3).astype(np.float64)
    again = np.repeat(np.arange(4000), np.arange(4000) % 3)
    found = fit_logistic(INPUTS, TRUTH, weight, LOOSE)
    assert found == pytest.approx(
        fit_logistic(INPUTS[again], TRUTH[again], np.ones(len(again)), LOOSE), abs=1e-4
    )


def test_each_coefficient_has_its_own_penalty() -> None:
    """A huge penalty keeps one coefficient at zero, and leaves another free."""
    found = fit_logistic(INPUTS, TRUTH, ONES, np.array([1e9, 1e-6, 1e-6]))
    assert found[0] == pytest.approx(0, abs=1e-3)
    assert found[1] < -0.5

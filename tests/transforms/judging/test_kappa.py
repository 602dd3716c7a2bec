"""Tests Cohen's kappa."""

from __future__ import annotations

import pytest

from transforms.judging.kappa import kappa


def test_kappa_is_that_of_the_textbook() -> None:
    """Cohen's example of 50 grants: 35 alike, chance .5, so kappa is .4."""
    pairs = {("yes", "yes"): 20, ("yes", "no"): 5, ("no", "yes"): 10, ("no", "no"): 15}
    assert kappa(pairs) == pytest.approx(0.4)


def test_kappa_is_undefined_without_variety() -> None:
    """If both always give the same answer, or there is nothing, there is no kappa."""
    assert kappa({}) is None
    assert kappa({("a", "a"): 2}) is None
    assert kappa({("a", "b"): 2}) == 0

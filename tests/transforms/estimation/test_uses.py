"""Tests the estimate of all uses: its sum, its intervals, and known truths."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from schemas.labels import USES
from tests.transforms.estimation.simulation import LEAST_COVERAGE, VARIANCE, noisy
from transforms.estimation.uses import Estimate, estimate_uses

SIZE = len(USES)
TRUTH = np.array([0.03, 0.31, 0.24, 0.15, 0.1, 0.1, 0.04, 0.03])


def random_rates(random: np.random.Generator) -> NDArray[np.float64]:
    """Draws a matrix in which 45 to 85 % of each use are recognised, float64 (8, 8)."""
    right = random.uniform(0.45, 0.85, SIZE)
    rates = np.diag(right)
    for use in range(SIZE):
        others = np.arange(SIZE) != use
        rates[use, others] = random.dirichlet(np.ones(SIZE - 1)) * (1 - right[use])
    return rates


def random_confusion(
    random: np.random.Generator, rates: NDArray[np.float64], labelled: int
) -> list[list[int]]:
    """Draws labelled conversations of each use."""
    return [random.multinomial(labelled, row).tolist() for row in rates]


@pytest.mark.parametrize("seed", range(20))
def test_shares_sum_to_one_within_their_intervals(seed: int) -> None:
    """Whatever the counts, shares sum to one, and each is in an interval that is not 0 to 0."""
    random = np.random.default_rng(seed)
    said = random.integers(0, 10 ** int(random.integers(1, 7)), SIZE) * random.integers(0, 2, SIZE)
    said[int(random.integers(SIZE))] += 1
    confusion = random.integers(0, 100, (SIZE, SIZE)) * random.integers(0, 2, (SIZE, SIZE))
    found = estimate_uses(said.tolist(), confusion.tolist())
    assert sum(one.share for one in found) == pytest.approx(1, abs=1e-12)
    assert all(0 <= one.low <= one.share <= one.high <= 1 for one in found)
    assert all(one.high > 0 for one in found)


def test_the_same_counts_give_the_same_estimate() -> None:
    """The draws have a fixed seed."""
    confusion = random_confusion(np.random.default_rng(1), np.eye(SIZE) / 2 + 1 / 16, 100)
    said = list(range(10, 90, 10))
    assert estimate_uses(said, confusion) == estimate_uses(said, confusion)


def test_expected_counts_give_back_the_truth() -> None:
    """From average counts and a well-measured matrix, the estimate equals the true shares."""
    rates = random_rates(np.random.default_rng(2))
    said = np.rint(TRUTH @ rates * 10_000_000).astype(int)
    confusion = np.rint(rates * 1_000_000).astype(int)
    found = estimate_uses(said.tolist(), confusion.tolist())
    assert [one.share for one in found] == pytest.approx(TRUTH, abs=1e-4)


@pytest.mark.parametrize(("labelled", "size"), [(60, 2_000), (200, 50_000)])
def test_intervals_cover_known_shares(labelled: int, size: int) -> None:
    """At least 90 % of the intervals cover the truth, and the error is less than the raw one."""
    random, covered, errors, raw_errors = np.random.default_rng(3), [], [], []
    for _ in range(60):
        rates = random_rates(random)
        said = random.multinomial(size, TRUTH @ rates)
        found = estimate_uses(said.tolist(), random_confusion(random, rates, labelled))
        covered.append([one.low <= t <= one.high for one, t in zip(found, TRUTH, strict=True)])
        errors.append(np.abs([one.share for one in found] - TRUTH).sum())
        raw_errors.append(np.abs(said / size - TRUTH).sum())
    assert np.mean(covered) >= 0.9
    assert np.mean(covered, axis=0).min() >= 0.8
    assert np.mean(errors) < np.mean(raw_errors)


def test_intervals_cover_known_shares_from_counts_with_noise() -> None:
    """93 % of 1,000 intervals contain the truth, with all of chance, labels and noise."""
    random, covered = np.random.default_rng(7), []
    for _ in range(125):
        rates = random_rates(random)
        said = noisy(random, random.multinomial(600, TRUTH @ rates))
        confusion = random_confusion(random, rates, 100)
        found = estimate_uses(said.astype(int).tolist(), confusion, noise_variance=VARIANCE)
        covered += [one.low <= t <= one.high for one, t in zip(found, TRUTH, strict=True)]
    assert np.mean(covered) >= LEAST_COVERAGE


def test_noise_widens_the_intervals() -> None:
    """The intervals of small counts with noise are wider, and around the same shares."""
    said, confusion = [20] * SIZE, np.eye(SIZE, dtype=int) * 1000
    exact = estimate_uses(said, confusion.tolist())
    found = estimate_uses(said, confusion.tolist(), noise_variance=25.0)
    for narrow, wide in zip(exact, found, strict=True):
        assert wide.share == narrow.share
        assert wide.high - wide.low > 1.2 * (narrow.high - narrow.low)


def test_what_the_matrix_cannot_explain_widens_the_intervals() -> None:
    """A use that was given less often than false alarms alone should may still have a share."""
    confusion = [[90 if use == said else 2 for said in range(SIZE)] for use in range(SIZE)]
    confusion[1][2] = 40
    said = [100, 8000, 500, 100, 100, 100, 100, 100]
    found = estimate_uses(said, confusion)
    assert found[2].share < 0.001
    assert found[2].high > 0.05


def test_a_known_affective_share_is_kept() -> None:
    """The affective share that is given is returned; the others sum to the rest."""
    random = np.random.default_rng(4)
    rates, known = random_rates(random), Estimate(0.05, 0.02, 0.11)
    said = random.multinomial(20_000, TRUTH @ rates).tolist()
    confusion = random_confusion(random, rates, 200)
    found = estimate_uses(said, confusion, known)
    assert found[0] == known
    assert sum(one.share for one in found) == pytest.approx(1, abs=1e-12)
    free = estimate_uses(said, confusion)
    assert sum(one.share for one in found[1:]) == pytest.approx(0.95)
    assert [one.share for one in found[1:]] != [one.share for one in free[1:]]


@pytest.mark.parametrize(
    ("said", "confusion", "message"),
    [
        ([1] * 7, [[1] * 8] * 8, r"\(7,\)"),
        ([1] * 8, [[1] * 8] * 7, r"\(7, 8\)"),
        ([0] * 8, [[1] * 8] * 8, "sum not zero"),
        ([-1] + [2] * 7, [[1] * 8] * 8, "must not be negative"),
    ],
)
def test_impossible_counts_are_refused(
    said: list[int], confusion: list[list[int]], message: str
) -> None:
    """Wrong sizes, negative counts and no counts at all are refused."""
    with pytest.raises(ValueError, match=message):
        estimate_uses(said, confusion)

"""Tests corrected shares: against a plain reference, and against simulated labels and noise."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.transforms.estimation import reference
from tests.transforms.estimation.reference import Triple
from tests.transforms.estimation.simulation import (
    DRAWS,
    LEAST_COVERAGE,
    VARIANCE,
    coverage,
    drawn_rates,
    noisy,
)
from transforms.estimation.corrections import (
    ErrorRates,
    Group,
    direct,
    inside,
    inside_detected,
    quotient,
    union,
)
from transforms.estimation.proportions import Interval, quotient_noise

EXACT = quotient_noise(0.0, np.zeros(1))
NOISE = quotient_noise(VARIANCE, np.zeros(DRAWS))


def rates_of(*counts: int) -> ErrorRates:
    """Returns rates from the four counts of `Rate`."""
    return ErrorRates(*(np.array([float(count)]) for count in counts))


def group_of(*counts: int) -> Group:
    """Returns a group from the counts of its part, its whole, those alike and everything."""
    return Group(*(np.array([float(count)]) for count in counts))


def assert_equal(found: Interval, wanted: Triple) -> bool:
    """Compares with the reference, and tells whether there is a share well within 0 and 1."""
    share, low, high = (float(values.item()) for values in found)
    if wanted[0] is None:
        assert np.isnan(share)
        return False
    if not 0 < wanted[0] < 1:  # There the reference has intervals such as 0 to 0.
        assert share == wanted[0]
        return False
    assert (share, low, high) == pytest.approx(wanted, abs=1e-9)
    return True


def random_rates(random: np.random.Generator) -> tuple[int, int, int, int]:
    """Draws rates that support a correction."""
    positives, negatives = int(random.integers(30, 300)), int(random.integers(500, 3000))
    found, wrong = random.uniform(0.5, 0.95), random.uniform(0, 0.1)
    return (
        int(random.binomial(positives, found)), positives,
        int(random.binomial(negatives, wrong)), negatives,
    )  # fmt: skip


def comparisons(random: np.random.Generator) -> Iterator[tuple[Interval, Triple]]:
    """Corrects random counts in every way, here and by the reference."""
    everything = int(random.integers(500, 50_000))
    whole, alike = (int(random.integers(20, everything // 2)) for _ in range(2))
    part = int(random.integers(1, min(whole, alike)))
    rates, whole_rates = random_rates(random), random_rates(random)
    ours, theirs = rates_of(*rates), rates_of(*whole_rates)
    plain, plain_whole = reference.Counts(*rates), reference.Counts(*whole_rates)
    one, two, three = (np.array([float(count)]) for count in (part, whole, everything))
    group = group_of(part, whole, alike, everything)
    counts = (part, whole, alike, everything)
    yield direct(one, two, ours, EXACT), reference.direct(part, whole, plain)
    yield (
        quotient(one, two, three, ours, theirs, 0.0),
        reference.quotient(part, whole, everything, plain, plain_whole),
    )
    yield inside(group, theirs, 0.0), reference.long_inside(*counts, plain_whole)
    yield (
        inside_detected(group, ours, theirs, 0.0),
        reference.pushback_inside(*counts, plain, plain_whole),
    )


def test_exact_counts_give_the_shares_of_the_reference() -> None:
    """Without noise, each way of correction equals plain formulas from the literature."""
    random, compared = np.random.default_rng(3), [0] * 4
    for _ in range(500):
        for way, (found, wanted) in enumerate(comparisons(random)):
            compared[way] += assert_equal(found, wanted)
    assert min(compared) > 100


def test_worked_example() -> None:
    """56 hits in 1,633 at rates 14/28 and 34/1,573 give 2.65 % and the interval of R's `asht`."""
    found = direct(np.array([56.0]), np.array([1633.0]), rates_of(14, 28, 34, 1573), EXACT)
    assert [values[0] for values in found] == pytest.approx([0.02650, 0.00319, 0.05523], abs=1e-5)


@pytest.mark.parametrize("size", [1000, 20_000])
@pytest.mark.parametrize("truth", [0.01, 0.03, 0.2])
def test_direct_covers_the_truth(size: int, truth: float) -> None:
    """93 % of the intervals contain the true share, with all of chance, rates and noise."""
    random = np.random.default_rng(size)
    true = random.binomial(size, truth, DRAWS)
    said = random.binomial(true, 0.7) + random.binomial(size - true, 0.02)
    rates = drawn_rates(random, 0.7, 0.02, 100, 1500)
    found = direct(noisy(random, said), noisy(random, np.full(DRAWS, size)), rates, NOISE)
    assert coverage(found, truth) >= LEAST_COVERAGE


@pytest.mark.parametrize(
    ("size", "inner"), [(3000, 0.3), (3000, 0.1), (30_000, 0.05), (100_000, 0.02)]
)
def test_quotient_covers_the_truth(size: int, inner: float) -> None:
    """The share of a type among truly affective conversations is covered."""
    random = np.random.default_rng(size)
    affective, rest, _ = random.multinomial(size, [0.1 * inner, 0.1 * (1 - inner), 0.9], DRAWS).T
    neither = size - affective - rest
    said = random.binomial(affective, 0.6) + random.binomial(rest + neither, 0.005)
    said_whole = random.binomial(affective + rest, 0.7) + random.binomial(neither, 0.02)
    found = quotient(
        noisy(random, said),
        noisy(random, said_whole),
        noisy(random, np.full(DRAWS, size)),
        drawn_rates(random, 0.6, 0.005, 100, 1500),
        drawn_rates(random, 0.7, 0.02, 150, 1500),
        VARIANCE,
    )
    assert coverage(found, inner) >= LEAST_COVERAGE


def drawn_groups(random: np.random.Generator, size: int, among: float, rest: float) -> Group:
    """Draws a group of 10 % of all conversations, of which a share `among` is long.

    Of the other conversations, a share `rest` is long. The classifier finds 7 in 10 of the group,
    and takes 1 in 100 others for it.
    """
    true = random.binomial(size, 0.1, DRAWS)
    long, long_rest = random.binomial(true, among), random.binomial(size - true, rest)
    part = random.binomial(long, 0.7) + random.binomial(long_rest, 0.01)
    short = random.binomial(true - long, 0.7) + random.binomial(size - true - long_rest, 0.01)
    counts = (part, part + short, long + long_rest, np.full(DRAWS, size))
    return Group(*(noisy(random, count) for count in counts))


@pytest.mark.parametrize(("size", "among", "rest"), [(3000, 0.3, 0.1), (20_000, 0.05, 0.3)])
def test_inside_covers_the_truth(size: int, among: float, rest: float) -> None:
    """The share of long conversations within a true group is covered."""
    random = np.random.default_rng(size)
    group = drawn_groups(random, size, among, rest)
    found = inside(group, drawn_rates(random, 0.7, 0.01, 100, 1500), VARIANCE)
    assert coverage(found, among) >= LEAST_COVERAGE


@pytest.mark.parametrize(("size", "truth"), [(5000, 0.2), (20_000, 0.05)])
def test_inside_detected_covers_the_truth(size: int, truth: float) -> None:
    """The rate of pushback within a true group is covered, if the detector errs too."""
    random = np.random.default_rng(size)
    seen = truth * 0.8 + (1 - truth) * 0.03
    group = drawn_groups(random, size, seen, seen)
    found = inside_detected(
        group,
        drawn_rates(random, 0.8, 0.03, 200, 1000),
        drawn_rates(random, 0.7, 0.01, 100, 1500),
        VARIANCE,
    )
    assert coverage(found, truth) >= LEAST_COVERAGE


def test_union_covers_the_truth() -> None:
    """The share of three types together is covered, if a third of the smaller types overlap."""
    random, size = np.random.default_rng(9), 20_000
    only_one, only_two, both, _ = random.multinomial(size, [0.01, 0.004, 0.002, 0.984], DRAWS).T
    wholes = noisy(random, np.full(DRAWS, size))
    parts, said_any = [], np.zeros(DRAWS, np.int64)
    for true in (only_one + both, only_two + both):
        said = random.binomial(true, 0.7) + random.binomial(size - true, 0.001)
        said_any += said
        rates = drawn_rates(random, 0.7, 0.001, 200, 1500)
        parts.append((noisy(random, said), direct(noisy(random, said), wholes, rates, NOISE)))
    said_any -= random.binomial(both, 0.49)
    found = union(
        (noisy(random, said_any) / wholes)[:, None],
        np.stack([said / wholes for said, _ in parts], axis=1),
        Interval(*(np.stack(ends, axis=1) for ends in zip(*(i for _, i in parts), strict=True))),
    )
    assert coverage(found, 0.016) >= LEAST_COVERAGE
    assert np.median(found.share) == pytest.approx(0.016, rel=0.15)


def in_every_way(
    group: Group, rates: ErrorRates, whole_rates: ErrorRates, variance: float
) -> list[Interval]:
    """Corrects the part's share of the whole in every way."""
    noise = quotient_noise(variance, np.zeros(1))
    return [
        direct(group.part, group.whole, rates, noise),
        quotient(group.part, group.whole, group.everything, rates, whole_rates, variance),
        inside(group, whole_rates, variance),
        inside_detected(group, rates, whole_rates, variance),
    ]


def test_noise_widens_every_interval() -> None:
    """Of two intervals, that of counts with noise contains the other."""
    group, rates = group_of(60, 180, 200, 1000), rates_of(80, 100, 5, 1000)
    exact, noisy_ = (in_every_way(group, rates, rates, variance) for variance in (0.0, VARIANCE))
    for narrow, wide in zip(exact, noisy_, strict=True):
        assert wide.share == narrow.share
        assert wide.low < narrow.low - 1e-3
        assert wide.high > narrow.high + 1e-3


def test_inside_contains_just_the_noise_of_its_four_counts() -> None:
    """What noise adds to the squared interval is the variance that it adds to the share."""
    random, rates = np.random.default_rng(4), rates_of(80, 100, 3000, 10_000)
    counts = [np.full(50_000, n) for n in (250, 600, 500, 1500)]
    spread = inside(Group(*(noisy(random, n) for n in counts)), rates, VARIANCE).share.var()
    exact, found = (inside(group_of(250, 600, 500, 1500), rates, v) for v in (0.0, VARIANCE))
    added = (found.share - found.low) ** 2 - (exact.share - exact.low) ** 2
    assert added / 1.959964**2 == pytest.approx(spread, rel=0.05)


COUNT = st.integers(0, 30_000).map(float)


@given(st.lists(COUNT, min_size=4, max_size=4), st.integers(0, 10**6))
def test_no_interval_is_a_point(counts: list[float], seed: int) -> None:
    """Whatever was counted, each interval is within [0, 1], has its share, and has a width."""
    part, whole, alike, everything = (np.array([max(count, 1.0)]) for count in counts)
    random = np.random.default_rng(seed)
    rates, whole_rates = rates_of(*random_rates(random)), rates_of(*random_rates(random))
    group = Group(part, whole, alike, everything)
    for found in in_every_way(group, rates, whole_rates, VARIANCE):
        share, low, high = (values[0] for values in found)
        assert np.isnan(share) or 0 <= low <= share <= high <= 1
        assert np.isnan(share) or low < high


def test_fewer_than_false_alarms_alone_leave_room_above_zero() -> None:
    """If fewer were counted than false alarms alone should give, the interval keeps its width."""
    found = direct(np.array([20.0]), np.array([100_000.0]), rates_of(80, 100, 100, 1000), EXACT)
    assert found.share[0] == found.low[0] == 0
    assert found.high[0] > 0.01


def test_no_share_of_a_group_that_may_be_all_false_alarms() -> None:
    """If the interval of the whole reaches 0, the share within it is unknown."""
    found = inside(group_of(30, 100, 2000, 10_000), rates_of(80, 100, 10, 1000), VARIANCE)
    assert np.isnan(found.share[0])

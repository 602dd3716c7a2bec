"""Tests the noise that cells get from their keys."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from cell_key_perturbation.create_perturbed_table import create_perturbed_table
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.counting.places import KEY_SPACE
from transforms.publishing.noise import Integers, Purpose, noise, variance_of_sum

KEYS = np.random.default_rng(7).integers(0, KEY_SPACE, 200_000)


def usual_noise(counts: Integers | int, keys: Integers, purpose: Purpose) -> Integers:
    """Returns noise of the default policy."""
    return noise(np.broadcast_to(np.int64(counts), keys.shape), keys, purpose, 4.0, 5)


@pytest.mark.parametrize("purpose", Purpose)
@pytest.mark.parametrize("count", [1, 2, 3, 4, 15, 10**6])
def test_noise_is_unbiased_and_has_its_variance(purpose: Purpose, count: int) -> None:
    """Over many keys the mean of the noise is 0 and its variance is 4, in units of the purpose."""
    steps = usual_noise(count, KEYS, purpose) / purpose.value
    assert abs(steps.mean()) < 5 * 2 / np.sqrt(len(KEYS))
    expected = 4.0 if purpose is Purpose.CONVERSATIONS else variance_of_sum(4.0)
    assert steps.var() == pytest.approx(expected, rel=0.05)
    assert set(np.rint(steps)) == set(range(-min(count, 5), 6))


@pytest.mark.parametrize("purpose", [Purpose.CHANGE, Purpose.CHANGE_SQUARES])
def test_the_remainder_of_a_sum_tells_nothing(purpose: Purpose) -> None:
    """Divided by the largest change, the noise leaves all remainders equally often."""
    remainders = usual_noise(15, KEYS, purpose) % purpose.value
    tenths = np.bincount(remainders * 10 // purpose.value, minlength=10)
    assert abs(tenths - len(KEYS) / 10).max() < 5 * np.sqrt(len(KEYS) / 10)
    assert len(set(remainders.tolist())) >= min(purpose.value, len(KEYS)) / 3


def test_without_noise_sums_are_exact() -> None:
    """One's own data has neither noise nor a uniform part."""
    counts = np.full(KEYS.shape, 15)
    assert not noise(counts, KEYS, Purpose.CHANGE, 0.0, 0).any()


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(-5, 40), st.integers(-(2**40), 2**40)), max_size=20))
def test_a_count_never_becomes_negative(cells: list[tuple[int, int]]) -> None:
    """Noise takes away at most the count itself, and nothing stays nothing."""
    counts = np.array([count for count, _ in cells], np.int64)
    keys = np.array([key for _, key in cells], np.int64)
    added = usual_noise(counts, keys, Purpose.CONVERSATIONS)
    assert (counts.clip(0) + added >= 0).all()
    assert (added[counts <= 0] == 0).all()
    assert (abs(added) <= 5).all()


@settings(deadline=None)
@given(st.integers(1, 10**6), st.integers(0, KEY_SPACE - 1), st.integers(-3, 3))
def test_keys_count_modulo_their_space(count: int, key: int, turns: int) -> None:
    """A key and the key reduced modulo 2**32 give the same noise."""
    both = np.array([key, key + turns * KEY_SPACE])
    assert len(set(usual_noise(count, both, Purpose.CONVERSATIONS))) == 1


@pytest.mark.parametrize(("one", "other"), [
    (Purpose.CONVERSATIONS, Purpose.CHANGE),
    (Purpose.CONVERSATIONS, Purpose.CHANGE_SQUARES),
    (Purpose.CHANGE, Purpose.CHANGE_SQUARES),
])  # fmt: skip
def test_the_noise_of_one_number_tells_nothing_about_another(one: Purpose, other: Purpose) -> None:
    """For one key, the noise of two numbers is independent: each pair is as often as by chance."""
    steps = [
        np.rint(usual_noise(15, KEYS, purpose) / purpose.value).astype(np.int64) + 5
        for purpose in (one, other)
    ]
    assert dependence(steps[0], steps[1]) < 171  # 100 degrees of freedom; 1 in 100,000 times.


def test_the_noise_of_two_cells_tells_nothing_about_that_of_both_together() -> None:
    """The noise of a sum of keys is independent of the noise of the keys."""
    others = np.random.default_rng(8).integers(0, KEY_SPACE, len(KEYS))
    one, two, both = (
        usual_noise(15, keys, Purpose.CONVERSATIONS) + 5 for keys in (KEYS, others, KEYS + others)
    )
    pairs = one * 11 + two
    assert dependence(pairs, both) < 1370  # 1200 degrees of freedom; 1 in 2,000 times.


def dependence(one: Integers, other: Integers) -> float:
    """Returns chi squared of the table of two numbers, which are small and not negative."""
    table = np.zeros((one.max() + 1, other.max() + 1))
    np.add.at(table, (one, other), 1)
    expected = table.sum(1, keepdims=True) * table.sum(0) / len(one)
    return float(((table - expected) ** 2 / expected).sum())


def test_cells_agree_with_the_reference_implementation() -> None:
    """Given our noise as its table, the ONS's package publishes the numbers that we publish."""
    chance = np.random.default_rng(3)
    rows = 5_000
    people = pd.DataFrame({
        "country": chance.choice(["DE", "FR", "US"], rows, p=[0.6, 0.3, 0.1]),
        "use": chance.choice(list("abcdefghij"), rows),
        "type": chance.geometric(0.25, rows),
        "record_key": chance.integers(0, 256, rows),
    })  # fmt: skip
    names = ["country", "use", "type"]
    table = create_perturbed_table(
        people, reference_table(), names[:1], names[1:], "record_key", threshold=10
    )
    groups = people.groupby(names)["record_key"]
    counts, keys = groups.size(), groups.sum() * 2**24
    added = usual_noise(counts.to_numpy(), keys.to_numpy(), Purpose.CONVERSATIONS)
    ours = (counts + added).rename("ours")
    both = table.join(ours, on=names, how="inner")
    assert len(both) == len(ours) > 300
    shown = both[both["ours"] >= 10]
    assert both["count"].notna().sum() == len(shown) > 100
    assert shown["count"].tolist() == shown["ours"].tolist()


def reference_table() -> pd.DataFrame:
    """Writes our noise as the table of the ONS's package: by count and by a key of 8 bits."""
    counts, keys = (axis.ravel() for axis in np.mgrid[1:751, 0:256])
    added = usual_noise(counts, keys << 24, Purpose.CONVERSATIONS)
    return pd.DataFrame({"pcv": counts, "ckey": keys, "pvalue": added})

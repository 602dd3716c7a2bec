"""Attacks simulated days with late conversations, corrections and a backfill."""

from __future__ import annotations

from functools import cache

from tests.benchmarks.bench_attack import Attacked, added_up, attacked, broken_promises

TIMELINES = 25
"""The benchmark attacks a thousand."""


@cache
def attack_all() -> Attacked:
    """Attacks all timelines, once for all tests."""
    return added_up(map(attacked, range(TIMELINES)))


def test_no_promise_is_broken() -> None:
    """No change isolates a few people, and no attack beats a constant guess."""
    total = attack_all()
    assert broken_promises(total) == []
    assert total.isolating == 0
    assert total.changed > 500
    assert total.withheld == 0
    assert total.large > 1_000


def test_noise_leaves_few_numbers_exact() -> None:
    """About a fifth of all numbers are exact, as the distribution of the noise says."""
    total = attack_all()
    assert 0.15 < total.exact / total.numbers < 0.25

"""Tests that the sample of a day is the right one, and that its probabilities are true."""

from __future__ import annotations

import json
import random

import pytest

from schemas.breakdowns import ATTRIBUTES
from schemas.judged import CandidatesRow
from tests.builders import MONDAY_US, rank_for, summary
from transforms.counting.candidates import Candidates, candidate_of
from transforms.counting.cells import HOUR_US
from transforms.counting.profile import Profile, profile_of
from transforms.judging.choice import choose

PLAIN: Profile = profile_of(summary())
AFFECTIVE: Profile = profile_of(
    summary("ada", types=["coaching"], human_messages=60, platform="web", reasons=0b101, change=-7)
)


def row(
    numbers: range, profile: Profile = PLAIN, hour: int = 0, most: int = 10**6, generation: int = 1,
    key_id: str = "k", day_us: int = MONDAY_US,
) -> CandidatesRow:  # fmt: skip
    """Returns the row of an hour with a conversation for each number."""
    candidates = Candidates()
    for number in numbers:
        candidates.add(candidate_of(rank_for(number), day_us, profile))
    candidates.keep(most)
    start_us = day_us + hour * HOUR_US
    return CandidatesRow(
        start_us, start_us + HOUR_US, candidates.edge, candidates.text(), generation, 1, 1,
        "stream", key_id, "2", "c-1",
    )  # fmt: skip


def test_a_small_day_is_sampled_whole() -> None:
    """If the budget suffices for all conversations, each is sampled with certainty."""
    sample = choose([row(range(5)), row(range(5, 9), hour=3)], 9, 7)
    assert len(sample) == 9
    assert {each.probability for each in sample} == {1.0}
    assert {each.attempt for each in sample} == {7}


def test_the_budget_is_spent_and_no_more() -> None:
    """A larger day gives exactly as many conversations as may be judged, whatever the order."""
    rows = [row(range(40)), row(range(40, 90), hour=3)]
    sample = choose(rows, 20, 0)
    assert len(sample) == 20
    assert choose(reversed(rows), 20, 0) == sample
    assert {each.conversation for each in choose(rows, 10, 0)} < {s.conversation for s in sample}


def test_a_row_says_what_the_classifier_decided() -> None:
    """Labels are given by name, and values by breakdown."""
    (each,) = choose([row(range(1), AFFECTIVE)], 5, 0)
    assert (each.use, each.types) == ("affective", "coaching")
    assert (each.opening_type, each.closing_type) == ("none", "none")
    assert each.pushback_reasons == "self_harm,professional_limits"
    assert each.sentiment_change_300ths == -7
    assert json.loads(each.breakdowns) == {
        **dict.fromkeys(ATTRIBUTES, "unknown"),
        "platform": "web",
    }
    assert (each.day_us, each.started_at_us) == (MONDAY_US, MONDAY_US)
    (short,) = choose([row(range(1))], 5, 0)
    assert short.sentiment_change_300ths is None


def test_an_edge_limits_the_sample() -> None:
    """If an hour dropped candidates, no hour gives any beyond its edge."""
    rows = [row(range(40), most=5), row(range(40, 80), hour=3)]
    sample = choose(rows, 60, 0)
    assert 5 <= len(sample) < 45
    weight_times_edge = sample[0].probability
    assert 0 < weight_times_edge < 1


def test_generations_of_a_stream_are_joined() -> None:
    """A conversation that two generations counted is sampled once."""
    rows = [row(range(10)), row(range(5, 15), generation=2)]
    assert len({each.conversation for each in choose(rows, 99, 0)}) == 15


def test_several_days_share_a_budget() -> None:
    """A run of several days is sampled as one, so that a day's share grows with its size."""
    rows = [row(range(90)), row(range(90, 100), day_us=0)]
    sample = choose(rows, 50, 0)
    assert len(sample) == 50
    assert len({each.probability for each in sample}) == 1
    assert 0 < sum(each.day_us == 0 for each in sample) <= 10


def test_candidates_of_several_secrets_are_refused() -> None:
    """The same conversation would have several hashes."""
    with pytest.raises(ValueError, match="2 secrets"):
        choose([row(range(5)), row(range(5, 9), key_id="l")], 5, 0)


def test_the_probabilities_make_estimates_unbiased() -> None:
    """Weighted by 1 / probability, samples estimate both groups without bias."""
    chance = random.Random(3)
    plain, affective = 0.0, 0.0
    days = 400
    for _ in range(days):
        first = chance.randrange(10**9)
        rows = [row(range(first, first + 60)), row(range(first + 60, first + 70), AFFECTIVE)]
        for each in choose(rows, 15, 0):
            if each.use == "affective":
                affective += 1 / each.probability
            else:
                plain += 1 / each.probability
    assert plain / days == pytest.approx(60, rel=0.04)
    assert affective / days == pytest.approx(10, rel=0.08)

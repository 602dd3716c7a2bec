"""Tests the rates that are measured from judged samples, in the format of the shipped ones."""

from __future__ import annotations

import numpy as np
import pytest

from schemas.published import FALSE_ALARMS, RECALL
from tests.judged import judged, labelled
from tests.transforms.watching.test_watch import true_rate
from transforms.estimation.judged_figures import Noise
from transforms.estimation.rates import Rate, Rates
from transforms.estimation.shares import AFFECTIVE_USE
from transforms.judging.conversations import JudgedConversation
from transforms.watching.card import card_of
from transforms.watching.traffic import effective_number, traffic_rates

NOISE = Noise(4.0, 5)


def affective(sample: list[JudgedConversation], noise: Noise = NOISE) -> Rate:
    """Returns the rate of affective use."""
    found = traffic_rates(sample, "c", noise).rates
    return next(rate for rate in found if (rate.facet, rate.facet_value) == AFFECTIVE_USE)


def test_if_all_are_judged_the_rates_are_the_true_ones() -> None:
    """With every conversation judged and no noise, both rates are the true ones."""
    made = labelled(np.random.default_rng(1), 2_000, share=0.2)
    found = affective(judged(made, 2_000), Noise(0.0, 0))
    recall, alarms = (true_rate(made, AFFECTIVE_USE, m) for m in (RECALL, FALSE_ALARMS))
    assert found.true_positives / found.positives == pytest.approx(recall, abs=1e-3)
    assert found.false_positives / found.negatives == pytest.approx(alarms, abs=1e-3)
    assert found.is_supported


@pytest.mark.parametrize("rate", [0.0, 0.02, 0.6, 1.0])
def test_an_effective_number_has_the_width_of_wilsons_interval(rate: float) -> None:
    """The interval of the counts is as wide as asked for."""
    number = effective_number(rate, 0.1)
    positives = round(rate * number)
    counts = Rate("all", *AFFECTIVE_USE, positives, number, 0, 0)
    measured = card_of(Rates("c", (counts,)))[AFFECTIVE_USE, RECALL]
    assert measured.high - measured.low == pytest.approx(0.1, abs=0.006)
    assert positives / number == pytest.approx(rate, abs=0.01)


def test_fewer_judgements_are_fewer_effective_ones() -> None:
    """A quarter of the judgements counts less, and unequal weights count less than equal ones."""
    made = labelled(np.random.default_rng(2), 6_000, share=0.1)
    large, small = (affective(judged(made, budget)) for budget in (1_200, 300))
    assert large.positives > 2 * small.positives
    assert large.positives < 600  # A tenth of all, most of them judged.


def test_the_interval_of_the_file_covers() -> None:
    """The interval of the written counts contains the true rates as often as the measured one."""
    random = np.random.default_rng(3)
    covered = total = 0
    for _ in range(40):
        made = labelled(random, 1_500, share=0.1)
        card = card_of(traffic_rates(judged(made, 150), "c", NOISE))
        for measure in (RECALL, FALSE_ALARMS):
            found = card[AFFECTIVE_USE, measure]
            covered += found.low <= true_rate(made, AFFECTIVE_USE, measure) <= found.high
            total += 1
    assert covered >= 0.93 * total - 2 * np.sqrt(0.93 * 0.07 * total)


def test_the_rates_do_not_depend_on_the_order() -> None:
    """A shuffled sample of several days gives the same counts."""
    random = np.random.default_rng(4)
    made = [each for day in range(3) for each in labelled(random, 600, share=0.1, day=day)]
    sample = judged(made, 150)
    shuffled = [sample[i] for i in random.permutation(len(sample))]
    assert traffic_rates(shuffled, "c", NOISE) == traffic_rates(sample, "c", NOISE)


def test_without_judgements_there_are_no_rates() -> None:
    """Too few judgements give no rate rather than a guess."""
    made = labelled(np.random.default_rng(5), 200, share=0.1)
    assert traffic_rates([], "c", NOISE).rates == ()
    assert traffic_rates(judged(made, 14)[:14], "c", NOISE).rates == ()

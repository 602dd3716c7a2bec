"""Tests how well the classifier's recall and false alarms are measured from a judged sample."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from pipelines.publishing.windows import watched_rates
from schemas.labels import TYPES
from schemas.published import FALSE_ALARMS, JUDGED, RECALL
from schemas.records import ConversationSummary
from tests.judged import MONDAY, Labelled, counts, judged, labelled
from transforms.estimation.judged_figures import JudgedSample, Noise, sample_for
from transforms.estimation.shares import AFFECTIVE_USE
from transforms.facets.registry import Slice
from transforms.judging.conversations import MIN_JUDGED, JudgedConversation
from transforms.publishing.policy import OWN_DATA, Policy
from transforms.publishing.publication import Provenance, Published, publish
from transforms.watching.card import Measured
from transforms.watching.watch import WATCHED, Watched, watch

POLICY = Policy()
Rates = dict[tuple[Slice, str], Watched]


def monday(made: Sequence[Labelled], policy: Policy = POLICY) -> Published:
    """Publishes Monday."""
    found = publish(MONDAY, counts(made, MONDAY), None, policy, Provenance("k", "2", "c"))
    assert found is not None
    return found


def rates(
    made: Sequence[Labelled], sample: Sequence[JudgedConversation], policy: Policy = POLICY
) -> Rates:
    """Measures the rates of Monday."""
    found = watched_rates(monday(made, policy), sample_for(MONDAY, sample))
    return {(each.slice, each.measure): each for each in found}


def is_in(slice_: Slice, summary: ConversationSummary) -> bool:
    """Tells whether a conversation belongs to a watched slice of the facets use and type."""
    if slice_ == AFFECTIVE_USE:
        return summary.use == 0
    return bool(summary.types >> TYPES.index(slice_.value) & 1)


def true_rate(made: Sequence[Labelled], slice_: Slice, measure: str) -> float:
    """Returns the rate that the classifier really has."""
    base = [each for each in made if is_in(slice_, each.truth) == (measure == RECALL)]
    return sum(is_in(slice_, each.said) for each in base) / len(base)


COACHING = Slice("type", "coaching")
KEYS = [(slice_, measure) for slice_ in (AFFECTIVE_USE, COACHING) for measure in
        (RECALL, FALSE_ALARMS)]  # fmt: skip


def test_if_all_are_judged_the_rates_are_exact() -> None:
    """With every conversation judged and no noise, the rates are the true ones."""
    made = labelled(np.random.default_rng(1), 600, share=0.3)
    found = rates(made, judged(made, 1000), OWN_DATA)
    for key in KEYS:
        assert found[key].rate == pytest.approx(true_rate(made, *key))
        figure = found[key].figure
        assert (figure.measure, figure.method, figure.conversations) == (key[1], JUDGED, 600)
        assert figure.raw is None
    assert (Slice("type", "roleplay"), RECALL) not in found  # Nobody has it.


def test_a_rate_needs_enough_conversations_in_its_denominator() -> None:
    """Recall needs 15 judged affective conversations, false alarms 15 others."""
    made = labelled(np.random.default_rng(2), 800, share=0.02)
    sample = judged(made, 100)
    affective = sum(each.truth.traits.use == 0 for each in sample)
    assert affective < MIN_JUDGED
    found = rates(made, sample)
    assert (AFFECTIVE_USE, RECALL) not in found
    assert (AFFECTIVE_USE, FALSE_ALARMS) in found
    assert not rates(made, sample[: MIN_JUDGED - 1])


@pytest.mark.parametrize(("days", "seed"), [(0, 3), (6, 4)])
def test_intervals_contain_the_true_rates(days: int, seed: int) -> None:
    """At least 93 % of the intervals cover, within chance, for a day alone and with its week."""
    random = np.random.default_rng(seed)
    draws, covered, total = (60, 0, 0) if not days else (25, 0, 0)
    for _ in range(draws):
        week = [labelled(random, 900, share=0.08, day=day) for day in range(-days, 1)]
        sample = judged([each for day in week for each in day], 90)
        found = rates(week[-1], sample)
        for key in KEYS:
            if key in found:
                truth = true_rate(week[-1], *key)
                covered += found[key].low <= truth <= found[key].high
                total += 1
    assert total > 2 * draws
    assert covered >= 0.93 * total - 2 * np.sqrt(0.93 * 0.07 * total)


def test_a_week_serves_a_day_with_too_few() -> None:
    """A rate that the day's own sample can't tell comes from the week; others stay the day's."""
    random = np.random.default_rng(5)
    week = [labelled(random, 900, share=0.04, day=day) for day in range(-6, 1)]
    sample = judged([each for day in week for each in day], 60)
    alone = [each for each in sample if each.started_at_us >= MONDAY.start_us]
    with_week, without = (rates(week[-1], s) for s in (sample, alone))
    assert (AFFECTIVE_USE, RECALL) in with_week.keys() - without.keys()
    own, both = (found[AFFECTIVE_USE, FALSE_ALARMS] for found in (without, with_week))
    assert (own.rate, own.low, own.high) == (both.rate, both.low, both.high)
    assert own.same_all_week is None
    assert both.same_all_week is not None


def test_a_change_within_the_week_shows() -> None:
    """If false alarms rise fivefold on one day, the test between days finds it."""
    random = np.random.default_rng(6)
    week = [labelled(random, 1500, day=day, alarms=0.3 if day == -2 else 0.06)
            for day in range(-6, 1)]  # fmt: skip
    sample = judged([each for day in week for each in day], 200)
    found = rates(week[-1], sample)[AFFECTIVE_USE, FALSE_ALARMS]
    assert found.same_all_week is not None
    assert found.same_all_week < 0.01


def test_the_rates_do_not_depend_on_the_order() -> None:
    """A shuffled sample gives the same rates, but for rounding."""
    random = np.random.default_rng(7)
    made = labelled(random, 800, share=0.1)
    published, sample = monday(made), judged(made, 150)
    shuffled = [sample[i] for i in random.permutation(len(sample))]
    noise = Noise(POLICY.variance, POLICY.max_noise)
    found, again = (
        [number for each in watch(published.cells, JudgedSample(s, ()), noise, {})
         for number in (each.rate, each.low, each.high)]
        for s in (sample, shuffled)
    )  # fmt: skip
    assert len(found) > len(WATCHED)
    assert again == pytest.approx(found, rel=1e-9)


def test_one_label_changes_the_noise() -> None:
    """A missed conversation is in the denominator of recall, whose noise hides it."""
    made = labelled(np.random.default_rng(8), 400, share=0.3)
    sample = judged(made, 1000)
    missed = next(c for c in sample if c.truth.traits.use == 0 != c.said.traits.use)
    less = [each for each in sample if each is not missed]
    policy = Policy(min_users=1, min_conversations=2)
    key = AFFECTIVE_USE, RECALL
    one, other = (rates(made, s, policy)[key].rate for s in (sample, less))
    affective = sum(each.truth.use == 0 for each in made)
    found = sum(each.truth.use == 0 == each.said.use for each in made)
    assert one != pytest.approx(found / affective, abs=1e-4)
    assert other != pytest.approx(found / (affective - 1), abs=1e-4)


def test_a_rate_is_off_if_the_intervals_are_apart() -> None:
    """Only a rate whose interval has nothing in common with the card's is off, either way."""
    made = labelled(np.random.default_rng(9), 1500, share=0.2, found=0.6)
    cells, sample = monday(made).cells, JudgedSample(judged(made, 300), ())
    noise = Noise(POLICY.variance, POLICY.max_noise)
    for card, is_off in (
        (Measured(0.95, 0.9, 0.98), True), (Measured(0.2, 0.1, 0.3), True),
        (Measured(0.8, 0.61, 0.9), False),
    ):  # fmt: skip
        found = watch(cells, sample, noise, {(AFFECTIVE_USE, RECALL): card})
        by_key = {(each.slice, each.measure): each for each in found}
        affective = by_key[AFFECTIVE_USE, RECALL]
        assert affective.is_off == is_off, (affective, card)
        assert affective.figure.raw == card.rate
        assert not by_key[COACHING, RECALL].is_off

"""Tests that estimates stay unbiased if only a part of a sample is judged."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from schemas.judged import SampleRow
from tests.judged import judgements, labelled, sampled
from transforms.judging.conversations import join
from transforms.judging.response import in_order, judged_part


def key(row: SampleRow) -> tuple[str, int]:
    """Returns the key of a row."""
    return row.conversation, row.started_at_us


def test_a_sample_that_is_judged_whole_keeps_its_probabilities() -> None:
    """With all labels there is nothing to correct."""
    sample = sampled(labelled(np.random.default_rng(1), 300), 60)
    assert judged_part(sample, {key(row) for row in sample}) == in_order(sample)


def test_the_first_half_is_a_smaller_sample() -> None:
    """Judging the first conversations gives the probabilities of a sample of that size."""
    made = labelled(np.random.default_rng(2), 300)
    sample = in_order(sampled(made, 60))
    first = judged_part(sample, {key(row) for row in sample[:30]})
    smaller = in_order(sampled(made, 30))
    assert [key(row) for row in first] == [key(row) for row in smaller]
    assert [row.probability for row in first] == pytest.approx([r.probability for r in smaller])


def test_conversations_without_labels_are_like_the_others() -> None:
    """If a third has no labels, the rest stand for one and a half times as many."""
    sample = in_order(sampled(labelled(np.random.default_rng(3), 300), 60))
    kept = [row for n, row in enumerate(sample) if n % 3 != 0]
    part = judged_part(sample, {key(row) for row in kept})
    assert [row.probability for row in part] == pytest.approx([r.probability * 2 / 3 for r in kept])


def test_each_day_is_corrected_by_itself() -> None:
    """A day without labels says nothing, and changes no other day."""
    random = np.random.default_rng(4)
    made = [*labelled(random, 100), *labelled(random, 100, day=1)]
    sample = sampled(made, 30)
    tuesday = [row for row in sample if row.day_us == sample[-1].day_us]
    assert judged_part(sample, {key(row) for row in tuesday}) == in_order(tuesday)


def test_all_days_are_judged_evenly() -> None:
    """Wherever judging stops, the same part of every day has been judged."""
    random = np.random.default_rng(6)
    made = [*labelled(random, 300), *labelled(random, 100, day=1)]
    first = in_order(sampled(made, 1000))[:100]
    assert sum(row.day_us == first[0].day_us for row in first) in {25, 75}


def test_people_count_if_they_have_judged_half_as_many() -> None:
    """Otherwise another judge counts, and what people say tells its errors."""
    made = labelled(np.random.default_rng(5), 100)
    sample = sampled(made, 40)
    people = judgements(made, sample)
    others = [msgspec.structs.replace(row, judge="accurate") for row in people]
    assert {each.judge for each in join(sample, [*people, *others])} == {"labels 1"}
    half = join(sample, [*people[:20], *others])
    assert {(each.judge, each.checked) for each in half} == {("labels 1", None)}
    fewer = join(sample, [*people[:19], *others])
    assert {each.judge for each in fewer} == {"accurate 1"}
    assert [each.checked for each in fewer if each.checked] == [
        each.truth for each in fewer if each.checked
    ]
    assert sum(each.checked is not None for each in fewer) == 19
    assert join(sample, people[:14]) == []

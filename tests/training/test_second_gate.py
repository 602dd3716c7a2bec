"""Tests the second gate on vectors in which one direction makes a conversation affective."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.training.builders import conversation, real
from training.second_gate import domain_of, fit_second_gate
from training.sources import Conversation

COUNT = 400
SETS = ("real_dev", "hh_harmless")


def draw(more: float = 0.0) -> tuple[list[Conversation], NDArray[np.float64]]:
    """Draws conversations of two sets, of which the second has `more` positives.

    The first direction makes a conversation affective, and the second tells the sets apart.
    """
    random = np.random.default_rng(3)
    vectors = random.normal(size=(COUNT, 3))
    place = np.arange(COUNT) % 2
    vectors[:, 1] = 2 * place - 1
    affective = 3 * vectors[:, 0] + random.logistic(size=COUNT) + more * place > 1
    said = [
        real(types=["coaching"] if yes else [], dataset=SETS[own])
        for yes, own in zip(affective.tolist(), place.tolist(), strict=True)
    ]
    return said, vectors


def test_the_direction_of_affective_conversations_is_found() -> None:
    """The first direction has a large weight, and the random one hardly any."""
    found = fit_second_gate(*draw(), np.arange(COUNT))
    assert found.shape == (3,)
    assert found[0] > 2 > 5 * abs(found[2])


def test_a_set_with_more_positives_does_not_shift_the_weights() -> None:
    """The set's own offset explains its positives, and the direction of the set does not."""
    found = fit_second_gate(*draw(more=3.0), np.arange(COUNT))
    assert abs(found[1]) < 0.1 * found[0]


def test_only_labelled_rows_of_the_fit_teach() -> None:
    """Conversations outside of the rows, and those without labels, change nothing."""
    said, vectors = draw()
    rows = np.arange(COUNT // 2)
    alone = fit_second_gate(said[: COUNT // 2], vectors[: COUNT // 2], rows)
    more = [*said, real()]
    everything = np.vstack([vectors, np.full((1, 3), 99.0)])
    found = fit_second_gate(more, everything, np.append(rows, COUNT))
    assert found.tolist() == alone.tolist()


def test_written_conversations_hardly_count() -> None:
    """As many written conversations with opposite labels only make the weight a bit smaller."""
    said, vectors = draw()
    written = [
        conversation([] if row.labels and row.labels.affective else ["coaching"]) for row in said
    ]
    alone = fit_second_gate(said, vectors, np.arange(COUNT))
    both = fit_second_gate([*said, *written], np.vstack([vectors, vectors]), np.arange(2 * COUNT))
    assert both[0] == pytest.approx(alone[0], rel=0.3)


def test_each_set_and_each_written_language_is_a_domain() -> None:
    """Written conversations and single messages of a language are different domains."""
    rows = [
        real(dataset="hh_harmless"),
        conversation(language="zh"),
        conversation(source="message"),
        conversation(None, source="gsm8k"),
    ]
    assert [*map(domain_of, rows)] == ["hh_harmless", "written zh", "message en", "gsm8k"]

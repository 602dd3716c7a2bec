"""Tests how conversations become arrays, and the fit of both networks on a small case."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from itertools import pairwise

import jax.numpy as jnp
import numpy as np
import pytest
from numpy.typing import NDArray

from schemas.labels import PUSHBACK_REASONS, TYPES, USES
from tests.training.builders import conversation, real
from tests.transforms.classifiers.builders import HUMAN_HEADS
from training import network, replies
from training.calibrate import begin
from training.distil import UNIT
from training.layers import Weights
from training.network import (
    GATED,
    KINDS,
    add_second_gate,
    kind_of,
    lay_out,
    message_logits,
    messages_of,
)
from training.sources import Conversation, Reply
from transforms.classifiers.accurate.classifier import whole_numbers
from transforms.classifiers.head import FIGURES, HIGHEST
from transforms.classifiers.interface import HUMAN_WIDTH, LOGIT_UNIT, SECOND_GATE

COUNT = 200
VECTORS = np.rint(np.random.default_rng(1).normal(size=(2 * COUNT, 12)) * 40).astype(np.float32)
RULE = VECTORS[:, 0] > VECTORS[:, 1]
ROWS = np.arange(COUNT)


@contextmanager
def quickly() -> Iterator[None]:
    """Shortens a fit, so that it takes only a second or two."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (network, replies):
            patch.setattr(module, "STEPS", 120)
            patch.setattr(module, "BATCH", 64)
        yield


@cache
def fit_rule(other_labels: bool = False) -> Weights:
    """Fits the network to the first half of the messages; the second half is held out.

    A linear rule decides which messages are counseling. `other_labels` changes the order of the
    labels of the held-out half.
    """
    labels = RULE.tolist()
    labels = labels[:COUNT] + labels[: COUNT - 1 : -1] if other_labels else labels
    said = [conversation(["counseling"] if yes else []) for yes in labels]
    with quickly():
        return network.fit(VECTORS, lay_out(said), ROWS)


@pytest.mark.parametrize(
    ("count", "places"),
    [
        (1, [0]),
        (9, [*range(9)]),
        (11, [*range(11)]),
        (12, [*range(12)]),
        (13, [*range(9), 10, 11, 12]),
        (40, [*range(9), 37, 38, 39]),
    ],
)
def test_the_first_nine_and_the_last_three_messages_are_learned_from(
    count: int, places: list[int]
) -> None:
    """All messages of a shorter conversation are used, each once."""
    assert messages_of(conversation(messages=count)) == places


def test_vectors_are_numbered_conversation_by_conversation() -> None:
    """Each message gets the next row number, and missing messages get no number."""
    lessons = lay_out([conversation(messages=2), real(20), conversation(messages=1)])
    assert lessons.there.sum(axis=1).tolist() == [2, 12, 1]
    assert lessons.place[lessons.there].tolist() == [*range(15)]


def gate_weights(said: list[Conversation]) -> NDArray[np.float64]:
    """Returns each conversation's share of the total weight for the gate."""
    weight: NDArray[np.float64] = lay_out(said).wanted["affective_weight"] / len(said)
    return weight


def test_each_kind_of_conversation_has_its_share_in_the_gate() -> None:
    """The share of a kind does not depend on the number of conversations of that kind."""
    kinds = [
        [conversation(["coaching"]), conversation(["roleplay", "companionship"], 5)],
        [conversation(), conversation(["roleplay"], 4), conversation(source="message")],
        [conversation(None, source="gsm8k")],
        [real(types=["coaching"])],
        [real(types=["roleplay"]), real(types=[])],
        [real() for _ in range(9)],
    ]
    weight = gate_weights([one for kind in kinds for one in kind])
    assert [kind_of(one) for kind in kinds for one in kind[:1]] == [*KINDS]
    ends = np.cumsum([0, *map(len, kinds)])
    sums = [weight[begin:end].sum() for begin, end in pairwise(ends)]
    assert sums == pytest.approx([*KINDS.values()])
    assert weight[:2] == pytest.approx([KINDS["written affective"] / 2] * 2)


def test_the_targets_of_an_affective_conversation() -> None:
    """An affective conversation teaches types and edges but no use.

    A message with a mood weighs twice as much as a neutral message.
    """
    kinds = ["coaching", "counseling"]
    moods = [0.0, -0.5, 1.0, 0.0]
    wanted = lay_out([conversation(kinds, 4, opening="coaching", sentiment=moods)]).wanted
    assert wanted["affective"][0] == 1
    assert [TYPES[place] for place in np.flatnonzero(wanted["types"][0])] == kinds
    assert wanted["types_weight"][0].tolist() == [1] * 6
    assert (wanted["use_weight"][0], wanted["edges_weight"][0]) == (0, 1)
    assert np.argwhere(wanted["edges"][0]).tolist() == [[0, TYPES.index("coaching")]]
    assert wanted["sentiment"][0, :4].tolist() == moods
    assert wanted["sentiment_weight"][0, :5].tolist() == [1, 2, 2, 1, 0]


def test_the_targets_of_a_task_and_of_an_unlabelled_conversation() -> None:
    """A task teaches its use and no affective type; without labels only the gate is taught."""
    wanted = lay_out([conversation(use="work"), real()]).wanted
    assert wanted["affective"].tolist() == [0, 0]
    assert wanted["types_weight"].tolist() == [[0] * 5 + [1], [0] * 6]
    assert USES[wanted["use"][0] + 1] == "work"
    assert wanted["use_weight"].tolist() == [1, 0]
    assert wanted["sentiment_weight"].sum(axis=1).tolist() == [1, 0]


def test_a_labelled_real_conversation_teaches_gate_types_and_use() -> None:
    """Readers label neither moods nor edges, so a real conversation teaches neither."""
    said = [
        replace(row, labels=replace(row.labels, sentiment=()))
        for row in (real(5, types=["coaching"]), real(5, types=[]))
        if row.labels
    ]
    wanted = lay_out(said).wanted
    assert wanted["affective"].tolist() == [1, 0]
    assert wanted["types"][0].tolist() == [name == "coaching" for name in TYPES]
    assert wanted["types_weight"].tolist() == [[1] * 6, [0] * 5 + [1]]
    assert wanted["use_weight"].tolist() == [0, 1]
    assert not wanted["sentiment_weight"].any()
    assert not wanted["edges_weight"].any()


def test_the_last_targets_are_the_moods_of_the_last_messages() -> None:
    """Of 15 messages, the three between the first nine and the last three are left out."""
    moods = [0.0] * 12 + [0.5, -0.5, -1.0]
    wanted = lay_out([conversation(messages=15, sentiment=moods)]).wanted
    assert wanted["sentiment"][0].tolist() == [0.0] * 9 + [0.5, -0.5, -1.0]


def pooling(random: np.random.Generator) -> Weights:
    """Draws the pooling weights of a fit."""
    pool = random.normal(size=(GATED, FIGURES - 2))
    return {"pool": pool, "pool_length": pool[:, 0] / 2, "pool_bias": pool[:, 1] / 2}


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7, 12])
def test_the_loss_pools_as_the_conversation_head_does(count: int) -> None:
    """The loss and the classifier's head compute the same logits."""
    random = np.random.default_rng(count)
    scores = random.integers(-60, 60, (count, HUMAN_WIDTH)).astype(np.int8)
    scores[:, SECOND_GATE] = 0
    weights = pooling(random)
    ends = np.array([0]), np.array([count])
    head = begin(network._with_figures(weights))
    judged = head.logits(scores, *ends, np.array([count]), np.zeros(1))
    gated = np.zeros((1, network.MESSAGES, GATED), np.float32)
    gated[0, :count] = scores[:, :GATED] * LOGIT_UNIT
    there = jnp.arange(network.MESSAGES)[None] < count
    fitted = network._pool(weights, jnp.asarray(gated), there)
    assert np.asarray(fitted) == pytest.approx(judged, abs=1e-4)


@pytest.mark.parametrize("count", [1, 3, 4, 12])
@pytest.mark.parametrize("closing", [False, True])
def test_an_edge_has_three_messages(count: int, closing: bool) -> None:
    """An edge is the first or last three messages, or all messages of a shorter conversation."""
    places = jnp.arange(network.MESSAGES)[None]
    found, there = network._edge(places[..., None], places < count, closing)
    taken = np.asarray(found)[0, :, 0][np.asarray(there)[0]].tolist()
    every = [*range(count)]
    assert taken == (every[-3:] if closing else every[:3])


def test_a_linear_rule_is_learned() -> None:
    """The gate follows the rule on all messages of the fit, and on most held-out messages."""
    gate = message_logits(fit_rule(), VECTORS)[:, 0]
    right = (gate > np.quantile(gate, 1 - RULE.mean())) == RULE
    assert right[:COUNT].mean() > 0.95
    assert right[COUNT:].mean() > 0.8


def test_held_out_labels_do_not_change_a_fit() -> None:
    """A second fit, with different labels in the held-out rows, gives the same bytes."""
    one, two = fit_rule(), fit_rule(other_labels=True)
    assert one.keys() == two.keys()
    for name in one:
        assert one[name].tobytes() == two[name].tobytes(), name


def test_the_second_gate_is_pooled_by_its_highest_message() -> None:
    """The fit does not train the second gate, so its row has a single weight, for the highest."""
    figures = fit_rule()["figures"]
    assert figures.shape == (GATED + 1, FIGURES)
    assert figures[-1].tolist() == [float(place == HIGHEST) for place in range(FIGURES)]


def test_the_second_gate_reads_unit_vectors_and_is_centred() -> None:
    """Each message gets the gate's logit less the mean one, and all other logits stay."""
    random = np.random.default_rng(2)
    unit, gate = random.normal(size=(40, 12)), random.normal(size=12)
    unit = (unit / np.linalg.norm(unit, axis=1, keepdims=True) / 4).astype(np.float32)
    weights = fit_rule()
    added = message_logits(add_second_gate(weights, gate, unit[:30]), whole_numbers(unit))
    expected = unit @ gate - (unit[:30] @ gate).mean()
    assert added[:, SECOND_GATE] == pytest.approx(expected, abs=0.02)
    before = message_logits(weights, whole_numbers(unit))
    others = np.arange(HUMAN_HEADS) != SECOND_GATE
    assert (added[:, others] == before[:, others]).all()


def test_pushback_is_the_last_column_and_its_reasons_are_learned() -> None:
    """The logit is four times the column of the table; one direction decides the reason."""
    dangerous = VECTORS[:, 2] > 0
    said = [
        Reply("", "written", "", "en", 1.0, push, ("sexual" if why else "self_harm") * push)
        for push, why in zip(RULE.tolist(), dangerous.tolist(), strict=True)
    ]
    with quickly():
        logits = message_logits(replies.fit_replies(VECTORS, said, ROWS), VECTORS, UNIT)
    assert logits[:, 0] == pytest.approx(4 * UNIT * VECTORS[:, -1], abs=1e-4)
    sexual = logits[:, 1:].argmax(axis=1) == PUSHBACK_REASONS.index("sexual")
    assert (sexual == dangerous)[RULE].mean() > 0.85

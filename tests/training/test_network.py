"""Tests the laying out of conversations and the fitting of the networks on a small case."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import pairwise

import jax.numpy as jnp
import numpy as np
import pytest
from numpy.typing import NDArray

from schemas.labels import TYPES, USES
from tests.training.builders import conversation, real
from training import network, replies
from training.calibrate import begin
from training.layers import Weights
from training.network import lay_out, message_logits, messages_of
from training.sources import Conversation, Reply
from transforms.classifiers.interface import LOGIT_UNIT

COUNT = 200
VECTORS = np.rint(np.random.default_rng(1).normal(size=(2 * COUNT, 12)) * 40).astype(np.float32)
RULE = VECTORS[:, 0] > VECTORS[:, 1]
ROWS = np.arange(COUNT)


@contextmanager
def quickly() -> Iterator[None]:
    """Makes fitting a matter of a second or two."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (network, replies):
            patch.setattr(module, "STEPS", 120)
            patch.setattr(module, "BATCH", 64)
        yield


@cache
def fit_rule(other_labels: bool = False) -> Weights:
    """Fits the first half of the messages, which are counseling by a linear rule.

    With `other_labels` the second half, which is held out, has its labels in another order.
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
    """Of a shorter conversation all, none of them twice."""
    assert messages_of(conversation(messages=count)) == places


def test_vectors_follow_one_conversation_after_the_other() -> None:
    """Every message has the next row; what is not there is not read."""
    lessons = lay_out([conversation(messages=2), real(20), conversation(messages=1)])
    assert lessons.there.sum(axis=1).tolist() == [2, 12, 1]
    assert lessons.place[lessons.there].tolist() == [*range(15)]


def gate_weights(said: list[Conversation]) -> NDArray[np.float64]:
    """Gives what each conversation weighs to the gate, as a share of all."""
    weight: NDArray[np.float64] = lay_out(said).wanted["affective_weight"] / len(said)
    return weight


def test_the_gates_weights_sum_to_the_shares() -> None:
    """However many there are of a kind: affective, other written, tool use and real ones."""
    kinds = [
        [conversation(["coaching"]), conversation(["roleplay", "companionship"], 5)],
        [conversation(), conversation(["roleplay"], 4), conversation(source="message")],
        [conversation(None, source="gsm8k")],
        [real() for _ in range(9)],
    ]
    weight = gate_weights([one for kind in kinds for one in kind])
    ends = np.cumsum([0, *map(len, kinds)])
    sums = [weight[begin:end].sum() for begin, end in pairwise(ends)]
    assert sums == pytest.approx([0.5, 0.25, 0.05, 0.06])
    assert weight[:2].tolist() == [0.25, 0.25]


def test_what_is_wanted_of_an_affective_conversation() -> None:
    """Types and edges, no use, and a mood twice as heavy as none."""
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


def test_what_is_wanted_of_a_task_and_of_a_real_conversation() -> None:
    """A task teaches its use and no affective type; a real one nothing but the gate."""
    wanted = lay_out([conversation(use="work"), real()]).wanted
    assert wanted["affective"].tolist() == [0, 0]
    assert wanted["types_weight"].tolist() == [[0] * 5 + [1], [0] * 6]
    assert USES[wanted["use"][0] + 1] == "work"
    assert wanted["use_weight"].tolist() == [1, 0]
    assert wanted["sentiment_weight"].sum(axis=1).tolist() == [1, 0]


def test_closing_moods_are_those_of_the_last_messages() -> None:
    """Of 15 messages the three that are left out have no place."""
    moods = [0.0] * 12 + [0.5, -0.5, -1.0]
    wanted = lay_out([conversation(messages=15, sentiment=moods)]).wanted
    assert wanted["sentiment"][0].tolist() == [0.0] * 9 + [0.5, -0.5, -1.0]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7, 12])
def test_what_is_fitted_is_what_is_judged(count: int) -> None:
    """Pooling in the loss and in the conversation head give the same logits."""
    random = np.random.default_rng(count)
    scores = random.integers(-60, 60, (count, 17)).astype(np.int8)
    sizes: dict[str, tuple[int, ...]] = {"pool": (7, 4), "pool_length": (7,), "pool_bias": (7,)}
    weights = {name: random.normal(size=size) for name, size in sizes.items()}
    ends = np.array([0]), np.array([count])
    judged = begin(weights).logits(scores, *ends, np.array([count]), np.zeros(1))
    gated = np.zeros((1, network.MESSAGES, 7), np.float32)
    gated[0, :count] = scores[:, :7] * LOGIT_UNIT
    there = jnp.arange(network.MESSAGES)[None] < count
    fitted = network._pool(weights, jnp.asarray(gated), there)
    assert np.asarray(fitted) == pytest.approx(judged, abs=1e-4)


@pytest.mark.parametrize("count", [1, 3, 4, 12])
@pytest.mark.parametrize("closing", [False, True])
def test_an_edge_is_a_conversation_of_three(count: int, closing: bool) -> None:
    """The first or the last three messages, or all of a shorter one."""
    places = jnp.arange(network.MESSAGES)[None]
    found, there = network._edge(places[..., None], places < count, closing)
    taken = np.asarray(found)[0, :, 0][np.asarray(there)[0]].tolist()
    every = [*range(count)]
    assert taken == (every[-3:] if closing else every[:3])


def test_a_linear_rule_is_learned() -> None:
    """The gate follows it on messages seen, and mostly on those held out."""
    gate = message_logits(fit_rule(), VECTORS)[:, 0]
    right = (gate > np.quantile(gate, 1 - RULE.mean())) == RULE
    assert right[:COUNT].mean() > 0.95
    assert right[COUNT:].mean() > 0.8


def test_fitting_gives_the_same_bytes_whatever_is_wanted_of_other_rows() -> None:
    """A second run learns the same, and folds are held out by their rows."""
    one, two = fit_rule(), fit_rule(other_labels=True)
    assert one.keys() == two.keys()
    for name in one:
        assert one[name].tobytes() == two[name].tobytes(), name


def test_replies_are_told_apart_with_their_reasons() -> None:
    """Pushback by one direction, the reason by another."""
    dangerous = VECTORS[:, 2] > 0
    said = [
        Reply("", "written", "", "en", 1.0, push, ("sexual" if why else "self_harm") * push)
        for push, why in zip(RULE.tolist(), dangerous.tolist(), strict=True)
    ]
    with quickly():
        logits = message_logits(replies.fit_replies(VECTORS, said, ROWS), VECTORS)
    assert ((logits[:, 0] > 0) == RULE).mean() > 0.85
    sexual = logits[:, 1:].argmax(axis=1) == 3
    assert (sexual == dangerous)[RULE].mean() > 0.85

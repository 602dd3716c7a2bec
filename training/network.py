"""Fits the human network and the conversation head together, on whole conversations.

A conversation's label says nothing about a single message ("ok thx" occurs in all kinds of
conversation). So the loss is computed for whatever has the label. The network scores the messages,
and the head pools the scores. Gate and types are judged on the conversation, its opening and its
closing. The use is judged on the sum over the messages. Only sentiment is judged on each message.

Fitting adds noise to the vectors and drops hidden units at random. The reason is that the wording
of real conversations is more varied and stranger than that of the written ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from numpy.typing import NDArray

from schemas.labels import AFFECTIVE_TYPES, NO_TYPE, TYPES, USES
from training.layers import Weights, average, begin, descend, forward, shrink
from training.sources import Conversation
from transforms.classifiers.accurate.classifier import LENGTH as VECTOR_LENGTH
from transforms.classifiers.head import EDGE_MESSAGES, FIGURES, HIGHEST, LENGTH_STEPS
from transforms.classifiers.interface import SECOND_GATE, SENTIMENT, TYPE_COLUMNS, USE_COLUMNS

HEADS: Final = SENTIMENT + 1

MESSAGES: Final = 12
"""The most messages learned from one conversation: the first nine and the last three."""

NOISE: Final = 0.3
SHRINKAGE: Final = 1e-3
STEPS: Final = 600
BATCH: Final = 1024

KINDS: Final = {
    "written affective": 0.3,
    "written other": 0.2,
    "tool": 0.05,
    "real affective": 0.3,
    "real other": 0.3,
    "real unlabelled": 0.03,
}
"""How the weight of the gate's loss is split among the kinds of conversation."""

UNIT: Final = 0.02
"""What a whole number of a sentence vector stands for in the fit."""

_ROOM: Final = 1.3
"""A batch has room for this many times the mean number of messages."""

GATED: Final = TYPE_COLUMNS.stop
_AFFECTIVE: Final = len(AFFECTIVE_TYPES)
_FEELING_WEIGHT: Final = 2.0
"""The weight of a message with a mood. Neutral messages are more common, and have the weight 1."""


@dataclass(frozen=True)
class Lessons:
    """Holds `n` conversations as arrays, with at most `MESSAGES` messages each.

    Attributes:
        place: int64 (n, `MESSAGES`), the number of each message's row in the vectors.
        there: bool (n, `MESSAGES`), whether the message exists.
        wanted: the targets and their weights, by name.
    """

    place: NDArray[np.int64]
    there: NDArray[np.bool_]
    wanted: dict[str, NDArray[Any]]


def messages_of(conversation: Conversation) -> list[int]:
    """Lists the numbers of the human messages that the network learns from."""
    count = len(conversation.human)
    first = range(min(count, MESSAGES - EDGE_MESSAGES))
    return [*first, *range(max(len(first), count - EDGE_MESSAGES), count)]


def lay_out(conversations: Sequence[Conversation]) -> Lessons:
    """Turns conversations into arrays, for vectors in the order of `messages_of`."""
    count = len(conversations)
    place = np.zeros((count, MESSAGES), np.int64)
    there = np.zeros((count, MESSAGES), np.bool_)
    begin = 0
    for row, conversation in enumerate(conversations):
        size = len(messages_of(conversation))
        place[row, :size] = np.arange(begin, begin + size)
        there[row, :size] = True
        begin += size
    return Lessons(place, there, _wanted(conversations))


def _wanted(conversations: Sequence[Conversation]) -> dict[str, NDArray[Any]]:
    count = len(conversations)
    wanted: dict[str, NDArray[Any]] = {
        "affective": np.zeros(count),
        "affective_weight": _gate_weights(conversations),
        "types": np.zeros((count, len(TYPES))),
        "types_weight": np.zeros((count, len(TYPES))),
        "use": np.zeros(count, np.int32),
        "use_weight": np.zeros(count),
        "sentiment": np.zeros((count, MESSAGES)),
        "sentiment_weight": np.zeros((count, MESSAGES)),
        "edges": np.zeros((count, 2, len(TYPES))),
        "edges_weight": np.zeros(count),
    }
    for row, conversation in enumerate(conversations):
        labels = conversation.labels
        if labels is None:
            continue
        wanted["affective"][row] = labels.affective
        for name in labels.types:
            wanted["types"][row, TYPES.index(name)] = 1
        wanted["types_weight"][row, :_AFFECTIVE] = labels.affective
        wanted["types_weight"][row, _AFFECTIVE:] = 1
        wanted["use"][row] = max(USES.index(labels.use) - 1, 0)
        wanted["use_weight"][row] = not labels.affective
        if not labels.sentiment:
            continue
        for place, message in enumerate(messages_of(conversation)):
            step = labels.sentiment[message]
            wanted["sentiment"][row, place] = step
            wanted["sentiment_weight"][row, place] = _FEELING_WEIGHT if step else 1
        wanted["edges_weight"][row] = labels.affective and len(labels.sentiment) > EDGE_MESSAGES
        for edge, kind in enumerate((labels.opening_type, labels.closing_type)):
            if kind != NO_TYPE:
                wanted["edges"][row, edge, TYPES.index(kind)] = 1
    return wanted


def _gate_weights(conversations: Sequence[Conversation]) -> NDArray[np.float64]:
    """Returns the conversations' weights for the gate, which give each kind its share of loss."""
    kinds = np.array([kind_of(row) for row in conversations])
    weight = np.zeros(len(conversations))
    for kind, share in KINDS.items():
        rows = kinds == kind
        weight[rows] = share * len(kinds) / max(int(rows.sum()), 1)
    return weight


def kind_of(conversation: Conversation) -> str:
    """Returns the conversation's kind, one of `KINDS`."""
    origin = "real" if conversation.is_real else "written"
    if conversation.labels is not None:
        return f"{origin} affective" if conversation.labels.affective else f"{origin} other"
    return "real unlabelled" if conversation.is_real else "tool"


def fit(vectors: NDArray[np.float32], lessons: Lessons, rows: NDArray[np.int64]) -> Weights:
    """Fits network and head to the conversations `rows`; every run gives the same result.

    `vectors`, float32 (m, d), hold whole numbers, with one row for each message of all lessons.
    A batch holds only the messages that exist, since most conversations have one.
    """
    sizes = lessons.there.sum(axis=1)
    room = int(BATCH * sizes[rows].mean() * _ROOM) + MESSAGES

    def draw(random: np.random.Generator) -> dict[str, NDArray[Any]]:
        drawn = random.choice(rows, BATCH)
        while sizes[drawn].sum() > room:
            drawn = random.choice(rows, BATCH)
        there = lessons.there[drawn]
        slot = np.full(there.shape, room)
        slot[there] = np.arange(there.sum())
        said = np.zeros((room, vectors.shape[1]), np.float32)
        said[: there.sum()] = vectors[lessons.place[drawn][there]] * np.float32(UNIT)
        batch = {name: array[drawn] for name, array in lessons.wanted.items()}
        return batch | {"vectors": said, "slot": slot, "there": there}

    weights = begin(vectors.shape[1], HEADS) | {
        "pool": jnp.tile(jnp.array([0.3, 0.3, 0.8, 0.3, 0.3]), (GATED, 1)),
        "pool_length": jnp.zeros(GATED),
        "pool_bias": jnp.zeros(GATED).at[0].set(-1.0),
    }
    return _with_figures(descend(weights, _loss, draw, STEPS))


def _with_figures(weights: Weights) -> Weights:
    """Replaces the pooling weights by `figures`, the weights of a conversation head.

    The second gate's figure is its highest message. The network does not fit that gate.
    """
    figures = np.zeros((GATED + 1, FIGURES))
    figures[:-1] = np.hstack(
        [
            np.logaddexp(weights["pool"], 0),
            weights["pool_length"][:, None],
            weights["pool_bias"][:, None],
        ]
    )
    figures[-1, HIGHEST] = 1.0
    kept = {name: array for name, array in weights.items() if not name.startswith("pool")}
    return kept | {"figures": figures}


def add_second_gate(
    weights: Weights, gate: NDArray[np.float64], means: NDArray[np.float64]
) -> Weights:
    """Adds a second gate to a network that reads sentence vectors.

    Args:
        weights: the network's weights.
        gate: float64 (d,), the gate's weights for unit vectors.
        means: float64 (n, d), vectors whose logits get the mean 0.
    """
    added = {name: array.copy() for name, array in weights.items()}
    added["heads"][:, SECOND_GATE] = 0
    added["direct"][:, SECOND_GATE] = gate / (UNIT * VECTOR_LENGTH)
    added["bias"][SECOND_GATE] = -float((means @ gate).mean())
    return added


def message_logits(
    weights: Weights, vectors: NDArray[np.float32], unit: float = UNIT
) -> NDArray[np.float32]:
    """Computes logits, float32 (n, `HEADS`), for vectors of whole numbers, without rounding."""
    scaled = vectors * np.float32(unit)
    hidden = np.maximum(scaled @ weights["hidden"] + weights["hidden_bias"], 0)
    logits = hidden @ weights["heads"] + scaled @ weights["direct"] + weights["bias"]
    return np.asarray(logits, np.float32)


def _loss(weights: Weights, batch: Weights, key: Array) -> Array:
    said = forward(weights, batch["vectors"], key, NOISE)
    messages = jnp.concatenate([said, jnp.zeros((1, HEADS))])[batch["slot"]]
    gated, there = messages[..., :GATED], batch["there"]
    whole = _pool(weights, gated, there)
    loss = 3 * average(_bce(whole[:, 0], batch["affective"]), batch["affective_weight"])
    loss += 3 * average(_bce(whole[:, 1:], batch["types"]), batch["types_weight"])
    use = (messages[..., USE_COLUMNS] * there[..., None]).sum(axis=1)
    use_loss = optax.softmax_cross_entropy_with_integer_labels(use, batch["use"])
    loss += average(use_loss, batch["use_weight"])
    mood = optax.huber_loss(messages[..., SENTIMENT], 2 * batch["sentiment"])
    loss += average(mood, batch["sentiment_weight"])
    for edge, reverse in enumerate((False, True)):
        found = _pool(weights, *_edge(gated, there, reverse))
        wanted = batch["edges"][:, edge, :_AFFECTIVE]
        has = wanted.sum(axis=1)
        loss += 0.3 * average(_bce(found[:, 0], has), batch["edges_weight"])
        types = _bce(found[:, 1 : 1 + _AFFECTIVE], wanted).sum(axis=1)
        loss += 0.5 * average(types, batch["edges_weight"] * has)
    return loss + SHRINKAGE * shrink(weights)


def _bce(logits: Array, wanted: Array) -> Array:
    return jnp.asarray(optax.sigmoid_binary_cross_entropy(logits, wanted))


def _edge(gated: Array, there: Array, closing: bool) -> tuple[Array, Array]:
    """Treats the first three or the last three messages as a separate conversation."""
    count = there.sum(axis=1, keepdims=True)
    size = jnp.minimum(count, EDGE_MESSAGES)
    steps = jnp.arange(EDGE_MESSAGES)[None]
    begin = count - size if closing else jnp.zeros_like(count)
    place = jnp.minimum(begin + steps, MESSAGES - 1)
    return jnp.take_along_axis(gated, place[..., None], axis=1), steps < size


def _pool(weights: Weights, gated: Array, there: Array) -> Array:
    """Pools messages as `transforms.classifiers.head` does, but keeps the weights positive."""
    count = there.sum(axis=1)
    size = jnp.minimum(count, EDGE_MESSAGES)[:, None]
    place = jnp.arange(there.shape[1])[None]
    masked = jnp.where(there[..., None], gated, -99.0)
    highest = jax.lax.top_k(masked.transpose(0, 2, 1), 2)[0]
    parts = [
        _average(gated, there & (place < size)),
        _average(gated, there & (place >= count[:, None] - size)),
        _average(gated, there),
        jnp.where(count[:, None] == 1, highest[..., 0], highest.mean(axis=-1)),
        highest[..., 0],
    ]
    pool = jax.nn.softplus(weights["pool"])
    length = jnp.searchsorted(jnp.array(LENGTH_STEPS), count, side="right")[:, None]
    pooled = sum(part * pool[:, index] for index, part in enumerate(parts))
    return jnp.asarray(pooled + weights["pool_length"] * length + weights["pool_bias"])


def _average(gated: Array, rows: Array) -> Array:
    total = (gated * rows[..., None]).sum(axis=1)
    return jnp.asarray(total / jnp.maximum(rows.sum(axis=1), 1)[:, None])

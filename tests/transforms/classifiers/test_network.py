"""Tests the network against integers and hand computation, and that batches do not matter."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.transforms.classifiers.builders import random_network
from transforms.classifiers.network import TOP, Network

BY_HAND = Network(
    hidden=np.array([[2, -1, 100], [1, 3, 100]], np.float32),
    hidden_bias=np.array([-3, 1, 0], np.float32),
    hidden_scale=0.5,
    heads=np.array([[4, 0], [0, 5], [1, -1]], np.float32),
    direct=np.array([[10, 0], [0, -10]], np.float32),
    heads_scale=0.25,
    direct_scale=0.1,
    bias=np.array([1.0, -2.0]),
)
"""Three hidden units: 2 x + y - 3, 3 y - x + 1, and one that soon reaches the maximum.

Each sum is halved and rounded.
"""


def integer_logits(network: Network, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    """Computes the logits in int64, with float64 only for scaling."""
    inputs, hidden, heads, direct = (
        array.astype(np.int64) for array in (vectors, network.hidden, network.heads, network.direct)
    )
    active = np.maximum(inputs @ hidden + network.hidden_bias.astype(np.int64), 0)
    units = np.minimum(np.rint(active * network.hidden_scale), TOP).astype(np.int64)
    through = (units @ heads) * network.heads_scale
    logits: NDArray[np.float64] = through + (inputs @ direct) * network.direct_scale + network.bias
    return logits


def whole_vectors(count: int, inputs: int, seed: int) -> NDArray[np.float32]:
    """Draws vectors of whole numbers from the full range."""
    random = np.random.default_rng(seed)
    return random.integers(-TOP, TOP + 1, (count, inputs)).astype(np.float32)


@pytest.mark.parametrize(
    ("vector", "logits"),
    [
        ((0, 0), (1.0, -2.0)),
        ((4, 1), (3 * 4 / 4 + 127 / 4 + 4.0 + 1.0, 0 - 127 / 4 - 1.0 - 2.0)),
        ((-1, 1), (1 * 0 - 1.0 + 1.0, 2 * 5 / 4 - 1.0 - 2.0)),
        ((-5, -5), (-5.0 + 1.0, 5.0 - 2.0)),
    ],
)
def test_hand_computed_logits(vector: tuple[int, int], logits: tuple[float, float]) -> None:
    """Hidden units are at least 0, scaled, rounded and capped; inputs also reach heads directly."""
    found = BY_HAND.logits(np.array([vector], np.float32))
    assert found[0] == pytest.approx(logits)


@pytest.mark.parametrize("seed", range(3))
def test_full_size_equals_integers_exactly(seed: int) -> None:
    """Float32 is exact for 512 inputs, 64 units and 16 heads with any whole weights."""
    network = random_network(512, 64, 16, seed)
    vectors = whole_vectors(200, 512, seed)
    expected = integer_logits(network, vectors)
    assert len(np.unique(expected)) > 1000
    assert network.logits(vectors).tobytes() == expected.tobytes()


def test_extremes_equal_integers_exactly() -> None:
    """The largest sum that 512 inputs can reach is still exact."""
    network = random_network(512, 64, 16, seed=9)
    network.hidden[:] = TOP
    network.direct[:] = TOP
    vectors = np.full((3, 512), TOP, np.float32)
    vectors[1, 0], vectors[2] = TOP - 1, -TOP
    assert network.logits(vectors).tobytes() == integer_logits(network, vectors).tobytes()


@pytest.mark.parametrize("size", [1, 2, 7, 64, 257])
def test_logits_do_not_depend_on_the_batch(size: int) -> None:
    """A row has the same logits, bit for bit, no matter how many rows are multiplied at once."""
    network = random_network(512, 64, 16, seed=5)
    vectors = whole_vectors(257, 512, seed=6)
    together = network.logits(vectors)
    parts = [network.logits(vectors[at : at + size]) for at in range(0, len(vectors), size)]
    assert together.dtype == np.float64
    assert together.tobytes() == np.concatenate(parts).tobytes()

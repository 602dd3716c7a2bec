"""Tests the rounding of fitted networks and the model file."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from schemas.labels import LANGUAGES
from tests.transforms.classifiers.builders import (
    ASSISTANT_HEADS,
    HUMAN_HEADS,
    MOOD,
    ROWS,
    weighed_head,
)
from training.calibrate import head_arrays
from training.distil import UNIT
from training.encoder import Table
from training.layers import Weights
from training.model_file import Arrays, network_arrays, table_arrays, to_bytes, write
from training.network import message_logits
from transforms.classifiers.head import FIGURES
from transforms.classifiers.ngram.classifier import load, read_head, read_network
from transforms.classifiers.ngram.features import BUCKET_BITS

INPUTS = 64
LENGTH = 180.0
"""The length of most vectors in these tests."""
HEAD = weighed_head(np.random.default_rng(5).normal(size=(ROWS, FIGURES)), np.linspace(-1, 1, 7))


def fitted(heads: int, seed: int = 1, inputs: int = INPUTS) -> Weights:
    """Draws random weights that stand for the weights of a fitted network."""
    random = np.random.default_rng(seed)
    return {
        "hidden": random.normal(size=(inputs, 20)) * (2 / inputs) ** 0.5,
        "hidden_bias": random.normal(size=20),
        "heads": random.normal(size=(20, heads)) / 2,
        "direct": random.normal(size=(inputs, heads)) / 4,
        "bias": random.normal(size=heads),
    }


def vectors(count: int, length: float, inputs: int = INPUTS) -> NDArray[np.float32]:
    """Draws vectors of whole numbers with the given length."""
    drawn = np.random.default_rng(2).normal(size=(count, inputs))
    drawn *= length / np.linalg.norm(drawn, axis=1, keepdims=True)
    return np.clip(np.rint(drawn), -127, 127).astype(np.float32)


def arrays(seed: int = 1, **changes: NDArray[Any]) -> Arrays:
    """Builds the arrays of a small model."""
    table = np.zeros((1 << BUCKET_BITS, INPUTS), np.int8)
    table[7, 3], table[9] = -40, np.arange(INPUTS) - 30
    seen = vectors(50, LENGTH)
    return {
        **table_arrays(Table(table, np.linspace(0.5, 2, INPUTS))),
        **network_arrays("human", fitted(HUMAN_HEADS, seed), seen, UNIT),
        **network_arrays("assistant", fitted(ASSISTANT_HEADS, seed), seen, UNIT),
        **head_arrays("head", HEAD),
        "mood": MOOD,
        "pushback_shift": np.arange(len(LANGUAGES)) / 4,
        "pushback_threshold": np.array(5),
        **changes,
    }


@pytest.mark.parametrize(("inputs", "length", "unit"), [(64, 180.0, UNIT), (512, 400.0, 0.02)])
def test_a_rounded_network_gives_the_fitted_ones_logits(
    inputs: int, length: float, unit: float
) -> None:
    """The rounding error is unbiased, and is a few hundredths of the logits' standard deviation."""
    weights, seen = fitted(HUMAN_HEADS, inputs=inputs), vectors(300, length, inputs)
    stored = network_arrays("human", weights, seen, unit)
    exact = message_logits(weights, seen, unit).astype(np.float64)
    found = read_network(stored, "human").logits(seen)
    apart = np.abs(found - exact) / exact.std()
    assert np.quantile(apart, 0.99) < 0.05
    assert abs((found - exact).mean()) < 0.002 * exact.std()


def test_stored_weights_are_whole_numbers_of_one_byte() -> None:
    """The largest stored weight of each matrix is 127."""
    stored = network_arrays("x", fitted(HUMAN_HEADS), vectors(300, LENGTH), UNIT)
    for part in ("hidden", "heads", "direct"):
        assert stored[f"x_{part}"].dtype == np.int8
        assert np.abs(stored[f"x_{part}"].astype(int)).max() == 127


def test_a_network_of_zeros_can_be_stored() -> None:
    """If all weights and activations are zero, nothing is divided by zero."""
    weights = {name: array * 0 for name, array in fitted(HUMAN_HEADS).items()}
    stored = network_arrays("x", weights, vectors(9, LENGTH), UNIT)
    assert not read_network(stored, "x").logits(vectors(9, LENGTH)).any()


def test_a_model_is_read_back_as_it_was_written() -> None:
    """The encoder table, networks, head and thresholds are exactly those that were written."""
    before = arrays()
    back = load(io.BytesIO(to_bytes(before)))
    lanes = back.encoder.packed.view("<u2").astype(int) - 128
    assert np.flatnonzero(lanes.any(axis=1)).tolist() == [7, 9]
    assert (lanes[7, 3], lanes[9].tolist()) == (-40, [*range(-30, INPUTS - 30)])
    assert back.encoder.scale.tolist() == before["table_scale"].tolist()
    seen = vectors(20, LENGTH)
    for name, found in (("human", back.human), ("assistant", back.assistant)):
        assert (found.logits(seen) == read_network(before, name).logits(seen)).all()
    assert back.mood.tolist() == MOOD.tolist()
    assert back.pushback_shift.tolist() == before["pushback_shift"].tolist()
    assert back.pushback_threshold == 5


def test_a_head_is_read_back_as_it_was_written() -> None:
    """Every part of a head that is read back has the written value, and numbers stay numbers."""
    back = read_head(head_arrays("accurate_head", HEAD), "accurate_head")
    for part in type(HEAD).__dataclass_fields__:
        assert np.array_equal(getattr(back, part), getattr(HEAD, part))
    assert isinstance(back.edge_threshold, float)


def test_the_version_depends_on_the_content() -> None:
    """Equal models give equal files, and a single changed weight changes the version."""
    assert to_bytes(arrays()) == to_bytes(arrays())
    other = arrays()["human_direct"].copy()
    other[0, 0] ^= 1
    versions = [
        load(io.BytesIO(to_bytes(each))).version
        for each in (arrays(), arrays(human_direct=other), arrays(seed=2))
    ]
    assert len(set(versions)) == 3
    assert all(version.startswith("ngram-3-") for version in versions)


def test_the_written_file_has_the_bytes_of_the_model(tmp_path: Any) -> None:
    """The file contains exactly the bytes that `to_bytes` returns."""
    write(arrays(), tmp_path / "model.npz")
    assert (tmp_path / "model.npz").read_bytes() == to_bytes(arrays())

"""Tests that the default network learns what the accurate one says."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from training import distil
from training.layers import Weights
from training.network import message_logits

RANDOM = np.random.default_rng(8)
VECTORS = np.rint(RANDOM.normal(size=(600, 8)) * 40).astype(np.float32)
WANTED = (VECTORS @ RANDOM.normal(size=(8, 3)) / 40 * [1, 5, 0.2] + [0, -7, 3]).astype(np.float32)
TAUGHT = np.arange(600) < 400


@cache
def learn(other: bool = False) -> Weights:
    """Distils a linear map in a second; `other` changes the targets of texts of weight 0."""
    wanted = np.where(TAUGHT[:, None] | (not other), WANTED, 99).astype(np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distil, "STEPS", 400)
        patch.setattr(distil, "BATCH", 128)
        return distil.distil(VECTORS, wanted, TAUGHT.astype(np.float32))


def test_a_linear_map_is_recovered() -> None:
    """Texts that were never drawn get their targets, however large or shifted these are."""
    found = message_logits(learn(), VECTORS[~TAUGHT], distil.UNIT)
    apart = np.abs(found - WANTED[~TAUGHT]).mean(axis=0)
    assert (apart < 0.1 * WANTED.std(axis=0)).all()


def test_a_text_of_weight_zero_teaches_nothing() -> None:
    """Texts of the held-out fold and single words have weight 0, so they are never drawn."""
    for name, array in learn().items():
        assert array.tobytes() == learn(other=True)[name].tobytes(), name

"""Rounds fitted weights to whole numbers, and writes the model file of the pipeline."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from training.encoder import Table
from training.layers import Weights
from transforms.classifiers.network import TOP

MODEL_FORMAT: Final = "ngram-3"

Arrays = dict[str, NDArray[Any]]
"""The arrays of a model file, by name."""

_MOST: Final = 99.9
"""This percentile of hidden activations is stored as `TOP`; the few larger activations are cut."""


def table_arrays(table: Table) -> Arrays:
    """Returns an encoder's table without its rows of zeros, and the numbers of the kept rows."""
    rows = np.flatnonzero(table.weights.any(axis=1))
    return {
        "table_rows": rows.astype(np.int32),
        "table": table.weights[rows],
        "table_scale": table.scale,
    }


def network_arrays(
    name: str, weights: Weights, vectors: NDArray[np.float32], unit: float
) -> Arrays:
    """Rounds a network to the whole numbers of `transforms.classifiers.network.Network`.

    Args:
        name: the network's name in the file.
        weights: the fitted weights, for vectors of whole numbers times `unit`.
        vectors: float32 (n, d), example vectors of whole numbers. They show how large the
            activations of hidden units become.
        unit: what a whole number of a vector stands for.
    """
    hidden, hidden_step = _round(weights["hidden"])
    heads, heads_step = _round(weights["heads"])
    direct, direct_step = _round(weights["direct"])
    bias = np.rint(weights["hidden_bias"] / (unit * hidden_step)).astype(np.int32)
    active = np.maximum(vectors @ hidden.astype(np.float32) + bias, 0) * unit * hidden_step
    active_step = max(float(np.percentile(active, _MOST)), 1e-6) / TOP
    return {
        f"{name}_hidden": hidden,
        f"{name}_hidden_bias": bias,
        f"{name}_hidden_scale": np.array(unit * hidden_step / active_step),
        f"{name}_heads": heads,
        f"{name}_direct": direct,
        f"{name}_heads_scale": np.array(active_step * heads_step),
        f"{name}_direct_scale": np.array(unit * direct_step),
        f"{name}_bias": weights["bias"].astype(np.float64),
    }


def _round(weights: NDArray[np.float64]) -> tuple[NDArray[np.int8], float]:
    step = max(float(np.abs(weights).max()), 1e-9) / TOP
    return np.rint(weights / step).astype(np.int8), step


def to_bytes(arrays: Arrays) -> bytes:
    """Returns the bytes of the file. The version is a hash, so equal models give equal files."""
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(name.encode() + np.ascontiguousarray(array).tobytes())
    version = np.array(f"{MODEL_FORMAT}-{digest.hexdigest()[:12]}")
    stored = io.BytesIO()
    np.savez_compressed(stored, allow_pickle=False, **{**arrays, "version": version})
    return stored.getvalue()


def write(arrays: Arrays, path: Path) -> None:
    """Writes the model file."""
    path.write_bytes(to_bytes(arrays))

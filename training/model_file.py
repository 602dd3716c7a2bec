"""Quantises fitted heads to int8 and writes the file that the pipeline ships."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from training.fit import Fitted

_MODEL_FORMAT: Final = "linear-1"
_TOP: Final = 127


@dataclass(frozen=True)
class Model:
    """Holds all that a model file holds, before quantisation."""

    human: Fitted
    assistant: Fitted
    sentiment_cuts: NDArray[np.float64]
    pushback_shift: NDArray[np.float64]
    head_weights: NDArray[np.float64]
    head_thresholds: NDArray[np.float64]
    pushback_threshold: int

    def to_bytes(self) -> bytes:
        """Gives the file; the version names its content, so equal models are equal files."""
        arrays: dict[str, NDArray[Any]] = {
            **_quantise("human", self.human),
            **_quantise("assistant", self.assistant),
            "sentiment_cuts": self.sentiment_cuts,
            "pushback_shift": self.pushback_shift,
            "head_weights": self.head_weights,
            "head_thresholds": self.head_thresholds,
            "pushback_threshold": np.array(self.pushback_threshold),
        }
        digest = hashlib.sha256()
        for name, array in sorted(arrays.items()):
            digest.update(name.encode() + array.tobytes())
        arrays["version"] = np.array(f"{_MODEL_FORMAT}-{digest.hexdigest()[:12]}")
        stored = io.BytesIO()
        np.savez_compressed(stored, allow_pickle=False, **arrays)
        return stored.getvalue()

    def write(self, path: Path) -> None:
        """Writes the file."""
        path.write_bytes(self.to_bytes())


def _quantise(name: str, fitted: Fitted) -> dict[str, NDArray[Any]]:
    """Gives the rows with any weight, their int8 weights, and scale and bias of each head."""
    scale = np.maximum(np.abs(fitted.weights).max(axis=0), 1e-9) / _TOP
    weights = np.rint(fitted.weights / scale).astype(np.int8)
    rows = np.flatnonzero(weights.any(axis=1))
    return {
        f"{name}_rows": rows.astype(np.int32),
        f"{name}_weights": weights[rows],
        f"{name}_line": np.stack([scale, fitted.bias]).astype(np.float64),
    }

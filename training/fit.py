"""Fits linear heads over hashed n-grams to given logits: ridge regression, in NumPy.

All heads share the features, the rows and their weights, so one conjugate-gradient run solves them
side by side. A product with the matrix is a gather and a segment sum over its rows; with its
transpose, the same over its columns, sorted once. No sparse-matrix library is needed, and a fold is
nothing but some rows at weight 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from transforms.classifiers.features import BUCKET_BITS, chunks

BUCKETS: Final = 1 << BUCKET_BITS

RIDGE: Final = 0.5
STEPS: Final = 20
RARITY_UNIT: Final = 4.0
MIN_TEXTS: Final = 2
"""Texts a feature must occur in: of one text it would learn nothing but that text."""

_PIECE: Final = 1 << 17
"""Entries gathered at once, to bound the memory."""


@dataclass(frozen=True)
class Fitted:
    """Holds float32 weights (buckets, heads) and biases (heads,)."""

    weights: NDArray[np.float32]
    bias: NDArray[np.float32]


@dataclass(frozen=True)
class Ragged:
    """Holds runs of indices into another axis: `index` (f,), `offsets` (n + 1,)."""

    index: NDArray[np.int32]
    offsets: NDArray[np.int64]

    def sums(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Sums, for each run, the rows of `values` that it names; float32 (n, columns)."""
        result = np.zeros((len(self.offsets) - 1, values.shape[1]), np.float32)
        begin = 0
        while begin < len(result):
            reach = np.searchsorted(self.offsets, self.offsets[begin] + _PIECE, "right")
            end = min(max(int(reach) - 1, begin + 1), len(result))
            bounds = self.offsets[begin : end + 1]
            full = np.flatnonzero(np.diff(bounds))
            if len(full):
                rows = values[self.index[bounds[0] : bounds[-1]]]
                result[begin + full] = np.add.reduceat(rows, bounds[full] - bounds[0], axis=0)
            begin = end
        return result

    def transposed(self, width: int) -> Ragged:
        """Gives, for each index, the runs that name it."""
        owner = np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))
        order = np.argsort(self.index, kind="stable")
        counts = np.bincount(self.index, minlength=width)
        return Ragged(owner[order].astype(np.int32), np.concatenate(([0], np.cumsum(counts))))


@dataclass(frozen=True)
class Design:
    """Holds the features of `n` texts, by text and by feature.

    Attributes:
        texts: for each text, its features among those kept.
        features: for each feature kept, its texts.
        buckets: int64 (kept,), where in the table each feature stands.
        rarity: float32 (kept, 1), the weight of a feature by how few texts it occurs in.
        value: float32 (n, 1), one over the root of a text's number of features, kept or not.
    """

    texts: Ragged
    features: Ragged
    buckets: NDArray[np.int64]
    rarity: NDArray[np.float32]
    value: NDArray[np.float32]

    def logits(self, fitted: Fitted) -> NDArray[np.float32]:
        """Gives float32 (n, heads); what the quantised model approximates."""
        return self.texts.sums(fitted.weights[self.buckets]) * self.value + fitted.bias

    def fit(self, wanted: NDArray[np.float32], weight: NDArray[np.float32]) -> Fitted:
        """Fits all heads to the logits wanted, float32 (n, heads), rows weighed by (n,)."""
        column = weight[:, None].astype(np.float32)
        bias = (wanted * column).sum(axis=0, dtype=np.float64) / column.sum(dtype=np.float64)
        bias = bias.astype(np.float32)
        rest = self._back((wanted - bias) * column)
        weights = np.zeros_like(rest)
        step, size = rest.copy(), (rest * rest).sum(axis=0)
        for _ in range(STEPS):
            curved = self._back(self._forth(step) * column) + np.float32(RIDGE) * step
            length = size / np.maximum((step * curved).sum(axis=0), 1e-12)
            weights += length * step
            rest -= length * curved
            before, size = size, (rest * rest).sum(axis=0)
            step = rest + size / np.maximum(before, 1e-12) * step
        table = np.zeros((BUCKETS, wanted.shape[1]), np.float32)
        table[self.buckets] = weights * self.rarity
        return Fitted(table, bias)

    def _forth(self, weights: NDArray[np.float32]) -> NDArray[np.float32]:
        return self.texts.sums(weights * self.rarity) * self.value

    def _back(self, errors: NDArray[np.float32]) -> NDArray[np.float32]:
        return self.features.sums(errors * self.value) * self.rarity


def read_design(texts: Sequence[str]) -> Design:
    """Extracts features exactly as the classifier does, and keeps those of several texts."""
    found = _vectorise(texts)
    lengths = np.diff(found.offsets)
    owner = np.repeat(np.arange(len(lengths)), lengths)
    pairs = np.unique(owner * BUCKETS + found.index)
    seen = np.bincount(pairs % BUCKETS, minlength=BUCKETS)
    buckets = np.flatnonzero(seen >= MIN_TEXTS)
    place = np.full(BUCKETS, -1, np.int32)
    place[buckets] = np.arange(len(buckets))
    index = place[found.index]
    counts = np.bincount(owner[index >= 0], minlength=len(lengths))
    kept = Ragged(index[index >= 0], np.concatenate(([0], np.cumsum(counts))))
    rarity = np.log((len(lengths) + 1) / seen[buckets]) / RARITY_UNIT
    return Design(
        texts=kept,
        features=kept.transposed(len(buckets)),
        buckets=buckets,
        rarity=rarity.astype(np.float32)[:, None],
        value=(1 / np.sqrt(np.maximum(lengths, 1))).astype(np.float32)[:, None],
    )


def _vectorise(texts: Sequence[str]) -> Ragged:
    """Gives the buckets of each text's features."""
    pieces: list[NDArray[np.int32]] = []
    lengths: list[NDArray[np.int64]] = []
    for _, read in chunks(texts):
        counts = np.stack([np.diff(family.offsets) for family in read.families])
        rows = np.concatenate([np.repeat(np.arange(len(c)), c) for c in counts])
        buckets = np.concatenate([family.buckets for family in read.families])
        pieces.append(buckets[np.argsort(rows, kind="stable")].astype(np.int32))
        lengths.append(counts.sum(axis=0))
    ends = np.cumsum(np.concatenate(lengths))
    return Ragged(np.concatenate(pieces), np.concatenate(([0], ends)))

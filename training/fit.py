"""Fits the columns of the encoder's table: regressions over the sparse features of texts.

All columns share the same features, rows and weights, so one run of conjugate gradients solves them
all. Texts that the table must not learn from have the weight 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, hstack

from training.logistic import fit_logistic
from transforms.classifiers.ngram.features import BUCKET_BITS, chunks

BUCKETS: Final = 1 << BUCKET_BITS

RIDGE: Final = 0.5
LOOSENESS: Final = 3.0
"""The variance that a logistic regression allows the weight of a feature."""
OFFSET_PENALTY: Final = 0.02
STEPS: Final = 18
RARITY_UNIT: Final = 4.0


@dataclass(frozen=True)
class Design:
    """Holds the features of `n` texts.

    Attributes:
        features: float32 (n, buckets). A rare feature weighs more than a common one. A feature of
            a text with many features weighs less than one of a text with few.
        rarity: float32 (buckets, 1), the weight of a feature.
    """

    features: csr_array
    rarity: NDArray[np.float32]

    def fit(self, wanted: NDArray[np.float32], weight: NDArray[np.float32]) -> NDArray[np.float32]:
        """Fits a table, float32 (buckets, columns), to the targets `wanted`, float32 (n, columns).

        `weight` is float32 (n,). The sum of a text's table rows, divided by the root of their
        number, is then close to the text's row in `wanted`.
        """
        column = weight[:, None].astype(np.float32)
        back = self.features.T.tocsr()
        rest = back @ (wanted * column)
        weights = np.zeros_like(rest)
        step, size = rest.copy(), (rest * rest).sum(axis=0)
        for _ in range(STEPS):
            curved = back @ ((self.features @ step) * column) + np.float32(RIDGE) * step
            length = size / np.maximum((step * curved).sum(axis=0), 1e-12)
            weights += length * step
            rest -= length * curved
            before, size = size, (rest * rest).sum(axis=0)
            step = rest + size / np.maximum(before, 1e-12) * step
        table: NDArray[np.float32] = weights * self.rarity
        return table

    def fit_logistic(
        self,
        truth: NDArray[np.float64],
        weight: NDArray[np.float64],
        offsets: NDArray[np.float64],
        rows: NDArray[np.int64],
    ) -> NDArray[np.float32]:
        """Fits one column, float32 (buckets, 1), to the logit of a label of the texts `rows`.

        Args:
            truth: float64 (n,), 0 or 1.
            weight: float64 (n,).
            offsets: float64 (n, k), 1 if a text belongs to a group. Each group gets an offset of
                its own, which is dropped after the fit.
            rows: the numbers of the texts to learn from.
        """
        inputs = hstack([self.features[rows], csr_array(offsets[rows])]).tocsr()
        count, groups = self.features.shape[1], offsets.shape[1]
        penalty = np.repeat([1 / LOOSENESS, OFFSET_PENALTY], [count, groups])
        found = fit_logistic(inputs, truth[rows], weight[rows], penalty)[:count]
        return found.astype(np.float32)[:, None] * self.rarity

    def apply(self, table: NDArray[np.float32]) -> NDArray[np.float32]:
        """Returns the encoder's vectors of the texts before rounding, float32 (n, columns)."""
        result: NDArray[np.float32] = self.features @ (table / self.rarity)
        return result


def read_design(texts: Sequence[str]) -> Design:
    """Extracts features exactly as the classifier does."""
    buckets, offsets = _vectorise(texts)
    lengths = np.diff(offsets)
    counted = csr_array(
        (np.ones(len(buckets), np.float32), buckets, offsets), shape=(len(texts), BUCKETS)
    )
    counted.sum_duplicates()
    seen = np.bincount(counted.indices, minlength=BUCKETS)
    rarity = np.log((len(texts) + 1) / np.maximum(seen, 1)) / RARITY_UNIT
    scale = np.repeat(1 / np.sqrt(np.maximum(lengths, 1)), np.diff(counted.indptr))
    counted.data *= (scale * rarity[counted.indices]).astype(np.float32)
    return Design(counted, rarity.astype(np.float32)[:, None])


def _vectorise(texts: Sequence[str]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Returns the buckets of all texts' features, and the position of each text's first feature."""
    pieces: list[NDArray[np.int32]] = []
    lengths: list[NDArray[np.int64]] = []
    for _, read in chunks(texts):
        counts = np.stack([np.diff(family.offsets) for family in read.families])
        rows = np.concatenate([np.repeat(np.arange(len(c)), c) for c in counts])
        buckets = np.concatenate([family.buckets for family in read.families])
        pieces.append(buckets[np.argsort(rows, kind="stable")].astype(np.int32))
        lengths.append(counts.sum(axis=0))
    ends = np.cumsum(np.concatenate(lengths))
    return np.concatenate(pieces), np.concatenate(([0], ends))

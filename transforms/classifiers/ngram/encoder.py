"""Turns the n-grams of a text into a short vector of whole numbers.

Each bucket of the hash table holds a small vector. A text's vector is the sum of the vectors of its
features, divided by the root of their number, so that long texts are not more certain merely
because they are long. Common words have short vectors and weigh little.

Apart from one column for pushback, the table was fitted so that a text's vector predicts what two
larger models output for the same text: a sentence encoder, and a network that was trained on real
conversations (`training.encoder`). So the table also covers words that occur in no labelled text,
in ten languages.

Sums are integers, and scaling is one float64 operation per element. So the bits of a vector do not
depend on the batch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from transforms.classifiers.network import TOP
from transforms.classifiers.ngram.features import Extract
from transforms.classifiers.ngram.lanes import LANES, add_rows


@dataclass(frozen=True)
class Encoder:
    """Encodes texts as vectors, with a table of weights.

    Attributes:
        packed: uint64 (2 ** `features.BUCKET_BITS`, words), from `lanes.pack`.
        scale: float64 (dimensions,), multiplies each element, so that hardly any reaches `TOP`.
    """

    packed: NDArray[np.uint64]
    scale: NDArray[np.float64]

    def encode(self, read: Extract) -> NDArray[np.float32]:
        """Returns whole numbers from -127 to 127, float32 (n, dimensions).

        The vector is zero if the text has no features that are in the table.
        """
        scaled = self.sums(read) * self.scale
        rounded: NDArray[np.float32] = np.clip(np.rint(scaled), -TOP, TOP).astype(np.float32)
        return rounded

    def sums(self, read: Extract) -> NDArray[np.float64]:
        """Returns the sums over the root of the number of features, float64 (n, dimensions)."""
        sums = np.zeros((len(read.lengths), LANES * self.packed.shape[1]), np.int64)
        features = np.zeros(len(read.lengths), np.int64)
        for family in read.families:
            sums += add_rows(self.packed, family.buckets, family.offsets)
            features += np.diff(family.offsets)
        root = np.sqrt(np.maximum(features, 1).astype(np.float64))
        divided: NDArray[np.float64] = sums[:, : len(self.scale)] / root[:, None]
        return divided

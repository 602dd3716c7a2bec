"""Turns the n-grams of a text into a short vector of whole numbers.

Every bucket of the hash table holds a small vector; a text's vector is the sum over its features,
brought to one length. So the direction alone speaks: common words have short vectors and weigh
little, and a long text is not certain merely for being long. The table was fitted to the vectors
that a sentence encoder gives the same texts (`training.encoder`), and with it knows the meaning of
words that no labelled text holds, in ten languages.

Sums are integers and the scaling is one float64 operation an element, so the bits of a vector do
not depend on the batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from transforms.classifiers.network import TOP
from transforms.classifiers.ngram.features import Extract
from transforms.classifiers.ngram.lanes import LANES, add_rows

LENGTH: Final = 180.0
"""Length of a vector; of 48 elements hardly one then reaches `TOP`."""


@dataclass(frozen=True)
class Encoder:
    """Holds the table.

    Attributes:
        packed: uint64 (2 ** `features.BUCKET_BITS`, words), from `lanes.pack`.
        dimensions: elements of a vector.
    """

    packed: NDArray[np.uint64]
    dimensions: int

    def encode(self, read: Extract) -> NDArray[np.float32]:
        """Gives float32 (n, dimensions), whole numbers from -127 to 127; 0 for a silent text."""
        sums = np.zeros((len(read.lengths), LANES * self.packed.shape[1]), np.int64)
        for family in read.families:
            sums += add_rows(self.packed, family.buckets, family.offsets)
        sums = sums[:, : self.dimensions]
        squares = (sums * sums).sum(axis=1)
        scaled = sums * (LENGTH / np.sqrt(np.maximum(squares, 1)))[:, None]
        rounded: NDArray[np.float32] = np.clip(np.rint(scaled), -TOP, TOP).astype(np.float32)
        return rounded

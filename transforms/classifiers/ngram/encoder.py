"""Turns the n-grams of a text into a short vector of whole numbers.

Each bucket of the hash table holds a small vector. A text's vector is the sum of the vectors of its
features, scaled to a fixed length. So only the direction of the sum matters: the scores of a text
are not more certain merely because it is long. Common words have short vectors and weigh little.
The table was fitted to the vectors that a sentence encoder gives for the same texts
(`training.encoder`). So it also knows the meaning of words, in ten languages, that do not occur in
any labelled text.

Sums are integers, and scaling is one float64 operation per element. So the bits of a vector do not
depend on the batch.
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
"""Length of a vector. At this length hardly any of its 48 elements reaches `TOP`."""


@dataclass(frozen=True)
class Encoder:
    """Encodes texts as vectors, with a table of weights.

    Attributes:
        packed: uint64 (2 ** `features.BUCKET_BITS`, words), from `lanes.pack`.
        dimensions: number of elements of a vector.
    """

    packed: NDArray[np.uint64]
    dimensions: int

    def encode(self, read: Extract) -> NDArray[np.float32]:
        """Returns whole numbers from -127 to 127, float32 (n, dimensions).

        The vector is zero if the text has no features that are in the table.
        """
        sums = np.zeros((len(read.lengths), LANES * self.packed.shape[1]), np.int64)
        for family in read.families:
            sums += add_rows(self.packed, family.buckets, family.offsets)
        sums = sums[:, : self.dimensions]
        squares = (sums * sums).sum(axis=1)
        scaled = sums * (LENGTH / np.sqrt(np.maximum(squares, 1)))[:, None]
        rounded: NDArray[np.float32] = np.clip(np.rint(scaled), -TOP, TOP).astype(np.float32)
        return rounded

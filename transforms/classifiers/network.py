"""One hidden layer over an encoder's vector, exact to the bit in any batch.

Vectors, weights and hidden activations are whole numbers of at most 127 held in float32. A matrix
product of them stays below 2 ** 24, where float32 is exact, so it does not matter in which order,
or by which library, it is added up. What is not whole is done one element at a time in float64.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

TOP: Final = 127


@dataclass(frozen=True)
class Network:
    """Holds the weights: `d` inputs, `h` hidden units, `k` heads.

    Attributes:
        hidden: float32 (d, h), whole numbers.
        hidden_bias: float32 (h,), whole numbers.
        hidden_scale: what brings a hidden unit to at most `TOP`.
        heads: float32 (h, k), whole numbers, from the hidden units.
        direct: float32 (d, k), whole numbers, from the inputs past the hidden layer.
        heads_scale, direct_scale: float64, a logit for each unit of the two products.
        bias: float64 (k,).
    """

    hidden: NDArray[np.float32]
    hidden_bias: NDArray[np.float32]
    hidden_scale: float
    heads: NDArray[np.float32]
    direct: NDArray[np.float32]
    heads_scale: float
    direct_scale: float
    bias: NDArray[np.float64]

    def logits(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """Gives float64 (n, k) of whole-numbered vectors, float32 (n, d)."""
        active = np.maximum(vectors @ self.hidden + self.hidden_bias, 0)
        active = np.minimum(np.rint(active.astype(np.float64) * self.hidden_scale), TOP)
        indirect = (active.astype(np.float32) @ self.heads).astype(np.float64)
        direct = (vectors @ self.direct).astype(np.float64)
        logits: NDArray[np.float64] = indirect * self.heads_scale + direct * self.direct_scale
        return logits + self.bias

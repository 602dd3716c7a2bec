"""A network with one hidden layer that gives exactly the same results in any batch.

Vectors, weights and hidden activations are whole numbers from -127 to 127, stored as float32. Their
matrix products stay below 2 ** 24, where float32 is exact. So the results do not depend on the
order of addition or on the library. All other arithmetic is float64, one element at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

TOP: Final = 127


@dataclass(frozen=True)
class Network:
    """Holds the weights of `d` inputs, `h` hidden units and `k` heads.

    Attributes:
        hidden: float32 (d, h), whole numbers.
        hidden_bias: float32 (h,), whole numbers.
        hidden_scale: float, turns a hidden sum into an activation, which is then cut at `TOP`.
        heads: float32 (h, k), whole numbers, the weights of the hidden units.
        direct: float32 (d, k), whole numbers, the weights of inputs that skip the hidden layer.
        heads_scale, direct_scale: float, the logits per unit of the two products.
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
        """Computes logits, float64 (n, k), from vectors of whole numbers, float32 (n, d)."""
        active = np.maximum(vectors @ self.hidden + self.hidden_bias, 0)
        active = np.minimum(np.rint(active.astype(np.float64) * self.hidden_scale), TOP)
        indirect = (active.astype(np.float32) @ self.heads).astype(np.float64)
        direct = (vectors @ self.direct).astype(np.float64)
        logits: NDArray[np.float64] = indirect * self.heads_scale + direct * self.direct_scale
        return logits + self.bias

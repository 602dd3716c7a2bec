"""Sums many small weights with few additions: one 64-bit word carries the weights of four heads.

Each head's int8 weight, plus 128, sits in a 16-bit lane of a uint64. So one gather and one
`add.reduceat` serve four heads. A lane overflows after 257 addends, so longer runs are cut into
pieces of `_RUN`, which are added in int64. All arithmetic is on integers: a message has the same
sum in any batch, in any order, on any machine.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

LANES: Final = 4
_BIAS: Final = 128
_RUN: Final = 256


def pack(weights: NDArray[np.int8]) -> NDArray[np.uint64]:
    """Packs int8 (buckets, heads) into uint64 (buckets, ceil(heads / 4))."""
    buckets, heads = weights.shape
    raised = np.full((buckets, -(-heads // LANES) * LANES), _BIAS, "<u2")
    raised[:, :heads] = weights.astype(np.int16) + _BIAS
    return raised.view("<u8")


def add_rows(
    table: NDArray[np.uint64], buckets: NDArray[np.intp], offsets: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Sums the table's rows at `buckets`, one sum for each pair of neighbouring `offsets`.

    Args:
        table: uint64 (size, words), from `pack`.
        buckets: intp (f,), below `size`.
        offsets: int64 (n + 1,), never falling; runs may be empty.

    Returns:
        int64 (n, 4 * words), the sums of the int8 weights; 0 for an empty run.
    """
    lengths = np.diff(offsets)
    pieces = -(-lengths // _RUN)
    ends = np.cumsum(pieces)
    sums = np.zeros((int(ends[-1]) + 1, LANES * table.shape[1]), np.int64)
    if len(sums) > 1:
        within = np.arange(len(sums) - 1) - np.repeat(ends - pieces, pieces)
        starts = np.repeat(offsets[:-1], pieces) + within * _RUN
        rows = table.take(buckets[: offsets[-1]], axis=0, mode="clip")
        packed = np.add.reduceat(rows, starts, axis=0)
        np.cumsum(packed.view("<u2"), axis=0, dtype=np.int64, out=sums[1:])
    totals: NDArray[np.int64] = sums[ends] - sums[ends - pieces]
    totals -= (_BIAS * lengths)[:, None]
    return totals

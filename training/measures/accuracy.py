"""Compares decisions with the truth: shares with intervals, AUC and F1."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.prevalence import Z


def wilson(hits: int, count: int) -> dict[str, Any]:
    """Returns the share `hits / count` with its 95 % Wilson interval."""
    if count == 0:
        return {"hits": 0, "of": 0}
    share = hits / count
    middle = (share + Z * Z / (2 * count)) / (1 + Z * Z / count)
    half = Z / (1 + Z * Z / count)
    half *= (share * (1 - share) / count + Z * Z / (4 * count * count)) ** 0.5
    return {
        "hits": hits,
        "of": count,
        "share": round(share, 4),
        "low": round(max(middle - half, 0), 4),
        "high": round(min(middle + half, 1), 4),
    }


def share_of(flags: NDArray[np.bool_]) -> dict[str, Any]:
    """Returns the share of flags that are set, with its interval."""
    return wilson(int(flags.sum()), len(flags))


def auc(scores: NDArray[Any], positive: NDArray[np.bool_]) -> float | None:
    """Returns the probability that a positive outscores a negative; a tie counts as half."""
    if positive.all() or not positive.any():
        return None
    negatives = np.sort(scores[~positive])
    below = np.searchsorted(negatives, scores[positive], "left")
    up_to = np.searchsorted(negatives, scores[positive], "right")
    return round(float((below + up_to).mean() / 2 / len(negatives)), 4)


def f1(said: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """Returns F1, or 0 if neither the decisions nor the truth have a positive."""
    both = int((said & truth).sum())
    return round(2 * both / max(int(said.sum() + truth.sum()), 1), 4)

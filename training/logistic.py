"""Fits a weighted logistic regression."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

_STEPS: Final = 200


def fit_logistic(
    inputs: Any,
    truth: NDArray[np.float64],
    weight: NDArray[np.float64],
    penalty: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Fits a weighted logistic regression without an offset; returns float64 (d,).

    Args:
        inputs: float64 (n, d), an array or a sparse array.
        truth: float64 (n,), 0 or 1.
        weight: float64 (n,).
        penalty: float64 (d,), the weight of half the square of each coefficient.
    """
    back = inputs.T.tocsr() if hasattr(inputs, "tocsr") else inputs.T

    def loss(line: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        logits = inputs @ line
        lost = weight * (np.logaddexp(0, logits) - truth * logits)
        slope = back @ (weight * (expit(logits) - truth)) + penalty * line
        return float(lost.sum() + (penalty * line * line).sum() / 2), slope

    found = minimize(
        loss,
        np.zeros(inputs.shape[1]),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": _STEPS},
    )
    fitted: NDArray[np.float64] = found.x
    return fitted

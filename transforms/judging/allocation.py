"""Placeholder until the measured rule is merged."""

from __future__ import annotations

import math


def weight(gate_logit: int, types: int, has_pushback: bool) -> int:
    """Returns the weight."""
    p = 1 / (1 + math.exp(-gate_logit / 8))
    return max(1, round(1000 * max(math.sqrt(p * (1 - p)), 0.1)))

"""Checks whether totals equal the sum of their published parts more often than noise allows.

Needs no true counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pipelines.operations.audit.evidence import (
    CHANCE,
    Evidence,
    Finding,
    Version,
    chance_of_at_least,
)
from pipelines.operations.audit.system import system_of
from transforms.publishing.relations import Sense

ATTACK: Final = "leaky complements"
_MOST_EXACT: Final = 0.55
"""The rest of a total is the total minus its parts. Noise makes it negative about as often as
positive, and seldom 0. Among the rests that are 0 or negative, less than this share is 0, even if a
few conversations are missing."""


def find_exact_sums(evidence: Evidence) -> Iterator[Finding]:
    """Yields a finding if totals equal the sums of their parts too often.

    Then neither has noise, and a part that is missing in another sum can be computed exactly.
    """
    rests = [_rests(version) for version in evidence.protected()]
    exact, negative = (sum(column) for column in zip(*rests, strict=True)) if rests else (0, 0)
    if exact and chance_of_at_least(exact, exact + negative, _MOST_EXACT) < CHANCE:
        yield Finding(
            ATTACK,
            f"{exact:,} totals equal the sum of their published parts, and only {negative:,} are "
            "smaller than it: noisy numbers do not add up so well",
        )


def _rests(version: Version) -> tuple[int, int]:
    """Returns how many totals equal the sum of their published parts, and how many are smaller."""
    system = system_of({version.window: version}, {})
    exact = negative = 0
    for equation in system.equations:
        if equation.sense is Sense.EQUAL and len(equation.parts) > 1:
            parts = system.published[list(equation.parts)]
            rest = round(float(system.published[equation.total] - parts.sum()))
            exact += rest == 0
            negative += rest < 0
    return exact, negative

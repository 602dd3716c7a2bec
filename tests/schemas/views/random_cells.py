"""Draws random counts and classifier rates, and computes the reference's shares for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from schemas.labels import PUSHBACK_REASONS, PUSHBACK_TYPES, TYPES, USES
from schemas.records import ClassifierRate
from tests.builders_report import rate
from tests.schemas.views import reference
from tests.schemas.views.reference import Counts, Triple

Cell = tuple[str, str]
"""The facet and the value of a cell."""

ALL: Final[Cell] = ("all", "all")
AFFECTIVE: Final[Cell] = ("use", "affective")


def random_day(rng: np.random.Generator) -> dict[Cell, int]:
    """Draws the counts of a day, in which no part is larger than its whole."""

    def part(whole: int, most: float = 1.0) -> int:
        return int(rng.integers(1, max(int(whole * most), 2)))

    total = int(rng.integers(200, 50_000))
    counts = {ALL: total, ("long", "all"): part(total, 0.3), ("pushback", "all"): part(total, 0.4)}
    counts |= {("use", use): part(total, 0.5) for use in USES}
    affective = counts[AFFECTIVE]
    counts |= {("type", name): part(affective) for name in TYPES}
    counts["long", "affective"] = part(min(affective, counts["long", "all"]))
    for name in TYPES:
        counts["long", name] = part(min(counts["type", name], counts["long", "all"]))
    for name in PUSHBACK_TYPES:
        counts["pushback", name] = part(min(counts["type", name], counts["pushback", "all"]))
    return counts | {
        ("pushback_reason", reason): part(counts["pushback", "all"]) for reason in PUSHBACK_REASONS
    }


def random_rates(rng: np.random.Generator) -> list[ClassifierRate]:
    """Draws measured rates: some from few conversations, and a few for a useless classifier."""
    cells = [("use", u) for u in USES] + [("type", t) for t in TYPES] + [("pushback", "all")]
    rates = []
    for cell in cells + [("pushback_reason", r) for r in PUSHBACK_REASONS]:
        positives, negatives = int(rng.integers(0, 200)), int(rng.integers(50, 3000))
        found, wrong = rng.beta(4, 2), rng.beta(1, 40)
        hits = int(rng.binomial(positives, found)), int(rng.binomial(negatives, wrong))
        rates.append(rate((hits[0], positives), (hits[1], negatives), *cell))
    return rates


def counts_of(rates: list[ClassifierRate]) -> dict[Cell, Counts]:
    """Returns the rates in the form that the reference takes."""
    return {
        (r.facet, r.facet_value): Counts(
            r.true_positives, r.positives, r.false_positives, r.negatives
        )
        for r in rates
    }


def expected(
    cell: Cell, whole_facet: str, counts: Mapping[Cell, int], rates: Mapping[Cell, Counts]
) -> Triple:
    """Returns the corrected share that the reference gives for a part within a whole."""
    facet, value = cell
    part, total = counts[cell], counts[ALL]
    if cell == ("long", "all"):
        low, high = reference.wilson(part, total)
        return part / total, low, high
    if whole_facet == "long":
        kind = "use" if value == "affective" else "type"
        return reference.direct(part, counts["long", "all"], rates[kind, value])
    if whole_facet == "all":
        is_alone = facet != "use" or cell == AFFECTIVE
        return reference.direct(part, total, rates[cell]) if is_alone else reference.NOTHING
    if facet in ("type", "pushback_reason"):
        whole = AFFECTIVE if facet == "type" else ("pushback", "all")
        return reference.quotient(part, counts[whole], total, rates[cell], rates[whole])
    whole = (whole_facet, value)
    given = (part, counts[whole], counts[facet, "all"], total)
    if facet == "long":
        return reference.long_inside(*given, rates[whole])
    return reference.pushback_inside(*given, rates["pushback", "all"], rates[whole])


def whole_of(cell: Cell, whole_facet: str) -> Cell:
    """Returns the whole that a part is divided by."""
    if whole_facet == "use":
        return AFFECTIVE
    return (whole_facet, cell[1]) if whole_facet == "type" else (whole_facet, "all")

"""Corrects what the views can't: all uses together. Finds the shares that can't be corrected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pipelines.report.figures import AFFECTIVE, Share
from transforms.estimation.rates import Rates
from transforms.estimation.uses import Estimate, estimate_uses
from transforms.facets.facet import ALL


def correct_uses(uses: Sequence[Share], measured: Rates | None) -> list[Share] | None:
    """Corrects all uses together, so that they sum to one.

    The share of affective conversations is corrected by its own rates, as in the views. The other
    uses share the rest.

    Args:
      uses: the shares of all uses, in the order of USES.
      measured: what was measured of the classifier.

    Returns:
      The corrected shares. None if the affective share has no correction, if some use was withheld
      on some day, or if the labels do not support the correction.
    """
    affective = uses[0]
    said = [use.conversations for use in uses if use.conversations is not None]
    if measured is None or not measured.supports_uses or len(said) < len(uses):
        return None
    ends = affective.corrected, affective.corrected_low, affective.corrected_high
    if None in ends or any(use.is_lower_bound for use in uses):
        return None
    found = estimate_uses(said, measured.use_confusion, Estimate(*(end or 0.0 for end in ends)))
    return [
        replace(use, corrected=one.share, corrected_low=one.low, corrected_high=one.high)
        for use, one in zip(uses, found, strict=True)
    ]


def is_supported(row: Mapping[str, Any], measured: Rates | None) -> bool:
    """Returns whether the measured rates support the correction of a row of the view `ratios`."""
    return measured is None or not measured.unsupported & _needed(row)


def _needed(row: Mapping[str, Any]) -> set[tuple[str, str]]:
    """Returns the facets and values whose rates correct a row: those of its part and its whole."""
    facet, value, whole = row["facet"], row["facet_value"], row["whole_facet"]
    needed = {(facet, ALL if facet == "pushback" else value)}
    if whole == "use":
        needed.add(("use", AFFECTIVE))
    elif whole == "type":
        needed.add(("type", value))
    elif whole == "pushback":
        needed.add(("pushback", ALL))
    elif whole == "long":
        needed.add(("use" if value == AFFECTIVE else "type", value))
    return needed

"""Finds the shares that can't be corrected.

A share can't be corrected if the classifier's measured error rates are not good enough.
"""

from __future__ import annotations

from pipelines.report.figures import AFFECTIVE
from transforms.estimation.rates import Rates
from transforms.facets.facet import ALL
from transforms.facets.registry import BY_NAME


def is_supported(facet: str, value: str, whole_facet: str, measured: Rates | None) -> bool:
    """Returns whether the measured rates support the correction of a share.

    If no error rates of the classifier were measured, this is not known, and the answer is yes.
    """
    return measured is None or not measured.unsupported & _needed(facet, value, whole_facet)


def _needed(facet: str, value: str, whole_facet: str) -> set[tuple[str, str]]:
    """Returns the facets and values whose rates correct a share and its whole."""
    unites = BY_NAME[facet].unites
    if unites:
        return {("type", name) for name in unites}
    needed = {(facet, ALL if facet == "pushback" else value)}
    if whole_facet == "use":
        needed.add(("use", AFFECTIVE))
    elif whole_facet == "type":
        needed.add(("type", value))
    elif whole_facet == "pushback":
        needed.add(("pushback", ALL))
    elif whole_facet == "long":
        needed.add(("use" if value == AFFECTIVE else "type", value))
    return needed

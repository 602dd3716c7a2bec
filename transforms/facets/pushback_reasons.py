"""The facet `pushback_reason`: why the assistant pushes back. There may be several reasons."""

from __future__ import annotations

from schemas.labels import PUSHBACK_REASONS
from transforms.facets.facet import Correction, Facet, ShareOf, Traits


def _members(traits: Traits) -> tuple[str, ...]:
    return tuple(
        reason for i, reason in enumerate(PUSHBACK_REASONS) if traits.pushback_reasons >> i & 1
    )


FACET = Facet(
    id=8,
    name="pushback_reason",
    values=PUSHBACK_REASONS,
    members=_members,
    share_of=ShareOf.PUSHBACK,
    correction=Correction.QUOTIENT,
    definition="Why the assistant pushes back. A conversation may have several reasons.",
    label="Reasons for pushback",
    rated_values=PUSHBACK_REASONS,
)

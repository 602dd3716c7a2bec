"""The facet `pushback`: conversations in which the assistant pushes back, in all and by type."""

from __future__ import annotations

from schemas.labels import PUSHBACK_TYPES
from transforms.facets.facet import ALL, Correction, Facet, ShareOf, Traits

_VALUES = (ALL, *PUSHBACK_TYPES)


def _members(traits: Traits) -> tuple[str, ...]:
    if not traits.pushback_reasons:
        return ()
    return tuple(group for group in traits.groups if group in _VALUES)


FACET = Facet(
    id=7,
    name="pushback",
    values=_VALUES,
    members=_members,
    share_of=ShareOf.GROUP,
    correction=Correction.INSIDE,
    definition="Conversations in which the assistant refuses, resists or challenges something at "
    "least once: among all, or among those of a type that the study reports.",
    label="Pushback",
    terms={
        "Pushback": "The assistant refuses, resists or challenges something said or asked, at "
        "least once.",
    },
    rated_values=(ALL,),
)

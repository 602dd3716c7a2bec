"""The facet `drift`: the types of a conversation's opening and closing."""

from __future__ import annotations

from typing import Final

from schemas.labels import NO_TYPE, TYPES
from transforms.facets.facet import Correction, Facet, ShareOf, Traits

_ENDS: Final = (*TYPES, NO_TYPE)
"""The possible types of an opening or closing. Index -1 stands for "no type", the last entry."""

PAIRS: Final = tuple(f"{opening}>{closing}" for opening in _ENDS for closing in _ENDS)
UNTYPED: Final = f"{NO_TYPE}>{NO_TYPE}"
"""The pair without any type, which most conversations have."""


def pairs_of(traits: Traits) -> tuple[str, ...]:
    """Returns the one value of a conversation: its pair of opening and closing type."""
    return (f"{_ENDS[traits.opening_type]}>{_ENDS[traits.closing_type]}",)


FACET = Facet(
    id=9,
    name="drift",
    values=PAIRS,
    members=pairs_of,
    share_of=ShareOf.OPENING,
    correction=Correction.NONE,
    definition="Type of the first three human messages > type of the last three.",
    label="Drift",
    terms={
        "Drift": "From the type of the first three human messages to that of the last three.",
    },
    is_partition=True,
)

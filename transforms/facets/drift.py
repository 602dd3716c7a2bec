"""The type that a conversation opens with and the type that it closes with."""

from __future__ import annotations

from typing import Final

from schemas.labels import NO_TYPE, TYPES
from transforms.facets.facet import Correction, Facet, ShareOf, Traits

_ENDS: Final = (*TYPES, NO_TYPE)
"""What a conversation may open and close with. Index -1, "no type", picks the last."""

PAIRS: Final = tuple(f"{opening}>{closing}" for opening in _ENDS for closing in _ENDS)
UNTYPED: Final = f"{NO_TYPE}>{NO_TYPE}"
"""The pair of most conversations."""


def pairs_of(traits: Traits) -> tuple[str, ...]:
    """Returns the only value of a conversation, its pair of opening and closing type."""
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

"""The facets `drift` and `drift_long`: the types of a conversation's opening and closing."""

from __future__ import annotations

from typing import Final

from schemas.labels import NO_TYPE, TYPES
from transforms.conversation.summary import LONG_OVER
from transforms.facets.facet import Correction, Facet, ShareOf, Traits

ENDS: Final = (*TYPES, NO_TYPE)
"""The possible types of an opening or closing. Index -1 stands for "no type", the last entry."""

PAIRS: Final = tuple(f"{opening}>{closing}" for opening in ENDS for closing in ENDS)


def pairs_of(traits: Traits) -> tuple[str, ...]:
    """Returns the one value of a conversation: its pair of opening and closing type."""
    return (f"{ENDS[traits.opening_type]}>{ENDS[traits.closing_type]}",)


def _of_long(traits: Traits) -> tuple[str, ...]:
    return pairs_of(traits) if traits.human_messages > LONG_OVER else ()


FACETS = (
    Facet(
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
    ),
    Facet(
        id=10,
        name="drift_long",
        values=PAIRS,
        members=_of_long,
        share_of=ShareOf.LONG_OPENING,
        correction=Correction.NONE,
        definition=f"Drift of conversations of more than {LONG_OVER} human messages.",
        label="Drift of long conversations",
        is_partition=True,
        left_out_of=frozenset(("length",)),
    ),
)

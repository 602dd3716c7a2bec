"""The facets `opening` and `opening_long`: the type of the opening, the denominator of a drift."""

from __future__ import annotations

from transforms.conversation.summary import LONG_OVER
from transforms.facets.drift import ENDS
from transforms.facets.facet import Correction, Facet, ShareOf, Traits


def opening_of(traits: Traits) -> tuple[str, ...]:
    """Returns the one value of a conversation: the type of its opening."""
    return (ENDS[traits.opening_type],)


def _of_long(traits: Traits) -> tuple[str, ...]:
    return opening_of(traits) if traits.human_messages > LONG_OVER else ()


FACETS = (
    Facet(
        id=11,
        name="opening",
        values=ENDS,
        members=opening_of,
        share_of=ShareOf.ALL,
        correction=Correction.NONE,
        definition="Type of the first three human messages.",
        label="Openings",
        is_partition=True,
    ),
    Facet(
        id=13,
        name="opening_long",
        values=ENDS,
        members=_of_long,
        share_of=ShareOf.LONG,
        correction=Correction.NONE,
        definition=f"Type of the opening of conversations of more than {LONG_OVER} human messages.",
        label="Openings of long conversations",
        is_partition=True,
        left_out_of=frozenset(("length",)),
    ),
)

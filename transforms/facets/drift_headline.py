"""The facets `drift_headline` and `drift_long_headline`: turns to companionship.

They count the conversations that turn from coaching or counseling to companionship.

The pairs of `drift` contain the same numbers. But each pair may have too few users to be published
while all of them together have enough.
"""

from __future__ import annotations

from typing import Final

from schemas.labels import TYPES
from transforms.conversation.summary import LONG_OVER
from transforms.facets.facet import Correction, Facet, ShareOf, Traits

OPENED: Final = "coaching_or_counseling"
CLOSED: Final = "companionship"

_OPENINGS: Final = frozenset(TYPES.index(name) for name in ("coaching", "counseling"))
_CLOSING: Final = TYPES.index(CLOSED)


def turns_of(traits: Traits) -> tuple[str, ...]:
    """Returns the values of a conversation: `OPENED`, and `CLOSED` if it also turned."""
    if traits.opening_type not in _OPENINGS:
        return ()
    return (OPENED, CLOSED) if traits.closing_type == _CLOSING else (OPENED,)


def _of_long(traits: Traits) -> tuple[str, ...]:
    return turns_of(traits) if traits.human_messages > LONG_OVER else ()


FACETS = (
    Facet(
        id=12,
        name="drift_headline",
        values=(OPENED, CLOSED),
        members=turns_of,
        share_of=ShareOf.FIRST_VALUE,
        correction=Correction.NONE,
        definition="Conversations that open as coaching or counseling, and those of them that "
        "close as companionship.",
        label="From coaching or counseling to companionship",
    ),
    Facet(
        id=14,
        name="drift_long_headline",
        values=(OPENED, CLOSED),
        members=_of_long,
        share_of=ShareOf.FIRST_VALUE,
        correction=Correction.NONE,
        definition=f"Conversations of more than {LONG_OVER} human messages that open as coaching "
        "or counseling, and those of them that close as companionship.",
        label="From coaching or counseling to companionship, long conversations",
        left_out_of=frozenset(("length",)),
    ),
)

"""The facet `drift_long`: drift among the long conversations."""

from __future__ import annotations

from transforms.conversation.summary import LONG_OVER
from transforms.facets import drift
from transforms.facets.facet import Correction, Facet, ShareOf, Traits


def _members(traits: Traits) -> tuple[str, ...]:
    return drift.pairs_of(traits) if traits.human_messages > LONG_OVER else ()


FACET = Facet(
    id=10,
    name="drift_long",
    values=drift.PAIRS,
    members=_members,
    share_of=ShareOf.OPENING,
    correction=Correction.NONE,
    definition=f"Drift of conversations of more than {LONG_OVER} human messages.",
    label="Drift of long conversations",
    left_out_of=frozenset(("length",)),
)

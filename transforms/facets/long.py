"""The facet `long`: long conversations, in all, among the affective ones and within each type."""

from __future__ import annotations

from transforms.conversation.summary import LONG_OVER
from transforms.facets.facet import GROUPS, Correction, Facet, ShareOf, Traits


def _members(traits: Traits) -> tuple[str, ...]:
    return traits.groups if traits.human_messages > LONG_OVER else ()


FACET = Facet(
    id=5,
    name="long",
    values=GROUPS,
    members=_members,
    share_of=ShareOf.GROUP,
    correction=Correction.INSIDE,
    definition=f"Conversations of more than {LONG_OVER} human messages: among all, among the "
    "affective ones, or among those of a type.",
    label="Long conversations",
    terms={"Long": f"More than {LONG_OVER} human messages."},
    also_share_of=ShareOf.LONG,
    left_out_of=frozenset(("length",)),
)

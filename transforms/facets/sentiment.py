"""The facet `sentiment`: how the mood changes from the first messages to the last ones."""

from __future__ import annotations

from transforms.conversation.summary import MIN_MESSAGES_FOR_CHANGE
from transforms.facets.facet import GROUPS, Correction, Facet, ShareOf, Traits


def _members(traits: Traits) -> tuple[str, ...]:
    return traits.groups if traits.has_change else ()


FACET = Facet(
    id=6,
    name="sentiment",
    values=GROUPS,
    members=_members,
    share_of=ShareOf.NONE,
    correction=Correction.NONE,
    definition=f"Conversations of {MIN_MESSAGES_FOR_CHANGE} or more human messages, which have a "
    "change of mood: among all, among the affective ones, or among those of a type.",
    label="Change of mood",
    terms={
        "Mood change": "Mean sentiment of the last three human messages minus that of the first "
        "three, for conversations of six or more. The interval is the normal approximation.",
    },
    sums_change=True,
)

"""The facet `all`: all conversations, the denominator of most shares."""

from __future__ import annotations

from transforms.facets.facet import ALL, Correction, Facet, ShareOf

FACET = Facet(
    id=1,
    name="all",
    values=(ALL,),
    members=lambda _: (ALL,),
    share_of=ShareOf.NONE,
    correction=Correction.COUNTED,
    definition="Every conversation.",
    label="Conversations",
    terms={
        "Conversation": "All messages of one conversation id with no pause longer than the session "
        "gap, 24 hours by default. It belongs to the hour and day of its first message.",
    },
)

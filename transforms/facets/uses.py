"""The facet `use`: the purpose of a conversation. Each conversation has exactly one use."""

from __future__ import annotations

from schemas.labels import USES
from transforms.facets.facet import Correction, Facet, ShareOf

FACET = Facet(
    id=3,
    name="use",
    values=USES,
    members=lambda traits: (USES[traits.use],),
    share_of=ShareOf.ALL,
    correction=Correction.DIRECT,
    definition="What a conversation is for. Each conversation has exactly one use.",
    label="Uses",
    terms={
        "Affective": "The human engages the assistant directly in a personal exchange, moved by an "
        "emotional or psychological need. Using the assistant as a tool is not affective, whatever "
        "the words are: stories, love poems, an essay on depression, an angry customer.",
    },
    is_partition=True,
    rated_values=USES,
)

"""The facet `type`: the types of a conversation, which may have several."""

from __future__ import annotations

from schemas.labels import TYPES
from transforms.facets.facet import Correction, Facet, ShareOf

FACET = Facet(
    id=2,
    name="type",
    values=TYPES,
    members=lambda traits: traits.type_names,
    share_of=ShareOf.ALL,
    correction=Correction.DIRECT,
    definition="The need that a conversation serves. A conversation may have several types.",
    label="Types",
    terms={
        "Interpersonal advice": "How to deal with another person: partner, dating, family, friend, "
        "colleague.",
        "Coaching": "One’s own growth: career, habits, motivation, confidence, meaning, decisions.",
        "Counseling": "Distress and mental health: anxiety, low mood, grief, trauma, coping.",
        "Companionship": "Lonely, or just wants to talk: the assistant is addressed as a friend or "
        "partner.",
        "Romantic roleplay": "The assistant plays a romantic or sexual partner; counted from four "
        "human messages on.",
        "Roleplay": "Other interactive fiction, from four human messages on. Not affective.",
    },
    also_share_of=ShareOf.AFFECTIVE,
    rated_values=TYPES,
)

"""The facet `companionship_and_roleplay`: companionship and both roleplays counted together.

The study gives one share for the three. A conversation may have several of these types, so their
shares do not add up to it.
"""

from __future__ import annotations

from typing import Final

from transforms.facets.facet import Correction, Facet, ShareOf, Traits

ANY: Final = "any"

_UNITED: Final = ("companionship", "romantic_roleplay", "roleplay")


def _members(traits: Traits) -> tuple[str, ...]:
    return () if set(traits.type_names).isdisjoint(_UNITED) else (ANY,)


FACET = Facet(
    id=15,
    name="companionship_and_roleplay",
    values=(ANY,),
    members=_members,
    share_of=ShareOf.ALL,
    correction=Correction.UNION,
    definition="Conversations of at least one of the types companionship, romantic roleplay and "
    "roleplay.",
    label="Companionship and roleplay",
    unites=_UNITED,
)

"""Collects the facets declared in this folder, and lists their slices.

A *slice* is one value of one facet, i.e. a set of conversations with something in common. For
speed, each process numbers the slices. Stored state identifies them by the facet's id and the value
instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from importlib import import_module
from itertools import pairwise
from pkgutil import iter_modules
from typing import Final, NamedTuple

import transforms.facets as folder
from schemas.breakdowns import BREAKDOWNS
from transforms.facets.facet import Facet, Traits

BREAKDOWN_NAMES: Final = tuple(breakdown.name for breakdown in BREAKDOWNS)
_NOT_FACETS: Final = frozenset(("facet", "registry"))


class Slice(NamedTuple):
    """Identifies a slice by the names that the tables use."""

    facet: str
    value: str


def _facets_in_folder() -> Iterator[Facet]:
    for module in iter_modules(folder.__path__):
        if module.name not in _NOT_FACETS:
            declared = import_module(f"{folder.__name__}.{module.name}")
            yield from getattr(declared, "FACETS", None) or (declared.FACET,)


def ordered(facets: Iterable[Facet]) -> tuple[Facet, ...]:
    """Sorts the facets by id.

    Raises:
      ValueError: if two facets have the same id or name.
    """
    by_id = sorted(facets, key=lambda facet: facet.id)
    for first, second in pairwise(by_id):
        if first.id == second.id:
            raise ValueError(f"facets {first.name} and {second.name} have the same id {first.id}")
    names = [facet.name for facet in by_id]
    if len(set(names)) != len(names):
        raise ValueError(f"two facets have the same name; the names are {', '.join(names)}")
    return tuple(by_id)


FACETS: Final = ordered(_facets_in_folder())
BY_NAME: Final[Mapping[str, Facet]] = {facet.name: facet for facet in FACETS}

SLICES: Final = tuple(Slice(facet.name, value) for facet in FACETS for value in facet.values)
"""All slices. An index into this list is valid only in this process and is never stored."""

INDEX: Final[Mapping[Slice, int]] = {slice_: index for index, slice_ in enumerate(SLICES)}

SLICE_KEYS: Final = tuple((facet.id, value) for facet in FACETS for value in facet.values)
"""The key of each slice in stored state: the facet's id and the value."""

_OF_KEY: Final[Mapping[tuple[int, str], int]] = {key: i for i, key in enumerate(SLICE_KEYS)}
SUMMING_CHANGE: Final = frozenset(i for s, i in INDEX.items() if BY_NAME[s.facet].sums_change)
"""Slices whose cells sum the change of mood."""

_LEFT_OUT: Final[Mapping[str, frozenset[int]]] = {
    name: frozenset(i for s, i in INDEX.items() if name in BY_NAME[s.facet].left_out_of)
    for name in BREAKDOWN_NAMES
}


def slices_of_facet(name: str) -> tuple[int, ...]:
    """Returns the indexes of a facet's slices, in the order of its values."""
    return tuple(INDEX[Slice(name, value)] for value in BY_NAME[name].values)


def index_of_key(facet_id: int, value: str) -> int:
    """Returns the index of the slice with a key from stored state.

    Raises:
      ValueError: if this version has no such slice.
    """
    index = _OF_KEY.get((facet_id, value))
    if index is None:
        raise ValueError(
            f"stored state names value {value!r} of facet {facet_id}, which this version does not "
            "have; start a new job and backfill"
        )
    return index


@lru_cache(maxsize=65_536)
def slices_of(traits: Traits) -> tuple[tuple[int, ...], ...]:
    """Returns the slices of a conversation with these traits, for each of `BREAKDOWN_NAMES`.

    No number is published twice: a facet is left out of a breakdown whose cells already contain the
    same numbers.
    """
    indexes = tuple(
        INDEX[Slice(facet.name, value)] for facet in FACETS for value in facet.members(traits)
    )
    return tuple(
        tuple(index for index in indexes if index not in _LEFT_OUT[name])
        for name in BREAKDOWN_NAMES
    )

"""Lists the published shares and what each is divided by. The list is derived from the facets.

This module does not use Beam.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from schemas.labels import AFFECTIVE_TYPES
from transforms.counting.cells import BREAKDOWN_IDS
from transforms.facets.facet import AFFECTIVE, ALL, Correction, Facet, ShareOf
from transforms.facets.registry import FACETS, Slice

EVERYTHING: Final = Slice("all", ALL)
AFFECTIVE_USE: Final = Slice("use", AFFECTIVE)
_LONG: Final = Slice("long", ALL)


@dataclass(frozen=True)
class Share:
    """A share. It is published wherever the counts of its part and of its whole are both published.

    Attributes:
      part, whole: the slices whose numbers of conversations are divided.
      correction: how it is corrected; `COUNTED` if no label is involved.
      rate: the slice whose error rates apply to the part; None if there is none.
      alike: for `INSIDE`, all conversations that have the part's property, whether or not they
        belong to the whole, e.g. all long conversations.
      unites: for `UNION`, the parts that are counted together.
      is_partition: whether the shares of the same facet and whole add up to the whole.
    """

    part: Slice
    whole: Slice
    correction: Correction
    rate: Slice | None
    alike: Slice
    unites: tuple[Slice, ...]
    is_partition: bool


def _group(value: str) -> Slice:
    """Returns the slice of all conversations of a group."""
    if value == ALL:
        return EVERYTHING
    return AFFECTIVE_USE if value == AFFECTIVE else Slice("type", value)


def _first(facet: Facet, value: str) -> Slice | None:
    first = facet.values[0]
    return None if value == first else Slice(facet.name, first)


_WHOLES: Final[Mapping[ShareOf, Callable[[Facet, str], Slice | None]]] = {
    ShareOf.NONE: lambda *_: None,
    ShareOf.ALL: lambda *_: EVERYTHING,
    ShareOf.GROUP: lambda _, value: _group(value),
    ShareOf.AFFECTIVE: lambda _, value: AFFECTIVE_USE if value in AFFECTIVE_TYPES else None,
    ShareOf.LONG: lambda _, value: None if value == ALL else _LONG,
    ShareOf.PUSHBACK: lambda *_: Slice("pushback", ALL),
    ShareOf.OPENING: lambda _, value: Slice("opening", value.partition(">")[0]),
    ShareOf.LONG_OPENING: lambda _, value: Slice("opening_long", value.partition(">")[0]),
    ShareOf.FIRST_VALUE: _first,
}


def whole_of(facet: Facet, value: str, share_of: ShareOf) -> Slice | None:
    """Returns the slice that a facet's value is divided by; None if the value is not a share."""
    return _WHOLES[share_of](facet, value)


def _shares_of(facet: Facet) -> Iterator[Share]:
    for share_of in (facet.share_of, facet.also_share_of):
        for value in facet.values:
            whole = whole_of(facet, value, share_of)
            if whole is not None:
                yield Share(
                    Slice(facet.name, value),
                    whole,
                    _correction(facet, value, share_of),
                    _rate(facet, value, share_of),
                    Slice(facet.name, ALL),
                    tuple(Slice("type", name) for name in facet.unites),
                    facet.is_partition,
                )


def _correction(facet: Facet, value: str, share_of: ShareOf) -> Correction:
    match facet.correction:
        case Correction.INSIDE if share_of is ShareOf.LONG:
            return Correction.DIRECT  # All of the whole is long, so only the group has errors.
        case Correction.INSIDE if value == ALL:
            return Correction.DIRECT if facet.rated_values else Correction.COUNTED
        case Correction.DIRECT if share_of is ShareOf.AFFECTIVE:
            return Correction.QUOTIENT
        case Correction.DIRECT if facet.is_partition and value != AFFECTIVE:
            return Correction.NONE  # Corrected one by one, they would not sum to one.
    return facet.correction


def _rate(facet: Facet, value: str, share_of: ShareOf) -> Slice | None:
    is_inside = facet.correction is Correction.INSIDE
    if is_inside and share_of is ShareOf.LONG:
        return _group(value)
    rated = ALL if is_inside else value
    return Slice(facet.name, rated) if rated in facet.rated_values else None


SHARES: Final = tuple(share for facet in FACETS for share in _shares_of(facet))
"""All shares, in the order of the facets."""

BY_PARTS: Final = {(share.part, share.whole): index for index, share in enumerate(SHARES)}
"""Index into `SHARES` by part and whole."""


def _partitions() -> Iterator[list[int]]:
    groups: dict[tuple[str, Slice], list[int]] = {}
    for index, share in enumerate(SHARES):
        if share.is_partition:
            groups.setdefault((share.part.facet, share.whole), []).append(index)
    yield from groups.values()


PARTITIONS: Final[Sequence[list[int]]] = tuple(_partitions())
"""Groups of indexes into `SHARES`. The parts of a group make up their common whole."""

COUNTED_AS_BREAKDOWN: Final = tuple(
    facet for facet in FACETS if "overall" in facet.left_out_of and facet.name in BREAKDOWN_IDS
)
"""Facets that `overall` leaves out, because the breakdown of the same name has their numbers."""

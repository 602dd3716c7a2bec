"""Relations between the cells of one window, derived from the declarations of the facets.

A conversation's slices depend only on its traits. So this module evaluates every facet on a large
sample of possible traits, and notes which samples are in which slice. If all samples of a slice are
in another slice, the first slice is part of the second. If slices of a facet share no sample and
together have all samples of another slice, they add up to that slice. A new facet needs no change
here.

A breakdown may depend on the traits too. Then its cells are related to those of `overall`. `length`
is such a breakdown: it divides conversations in the same way as the facet `length`.

This module does not use Beam.
"""

from __future__ import annotations

import enum
import random
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from schemas.labels import (
    AFFECTIVE_TYPES,
    MIN_ROLEPLAY_HUMAN_MESSAGES,
    PUSHBACK_REASONS,
    ROLEPLAY_TYPES,
    TYPES,
    USES,
)
from transforms.conversation.summary import MIN_MESSAGES_FOR_CHANGE
from transforms.facets.facet import ALL, Traits
from transforms.facets.lengths import LENGTH_BINS
from transforms.facets.registry import BY_NAME, FACETS, INDEX, SLICES, Slice, slices_of_facet

OVERALL: Final = "overall"
_SAMPLES: Final = 30_000
_NO_TYPE: Final = -1
_SOME_AFFECTIVE: Final = 0.7
"""Share of the samples that are affective. Most slices are about affective conversations."""


class Sense(enum.Enum):
    """How the parts of a relation compare with the total."""

    EQUAL = "the parts add up to the total"
    AT_MOST = "the parts share no conversation, and there may be others"
    COVER = "every conversation of the total is in at least one of the parts"


class Member(NamedTuple):
    """A slice in one place of a window.

    Attributes:
      breakdown, value: the place.
      slice_index: index into `registry.SLICES`.
    """

    breakdown: str
    value: str
    slice_index: int


class Relation(NamedTuple):
    """A total and its parts.

    Attributes:
      total: index into `registry.SLICES`, or a cell.
      parts: likewise.
      sense: how they compare.
    """

    total: int
    parts: tuple[int, ...]
    sense: Sense


class AcrossRelation(NamedTuple):
    """A cell of `overall`, and its parts in a breakdown that depends on the traits."""

    total: Member
    parts: tuple[Member, ...]


@lru_cache(maxsize=1)
def possible_traits() -> tuple[Traits, ...]:
    """Returns a large sample of the traits that a conversation may have, always the same."""
    chance = random.Random(0)
    bins = [(low, high or 2 * low) for low, high in LENGTH_BINS]
    # All bins are equally frequent, so that slices of long conversations have many samples too.
    return tuple(_traits(chance, chance.choice(chance.choice(bins))) for _ in range(_SAMPLES))


def _traits(chance: random.Random, human_messages: int) -> Traits:
    """Draws traits as a classifier may give them; see `Classifier.judge`."""
    is_affective = human_messages > 0 and chance.random() < _SOME_AFFECTIVE
    allowed = [
        i
        for i, name in enumerate(TYPES)
        if (is_affective or name not in AFFECTIVE_TYPES)
        and (human_messages >= MIN_ROLEPLAY_HUMAN_MESSAGES or name not in ROLEPLAY_TYPES)
    ]
    use = 0 if is_affective else chance.randrange(1, len(USES))
    many = chance.random()
    return Traits(
        human_messages,
        chance.randrange(human_messages + 1),
        sum(1 << i for i in allowed if chance.random() < many),
        use,
        chance.choice([_NO_TYPE, *allowed]),
        chance.choice([_NO_TYPE, *allowed]),
        human_messages >= MIN_MESSAGES_FOR_CHANGE,
        _reasons(chance),
    )


def _reasons(chance: random.Random) -> int:
    drawn = chance.random()
    if drawn < 0.4:
        return 0
    one = 1 << chance.randrange(len(PUSHBACK_REASONS))
    return one if drawn < 0.7 else one | chance.randrange(1 << len(PUSHBACK_REASONS))


@lru_cache(maxsize=1)
def _samples_of() -> tuple[int, ...]:
    """Returns the samples of each slice, as bits of an integer."""
    found = [bytearray(_SAMPLES) for _ in SLICES]
    for at, traits in enumerate(possible_traits()):
        for facet in FACETS:
            for value in facet.members(traits):
                found[INDEX[Slice(facet.name, value)]][at] = 1
    return tuple(int(bytes(b + 48 for b in flags), 2) for flags in found)


def depends_on_traits(breakdown: str) -> bool:
    """Tells whether a breakdown divides conversations in the same way as a facet does."""
    facet = BY_NAME.get(breakdown)
    return facet is not None and breakdown in facet.left_out_of and facet.is_partition


def slices_in(breakdown: str) -> tuple[int, ...]:
    """Returns the slices that a breakdown's places have."""
    return tuple(i for i, s in enumerate(SLICES) if breakdown not in BY_NAME[s.facet].left_out_of)


def _bits_in(breakdown: str, value: str) -> dict[int, int]:
    """Returns the samples of each slice within a place, without slices that are always empty."""
    samples = _samples_of()
    within = -1
    if depends_on_traits(breakdown):
        index = INDEX.get(Slice(breakdown, value))
        within = samples[index] if index is not None else 0
    return {i: bits for i in slices_in(breakdown) if (bits := samples[i] & within)}


@lru_cache(maxsize=64)
def _within(breakdown: str, value: str) -> tuple[Relation, ...]:
    return tuple(_relations(_bits_in(breakdown, value)))


def relations_within(breakdown: str, value: str) -> tuple[Relation, ...]:
    """Returns the relations between the slices of one place.

    Args:
      breakdown: name of the breakdown.
      value: value of the breakdown. It matters only if the breakdown depends on the traits.
    """
    return _within(breakdown, value if depends_on_traits(breakdown) else ALL)


def _relations(bits: Mapping[int, int]) -> Iterator[Relation]:
    first_of: dict[int, int] = {}
    for index, samples in bits.items():
        first = first_of.setdefault(samples, index)
        if first != index:  # Two names of the same conversations.
            yield Relation(first, (index,), Sense.EQUAL)
    distinct = {index: samples for samples, index in first_of.items()}
    for total, samples in distinct.items():
        inside = {i: s for i, s in distinct.items() if i != total and s & samples == s}
        yield from _families(total, samples, bits)
        for part, of_part in inside.items():
            between = (s for i, s in inside.items() if i != part)
            if not any(s & of_part == of_part for s in between):
                yield Relation(total, (part,), Sense.AT_MOST)


def _families(total: int, samples: int, bits: Mapping[int, int]) -> Iterator[Relation]:
    """Yields, for each facet, the relation between a total and the facet's values within it."""
    for facet in FACETS:
        family = {
            i: bits[i]
            for i in slices_of_facet(facet.name)
            if i in bits and bits[i] & samples == bits[i] != samples
        }
        if len(family) < 2:
            continue
        union = overlap = 0
        for of_part in family.values():
            overlap |= union & of_part
            union |= of_part
        parts = tuple(family)
        if not overlap:
            yield Relation(total, parts, Sense.EQUAL if union == samples else Sense.AT_MOST)
        elif union == samples:
            outermost = {bits[i]: i for i in parts if not any(
                bits[i] != bits[j] and bits[i] & bits[j] == bits[i] for j in parts)}  # fmt: skip
            yield Relation(total, tuple(outermost.values()), Sense.COVER)


@lru_cache(maxsize=16)
def whole_of(breakdown: str) -> Mapping[int, Member]:
    """Returns, for each slice, the cell that equals its sum over all values of a breakdown.

    That cell is in `overall` or in a breakdown that depends on the traits.
    """
    if breakdown == OVERALL:
        return {}
    cells = ((index, cell_of(index)) for index in slices_in(breakdown))
    return {i: cell for i, cell in cells if cell is not None and cell.breakdown != breakdown}


@lru_cache(maxsize=len(SLICES))
def cell_of(index: int) -> Member | None:
    """Returns the cell with all conversations of a slice, from whatever breakdown has it."""
    wanted = _samples_of()[index]
    return next((member for member, bits in _whole_cells() if bits == wanted), None)


@lru_cache(maxsize=1)
def _whole_cells() -> tuple[tuple[Member, int], ...]:
    """Returns the cells that do not depend on what events state, with their samples."""
    found = [(Member(OVERALL, ALL, i), bits) for i, bits in _bits_in(OVERALL, ALL).items()]
    for name in (facet.name for facet in FACETS if depends_on_traits(facet.name)):
        for value in BY_NAME[name].values:
            found += [(Member(name, value, i), b) for i, b in _bits_in(name, value).items()]
    return tuple(found)


@lru_cache(maxsize=1)
def relations_across() -> tuple[AcrossRelation, ...]:
    """Returns which cells of `overall` are sums of cells of another breakdown.

    The breakdowns are those that divide conversations as a facet does, such as `length`. Leaves out
    a sum of one slice over all values of the breakdown if `whole_of` already returns it.
    """
    found: dict[tuple[int, tuple[int, ...]], AcrossRelation] = {}
    for facet in FACETS:
        if depends_on_traits(facet.name):
            places = {v: _bits_in(facet.name, v) for v in facet.values}
            for total, samples in _bits_in(OVERALL, ALL).items():
                for index in slices_in(facet.name):
                    parts = {
                        Member(facet.name, v, index): bits[index]
                        for v, bits in places.items()
                        if bits.get(index, 0) and bits[index] & samples == bits[index]
                    }
                    union = 0
                    for bits_of_part in parts.values():
                        union |= bits_of_part
                    if union == samples and total != index:
                        relation = AcrossRelation(Member(OVERALL, ALL, total), tuple(parts))
                        found.setdefault((total, tuple(parts.values())), relation)
    return tuple(found.values())

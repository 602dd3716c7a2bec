"""Tests of the relations that are derived from the facets."""

from __future__ import annotations

import pytest

from schemas.labels import NO_TYPE, TYPES
from tests.published_timelines import timeline
from transforms.counting.cells import BREAKDOWN_IDS, BREAKDOWN_NAMES, NOTHING
from transforms.counting.places import Cells, Place, WindowCounts
from transforms.facets.facet import ALL
from transforms.facets.lengths import LENGTHS
from transforms.facets.registry import INDEX, SLICES, Slice
from transforms.publishing.relations import (
    Member,
    Relation,
    Sense,
    depends_on_traits,
    possible_traits,
    relations_across,
    relations_within,
    whole_of,
)

ENDS = (*TYPES, NO_TYPE)


def index(facet: str, value: str) -> int:
    """Returns the index of a slice."""
    return INDEX[Slice(facet, value)]


def every_value(facet: str) -> tuple[int, ...]:
    """Returns the indexes of a facet's slices."""
    return tuple(i for i, s in enumerate(SLICES) if s.facet == facet)


@pytest.mark.parametrize(
    ("total", "parts"),
    [
        (index("all", ALL), every_value("use")),
        (index("all", ALL), every_value("length")),
        (index("all", ALL), every_value("drift")),
        (index("long", ALL), every_value("drift_long")),
        (
            index("drift_headline", "coaching_or_counseling"),
            (index("opening", "coaching"), index("opening", "counseling")),
        ),
        (index("opening", "coaching"), tuple(index("drift", f"coaching>{t}") for t in ENDS)),
        (index("long", ALL), tuple(index("length", n) for n in LENGTHS[7:])),
        (index("sentiment", ALL), tuple(index("length", n) for n in LENGTHS[4:])),
    ],
)
def test_sums_within_a_place_are_found(total: int, parts: tuple[int, ...]) -> None:
    """Parts that add up by definition are found without being listed anywhere."""
    assert Relation(total, parts, Sense.EQUAL) in relations_within("country", "DE")


@pytest.mark.parametrize(
    ("larger", "smaller"),
    [
        (("use", "affective"), ("type", "coaching")),
        (("type", "coaching"), ("pushback", "coaching")),
        (("sentiment", "coaching"), ("long", "coaching")),
        (("pushback", ALL), ("pushback_reason", "sexual")),
        (("drift", "none>none"), ("drift_long", "none>none")),
        (("use", "affective"), ("opening", "companionship")),
    ],
)
def test_slices_within_slices_are_found(larger: tuple[str, str], smaller: tuple[str, str]) -> None:
    """A slice that lies within another by definition is found."""
    relation = Relation(index(*larger), (index(*smaller),), Sense.AT_MOST)
    assert relation in relations_within("country", "DE")


def test_long_lengths_add_up_to_long_conversations() -> None:
    """Cells of the breakdown length add up to slices of overall that length leaves out."""
    sums = {(r.total.slice_index, tuple((p.value, p.slice_index) for p in r.parts))
            for r in relations_across()}  # fmt: skip
    coaching = index("type", "coaching")
    parts = tuple((name, coaching) for name in LENGTHS[7:])
    assert (index("long", "coaching"), parts) in sums


def test_values_of_a_breakdown_add_up_to_a_cell() -> None:
    """Every slice of a stated breakdown has a cell elsewhere that its values add up to."""
    wholes = whole_of("country")
    assert set(wholes) == set(range(len(SLICES)))
    assert wholes[index("length", "2")] == ("length", "2", index("all", ALL))
    assert not whole_of("overall")


def test_only_length_depends_on_the_traits() -> None:
    """A breakdown that events state is not mistaken for one that follows from the messages."""
    assert [name for name in BREAKDOWN_IDS if depends_on_traits(name)] == ["length"]


def test_the_sample_is_large_and_always_the_same() -> None:
    """Equal samples give equal relations in every process."""
    assert possible_traits.__wrapped__() == possible_traits()
    assert len(set(possible_traits())) > 5_000


def test_relations_hold_on_a_simulated_day() -> None:
    """No relation between the cells of a window is contradicted by what is counted."""
    checked = 0
    for counts in timeline(seed=2, corrections=0).counts.values():
        for place, cells in counts.items():
            for relation in relations_within(BREAKDOWN_NAMES[place.breakdown], place.value):
                assert _holds(relation, cells), (place, relation)
                checked += 1
        for across in relations_across():
            whole, *parts = (_count(counts, member) for member in (across.total, *across.parts))
            assert whole == sum(parts)
    assert checked > 10_000


def _holds(relation: Relation, cells: Cells) -> bool:
    whole, *parts = (cells.get(i, NOTHING).conversations for i in (relation.total, *relation.parts))
    return {
        Sense.EQUAL: whole == sum(parts),
        Sense.AT_MOST: whole >= sum(parts),
        Sense.COVER: whole <= sum(parts),
    }[relation.sense]


def _count(counts: WindowCounts, member: Member) -> int:
    place = Place(BREAKDOWN_IDS[member.breakdown], member.value)
    return counts.get(place, {}).get(member.slice_index, NOTHING).conversations

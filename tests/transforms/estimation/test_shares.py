"""Tests which shares are published, and how each is corrected."""

from __future__ import annotations

import pytest

from schemas.labels import AFFECTIVE_TYPES, NO_TYPE, PUSHBACK_REASONS, PUSHBACK_TYPES, TYPES, USES
from tests.golden.ids import FACET_IDS
from transforms.estimation.shares import (
    BY_PARTS,
    COUNTED_AS_BREAKDOWN,
    PARTITIONS,
    SHARES,
    Share,
)
from transforms.facets.facet import Correction
from transforms.facets.lengths import LENGTHS
from transforms.facets.registry import FACETS, INDEX, Slice

ENDS = (*TYPES, NO_TYPE)


def share(part: tuple[str, str], whole: tuple[str, str]) -> Share:
    """Returns a published share by its part and its whole."""
    return SHARES[BY_PARTS[Slice(*part), Slice(*whole)]]


def test_every_measure_of_the_definitions_is_a_share() -> None:
    """Of the released facets, exactly the shares that docs/metrics.md defines are published."""
    everything, affective, long = ("all", "all"), ("use", "affective"), ("long", "all")
    wanted = {(("use", use), everything) for use in USES}
    wanted |= {(("type", name), everything) for name in TYPES}
    wanted |= {(("type", name), affective) for name in AFFECTIVE_TYPES}
    wanted |= {(("length", name), everything) for name in LENGTHS}
    for facet, types in (("long", TYPES), ("pushback", PUSHBACK_TYPES)):
        wanted |= {((facet, name), ("type", name)) for name in types}
        wanted |= {((facet, "all"), everything)}
    wanted |= {(("long", "affective"), affective)}
    wanted |= {(("long", name), long) for name in ("affective", *TYPES)}
    wanted |= {(("pushback_reason", name), ("pushback", "all")) for name in PUSHBACK_REASONS}
    for suffix, opened_among in (("", everything), ("_long", long)):
        drift, opening, headline = f"drift{suffix}", f"opening{suffix}", f"drift{suffix}_headline"
        wanted |= {((drift, f"{o}>{c}"), (opening, o)) for o in ENDS for c in ENDS}
        wanted |= {((opening, name), opened_among) for name in ENDS}
        wanted |= {((headline, "companionship"), (headline, "coaching_or_counseling"))}
    wanted |= {(("companionship_and_roleplay", "any"), everything)}
    published = [(s.part, s.whole) for s in SHARES if s.part.facet in FACET_IDS]
    assert set(published) == wanted
    assert len(published) == len(wanted)


@pytest.mark.parametrize(
    ("part", "whole", "correction", "rate"),
    [
        (("length", "2"), ("all", "all"), Correction.COUNTED, None),
        (("long", "all"), ("all", "all"), Correction.COUNTED, None),
        (("use", "affective"), ("all", "all"), Correction.DIRECT, ("use", "affective")),
        (("use", "work"), ("all", "all"), Correction.NONE, ("use", "work")),
        (("type", "coaching"), ("all", "all"), Correction.DIRECT, ("type", "coaching")),
        (("type", "coaching"), ("use", "affective"), Correction.QUOTIENT, ("type", "coaching")),
        (("long", "coaching"), ("type", "coaching"), Correction.INSIDE, None),
        (("long", "affective"), ("use", "affective"), Correction.INSIDE, None),
        (("long", "affective"), ("long", "all"), Correction.DIRECT, ("use", "affective")),
        (("long", "coaching"), ("long", "all"), Correction.DIRECT, ("type", "coaching")),
        (("pushback", "all"), ("all", "all"), Correction.DIRECT, ("pushback", "all")),
        (("pushback", "coaching"), ("type", "coaching"), Correction.INSIDE, ("pushback", "all")),
        (
            ("pushback_reason", "sexual"), ("pushback", "all"),
            Correction.QUOTIENT, ("pushback_reason", "sexual"),
        ),
        (("drift", "none>coaching"), ("opening", "none"), Correction.NONE, None),
        (
            ("companionship_and_roleplay", "any"), ("all", "all"), Correction.UNION, None,
        ),
    ],
)  # fmt: skip
def test_each_share_is_corrected_by_the_rates_of_what_is_classified(
    part: tuple[str, str],
    whole: tuple[str, str],
    correction: Correction,
    rate: tuple[str, str] | None,
) -> None:
    """What is counted is not corrected; a part is corrected by its rates, a whole by its own."""
    found = share(part, whole)
    assert (found.correction, found.rate) == (correction, rate)


def test_partitions_have_all_values_of_their_facet() -> None:
    """The uses, the lengths, the openings and the closings after each opening are partitions."""
    partitions = [{SHARES[index].part for index in columns} for columns in PARTITIONS]
    groups = [parts for parts in partitions if {part.facet for part in parts} <= FACET_IDS.keys()]
    assert {Slice("use", use) for use in USES} in groups
    assert {Slice("length", name) for name in LENGTHS} in groups
    assert {Slice("drift_long", f"coaching>{name}") for name in ENDS} in groups
    assert len(groups) == 2 + 2 * (1 + len(ENDS))


def test_parts_and_wholes_are_slices_and_wholes_differ() -> None:
    """Each part and whole is counted, and nothing is a share of itself."""
    for found in SHARES:
        assert {found.part, found.whole, *found.unites} <= set(INDEX)
        assert found.part != found.whole
    assert [facet.name for facet in COUNTED_AS_BREAKDOWN] == ["length"]


def test_every_facet_has_a_figure() -> None:
    """Each facet is a part, a whole, or has a mean."""
    named = {found.part.facet for found in SHARES} | {found.whole.facet for found in SHARES}
    assert named | {f.name for f in FACETS if f.sums_change} == {f.name for f in FACETS}

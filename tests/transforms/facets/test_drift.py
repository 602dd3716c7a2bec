"""Tests the facets around drift: openings, pairs and the headline, for all and for long ones."""

from __future__ import annotations

import pytest

from schemas.labels import NO_TYPE
from tests.builders import summary
from transforms.facets.facet import traits_of
from transforms.facets.registry import FACETS

AROUND_DRIFT = ("drift", "opening", "drift_headline")
AROUND_DRIFT_LONG = ("drift_long", "opening_long", "drift_long_headline")


def members(human_messages: int, opening: str, closing: str) -> dict[str, tuple[str, ...]]:
    """Returns the values of a conversation by facet."""
    found = summary(
        types=["coaching"],
        human_messages=human_messages,
        opening=opening if opening != NO_TYPE else None,
        closing=closing if closing != NO_TYPE else None,
    )
    return {facet.name: tuple(facet.members(traits_of(found))) for facet in FACETS}


@pytest.mark.parametrize(
    ("opening", "closing", "headline"),
    [
        ("coaching", "companionship", ("coaching_or_counseling", "companionship")),
        ("counseling", "companionship", ("coaching_or_counseling", "companionship")),
        ("counseling", "none", ("coaching_or_counseling",)),
        ("companionship", "companionship", ()),
        ("none", "coaching", ()),
    ],
)
def test_the_headline_is_part_of_what_opened(
    opening: str, closing: str, headline: tuple[str, ...]
) -> None:
    """A turn to companionship is also counted among the openings that it is a share of."""
    found = members(60, opening, closing)
    wanted = ((f"{opening}>{closing}",), (opening,), headline)
    assert tuple(found[name] for name in AROUND_DRIFT) == wanted
    assert tuple(found[name] for name in AROUND_DRIFT_LONG) == wanted


def test_short_conversations_are_not_among_the_long() -> None:
    """Fifty messages are not long."""
    found = members(50, "coaching", "companionship")
    assert all(found[name] for name in AROUND_DRIFT)
    assert not any(found[name] for name in AROUND_DRIFT_LONG)


@pytest.mark.parametrize(
    ("types", "is_member"),
    [
        (["companionship"], True),
        (["coaching", "roleplay"], True),
        (["companionship", "romantic_roleplay"], True),
        (["coaching"], False),
        ([], False),
    ],
)
def test_companionship_and_roleplay_count_once(types: list[str], is_member: bool) -> None:
    """A conversation of several of the three types is counted once."""
    (facet,) = (facet for facet in FACETS if facet.name == "companionship_and_roleplay")
    assert tuple(facet.members(traits_of(summary(types=types)))) == ("any",) * is_member

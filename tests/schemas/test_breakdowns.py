"""Tests the list of breakdowns."""

from __future__ import annotations

from schemas.breakdowns import ATTRIBUTES, BREAKDOWNS
from tests.golden.ids import BREAKDOWN_IDS


def test_ids_are_those_of_stored_state() -> None:
    """An id never changes and is never reused."""
    ids = {b.name: b.id for b in BREAKDOWNS}
    assert BREAKDOWN_IDS.items() <= ids.items()
    assert len({*ids.values()}) == len(ids) == len(BREAKDOWNS)


def test_every_breakdown_is_described() -> None:
    """Each breakdown has a sentence for the catalogue and a label for the report."""
    assert all(b.meaning.endswith(".") and b.label for b in BREAKDOWNS)


def test_events_state_the_breakdowns_that_have_a_kind() -> None:
    """Events state every breakdown except those computed from the conversation."""
    assert {b.name for b in BREAKDOWNS} - {*ATTRIBUTES} == {"overall", "length"}

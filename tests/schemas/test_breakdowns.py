"""The list of breakdowns, and that all of the wire follows it."""

from __future__ import annotations

from schemas.breakdowns import ATTRIBUTES, BREAKDOWNS


def test_ids_are_those_of_stored_state() -> None:
    """An id never changes and is never given to another breakdown."""
    ids = {b.name: b.id for b in BREAKDOWNS}
    first = ("overall", "platform", "country", "language", "plan", "model", "length")
    assert [ids[name] for name in first] == [*range(7)]
    assert len({*ids.values()}) == len(ids) == len(BREAKDOWNS)


def test_every_breakdown_is_described() -> None:
    """Each has a sentence for the catalogue and a label for the report."""
    assert all(b.meaning.endswith(".") and b.label for b in BREAKDOWNS)


def test_events_state_what_has_a_kind() -> None:
    """An event states every breakdown but those that are worked out from the conversation."""
    assert {b.name for b in BREAKDOWNS} - {*ATTRIBUTES} == {"overall", "length"}

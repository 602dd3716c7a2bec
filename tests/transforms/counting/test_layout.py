"""Tests that stored totals and states name what they contain, and refuse unknown names."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from schemas.breakdowns import ATTRIBUTES
from tests.builders import MONDAY_US, scored, summary
from tests.counted import ranked, totals_of
from transforms.conversation.history import ConversationHistory
from transforms.conversation.layout import STATED_IDS
from transforms.conversation.state import ConversationState
from transforms.counting.register import DayRegister
from transforms.counting.running import RunningPlace
from transforms.counting.totals import PlaceChange, whole_day
from transforms.counting.user_day import UserDay
from transforms.facets.registry import SLICE_KEYS


def changed(encoded: bytes, place: int, value: Any) -> bytes:
    """Returns MessagePack bytes of an array with one element replaced."""
    parts = msgspec.msgpack.decode(encoded)
    parts[place] = value
    return msgspec.msgpack.encode(parts)


def change_of() -> PlaceChange:
    """Returns the change that one conversation makes to all conversations of a day."""
    places = totals_of(ranked(summary(types=["coaching"]))).by_place(MONDAY_US)
    return PlaceChange(places[whole_day(MONDAY_US)])


def test_changes_name_their_slices() -> None:
    """The bytes name each slice by the id of its facet and its value."""
    rows = msgspec.msgpack.decode(change_of().encode())[2]
    assert [2, "coaching"] in [row[:2] for row in rows]
    assert {tuple(row[:2]) for row in rows} <= set(SLICE_KEYS)


@pytest.mark.parametrize("key", [[99, "all"], [2, "friendship"]])
def test_changes_of_an_unknown_facet_are_refused(key: list[Any]) -> None:
    """A facet or value that this version does not know is refused, not misread."""
    encoded = change_of().encode()
    first, *rows = msgspec.msgpack.decode(encoded)[2]
    with pytest.raises(ValueError, match="which this version does not have"):
        PlaceChange.decode(changed(encoded, 2, [[*key, *first[2:]], *rows]))


@pytest.mark.parametrize(
    "state", [PlaceChange(), DayRegister(), RunningPlace()], ids=["change", "register", "place"]
)
def test_another_layout_of_totals_is_refused(state: Any) -> None:
    """Totals of another layout are refused with the way out."""
    with pytest.raises(ValueError, match=r"version 99.*start a new job and backfill"):
        type(state).decode(changed(state.encode(), 0, 99))


@pytest.mark.parametrize(
    ("state", "place"),
    [(UserDay(), 1), (ConversationHistory(), 1), (ConversationState.of([scored()]), 10)],
    ids=["user day", "history", "conversation"],
)
def test_a_state_with_other_breakdowns_is_refused(state: Any, place: int) -> None:
    """State from before a breakdown was added is refused, not misread."""
    encoded = state.encode()
    assert msgspec.msgpack.decode(encoded)[place] == list(STATED_IDS)
    with pytest.raises(ValueError, match="start a new job and backfill"):
        type(state).decode(changed(encoded, place, [*STATED_IDS, 7]))
    with pytest.raises(ValueError, match="version 99"):
        type(state).decode(changed(encoded, 0, 99))


def test_stated_ids_follow_the_attributes() -> None:
    """There is exactly one breakdown id for each attribute of a state."""
    assert len(STATED_IDS) == len(set(STATED_IDS)) == len(ATTRIBUTES)
    assert ConversationState.decode(
        ConversationState.of([scored()]).encode()
    ) == ConversationState.of([scored()])

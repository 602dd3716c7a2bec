"""Tests that stored totals and states name what they contain, and refuse unknown names."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from schemas.breakdowns import ATTRIBUTES
from tests.builders import scored, summary
from transforms.conversation.history import ConversationHistory
from transforms.conversation.layout import STATED_IDS
from transforms.conversation.state import ConversationState
from transforms.counting.totals import DayTotals, totals_of
from transforms.counting.user_day import UserDay
from transforms.facets.registry import SLICE_KEYS


def changed(encoded: bytes, place: int, value: Any) -> bytes:
    """Returns MessagePack bytes of an array with one element replaced."""
    parts = msgspec.msgpack.decode(encoded)
    parts[place] = value
    return msgspec.msgpack.encode(parts)


def test_totals_name_their_slices() -> None:
    """The bytes name each slice once, by the id of its facet and its value."""
    encoded = totals_of([summary(types=["coaching"])]).encode()
    _, keys, _ = msgspec.msgpack.decode(encoded)
    assert [2, "coaching"] in keys
    assert {tuple(key) for key in keys} <= set(SLICE_KEYS)


@pytest.mark.parametrize("key", [[99, "all"], [2, "friendship"]])
def test_totals_of_an_unknown_facet_are_refused(key: list[Any]) -> None:
    """A facet or value that this version does not know is refused, not misread."""
    encoded = totals_of([summary()]).encode()
    keys = msgspec.msgpack.decode(encoded)[1]
    with pytest.raises(ValueError, match="which this version does not have"):
        DayTotals.decode(changed(encoded, 1, [key, *keys[1:]]))


def test_totals_of_an_unknown_breakdown_are_refused() -> None:
    """The id of an unknown breakdown is refused."""
    encoded = totals_of([summary()]).encode()
    (hour, _, *rest), *rows = msgspec.msgpack.decode(encoded)[2]
    with pytest.raises(ValueError, match="breakdown 99, which this version does not have"):
        DayTotals.decode(changed(encoded, 2, [[hour, 99, *rest], *rows]))


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

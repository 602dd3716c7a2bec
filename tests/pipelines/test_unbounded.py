"""Timelines: however events arrive, the stream's tables end up as in the batch run."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from tests.pipelines.running import EXACT, chunk, run_bounded, run_unbounded
from tests.pipelines.timelines import (
    DAY_S,
    HOUR_S,
    START_S,
    conversations,
    ends_as_batch,
    said,
)


def test_messages_on_time() -> None:
    """Two conversations that arrive in order are counted once each."""
    cells = ends_as_batch([[said("1", 0)], [said("2", 60), said("3", 90, "d")], 2 * DAY_S])
    assert conversations(cells, "all", "all") == 2


def test_growth_revises_what_was_published() -> None:
    """A growing conversation moves from the cell of its old length to that of its new length."""
    cells = ends_as_batch([[said(str(i), 60 * i)] for i in range(5)])
    lengths = {c[3]: n[0] for c, n in cells.items() if c[1:3] == ("day", "length")}
    assert lengths == {"4-5": 1}


def test_growth_past_fifty_after_the_first_publication() -> None:
    """The 51st human message makes a published conversation long; the 50th does not."""
    first = [said(str(i), i) for i in range(49)]
    at_fifty = ends_as_batch([first, [said("49", 49)]])
    assert conversations(at_fifty, "long", "all") == 0
    at_fifty_one = ends_as_batch([first, [said("49", 49)], [said("50", 50)]])
    assert conversations(at_fifty_one, "long", "all") == 1


def test_late_message_behind_the_watermark() -> None:
    """A message that is behind the watermark but within the allowed lateness is counted."""
    late = said("late", 30, published_at_us=(START_S + 40 * HOUR_S) * 1_000_000)
    cells = ends_as_batch([[said("1", 0)], 40 * HOUR_S, [late]])
    assert {c[3] for c in cells if c[1:3] == ("day", "length")} == {"2"}


def test_too_late_message_is_accounted_for() -> None:
    """A message published after the allowed lateness changes no cell and has its own account."""
    too_late = said("late", 30, published_at_us=(START_S + 30 + 49 * HOUR_S) * 1_000_000)
    result = run_unbounded([[said("1", 0)], START_S + 50 * HOUR_S, [too_late]])
    assert result.cells() == run_bounded([chunk([said("1", 0)])]).cells()
    assert result.accounts()["late", ""] == 1
    assert [letter.reason for letter in result.dead_letters] == ["late"]


def test_gap_begins_a_new_conversation() -> None:
    """A message more than the gap after the last one begins a new conversation.

    A message at exactly the gap does not.
    """
    gap = int(EXACT.session_gap.total_seconds())
    same = ends_as_batch([[said("1", 0)], [said("2", gap)]])
    assert sum(n[0] for c, n in same.items() if c[1:5] == ("day", "overall", "all", "all")) == 1
    other = ends_as_batch([[said("1", 0)], [said("2", gap + 1e-6)]])
    assert sum(n[0] for c, n in other.items() if c[1:5] == ("day", "overall", "all", "all")) == 2


def test_late_message_merges_two_published_conversations() -> None:
    """A late event joins the conversations before and after it; a duplicate changes nothing."""
    bridge = said("2", 20 * HOUR_S, published_at_us=(START_S + 41 * HOUR_S) * 1_000_000)
    cells = ends_as_batch(
        [[said("1", 0)], [said("3", 40 * HOUR_S)], 40 * HOUR_S, [bridge], [bridge], 90 * HOUR_S]
    )
    assert {c[3]: n[0] for c, n in cells.items() if c[1:3] == ("day", "length")} == {"3": 1}


def test_changing_type_moves_the_user() -> None:
    """If a user's only coaching conversation changes its type, the user leaves that cell."""
    timeline: list[list[dict[str, Any]] | int] = [
        [said("1", 60, kind="coaching")],
        [said("2", 10, kind="technical"), said("3", 20, kind="technical")],
        [said("4", 90, kind="technical"), said("5", 95, kind="technical")],
    ]
    assert conversations(ends_as_batch(timeline), "type", "coaching") == 0


def test_conversations_without_a_user() -> None:
    """Conversations without a user are counted, in the stream and in the batch run."""
    cells = ends_as_batch([[said("1", 0, user_id=None)], [said("2", 5, "d", user_id=None)]])
    day = (START_S * 1_000_000, "day", "overall", "all", "all", "all")
    assert cells[day][:2] == (2, 0)


def contradicted(event: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """Returns a copy of an event that contradicts the original."""
    at_us = event["sent_at_us"] + chance.randrange(-20, 20) * HOUR_S * 1_000_000
    changes: list[dict[str, Any]] = [
        {"sent_at_us": at_us, "published_at_us": at_us}, {"role": "ASSISTANT"},
        {"text": "label:counseling:2"}, {"user_id": "another"}, {"platform": "android"},
    ]  # fmt: skip
    return {**event, **chance.choice(changes), **chance.choice(changes)}


@pytest.mark.parametrize("seed", range(4))
def test_any_arrival_ends_as_the_batch(seed: int) -> None:
    """Random events that are reordered, repeated or contradicted end up as in the batch run."""
    chance = random.Random(seed)
    kinds = ("coaching", "counseling", "companionship", "roleplay", "technical", "work")
    events = [
        said(
            f"{c}-{i}", chance.randrange(4 * HOUR_S) + 26 * HOUR_S * chance.randrange(2), f"c{c}",
            chance.choice(kinds), user_id=f"u{c % 3}", platform=chance.choice(["web", "ios", None]),
        )
        for c in range(5)
        for i in range(chance.randrange(1, 9))
    ]  # fmt: skip
    arriving = events + chance.sample(events, len(events) // 3)
    arriving += [contradicted(event, chance) for event in chance.sample(events, len(events) // 3)]
    chance.shuffle(arriving)
    cuts = sorted(chance.sample(range(1, len(arriving)), 4))
    parts = [arriving[a:b] for a, b in zip([0, *cuts], [*cuts, len(arriving)], strict=True)]
    ends_as_batch([*parts[:3], 30 * HOUR_S, *parts[3:]])


@pytest.mark.parametrize("first", ["HUMAN", "ASSISTANT"])
def test_an_event_of_two_roles_is_one_human_message(first: str) -> None:
    """If an event arrives with two roles, the copy that comes second is a duplicate."""
    copies = [said("1", 0, role=role) for role in ("HUMAN", "ASSISTANT")]
    if first == "ASSISTANT":
        copies.reverse()
    result = run_unbounded([[copy] for copy in copies])
    assert (
        result.cells()
        == run_bounded([chunk(copies)]).cells()
        == run_bounded([chunk([said("1", 0)])]).cells()
    )
    assert result.accounts() == {
        ("read", ""): 2, ("counted", ""): 1, ("duplicate", ""): 1,
        ("conversation", ""): 1, ("tallied", ""): 1,
    }  # fmt: skip


def test_a_copy_at_another_time_is_one_message_and_extends_the_conversation() -> None:
    """A copy dated 20 hours later joins the messages at 0 and 40 hours into one conversation.

    The message and its copy count once.
    """
    events = [said("1", 0), said("2", 40 * HOUR_S)]
    assert run_unbounded([events]).accounts()["conversation", ""] == 2
    for timeline in ([*events, said("1", 20 * HOUR_S)], [said("1", 20 * HOUR_S), *events]):
        steps = [[event] for event in timeline]
        ends_as_batch(steps)
        assert run_unbounded(steps).accounts() == {
            ("read", ""): 3, ("counted", ""): 2, ("duplicate", ""): 1,
            ("conversation", ""): 1, ("tallied", ""): 1,
        }  # fmt: skip


def test_a_copy_beyond_the_gap_is_a_message_of_another_conversation() -> None:
    """A copy with a time two days later counts in a conversation of its own."""
    steps = [[said("1", 0)], [said("1", 48 * HOUR_S)]]
    ends_as_batch(steps)
    assert run_unbounded(steps).accounts()["counted", ""] == 2


@pytest.mark.parametrize("seed", range(4))
def test_users_over_the_limit_end_as_the_batch(seed: int) -> None:
    """However conversations arrive, merge or move, the same two are counted for each user."""
    chance = random.Random(seed)
    kinds = ("coaching", "companionship", "technical", "work")
    events = [
        said(
            f"{c}-{i}", chance.randrange(4 * HOUR_S) + 23 * HOUR_S * chance.randrange(3), f"c{c}",
            chance.choice(kinds), user_id=chance.choice([None, *[f"u{c % 2}"] * 5, "guest"]),
        )
        for c in range(12)
        for i in range(chance.randrange(1, 4))
    ]  # fmt: skip
    chance.shuffle(events)
    cuts = sorted(chance.sample(range(1, len(events)), 4))
    parts = [events[a:b] for a, b in zip([0, *cuts], [*cuts, len(events)], strict=True)]
    limited = replace(EXACT, max_conversations_per_user=2)
    cells = ends_as_batch(parts, limited)
    assert cells != run_bounded([chunk(events)]).cells()

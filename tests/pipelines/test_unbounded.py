"""Timelines: however events arrive at the stream, its tables end as the batch run's."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any

import pytest
from apache_beam.io.gcp.pubsub import PubsubMessage
from apache_beam.testing import test_stream

from pipelines.settings import Settings, wall_clock_us
from pipelines.sources.pubsub import chunks_of_messages
from schemas.breakdowns import ATTRIBUTES
from schemas.records import Encoding, LedgerTotal, PayloadChunk
from tests.pipelines.running import (
    EXACT,
    FIRING_S,
    Result,
    chunk,
    run_bounded,
    run_stream,
    run_unbounded,
    stopped_at,
)
from tests.schemas.payloads import encoded
from transforms.counting.cells import day_of
from transforms.counting.ledger import imbalance

HOUR_S = 3600
DAY_S = 24 * HOUR_S
START_S = 1_767_225_600  # 2026-01-01T00:00:00Z


def said(
    event: str, at_s: float, conversation: str = "c", kind: str = "coaching", **fields: Any
) -> dict[str, Any]:
    """Returns the event of a labelled human message, `at_s` seconds into the timeline."""
    at_us = round((START_S + at_s) * 1_000_000)
    return {
        "event_id": event,
        "conversation_id": conversation,
        "user_id": f"user of {conversation}",
        "role": "HUMAN",
        "text": f"label:{kind}:0",
        "sent_at_us": at_us,
        "published_at_us": at_us,
        "schema_version": 1,
        **dict.fromkeys(ATTRIBUTES),
        **fields,
    }


def received(event: dict[str, Any], at_s: float, **attributes: str) -> PayloadChunk:
    """Returns an event as Pub/Sub hands it over, published `at_s` seconds into the timeline."""
    data = encoded(Encoding.PROTOBUF, **event)
    published_at = datetime.fromtimestamp(START_S, UTC) + timedelta(seconds=at_s)
    return next(
        chunks_of_messages([PubsubMessage(data, attributes, publish_time=published_at)], "s")
    )


def original_publish_time(at_s: float) -> dict[str, str]:
    """Returns the attribute of an event that claims to be published first at that time."""
    return {"original-publish-time": str(round((START_S + at_s) * 1_000_000))}


def ends_as_batch(
    timeline: Sequence[list[dict[str, Any]] | int], settings: Settings = EXACT
) -> dict[tuple[Any, ...], Any]:
    """Runs a timeline both ways, asserts that cells and ledger agree, and returns the cells."""
    steps = [step if isinstance(step, list) else START_S + step for step in timeline]
    streamed = run_unbounded(steps, settings)
    batch = run_bounded([chunk(step) for step in timeline if isinstance(step, list)], settings)
    assert streamed.cells() == batch.cells()
    assert streamed.cells()
    assert streamed.accounts() == batch.accounts()
    return streamed.cells()


def conversations(cells: dict[tuple[Any, ...], Any], facet: str, value: str) -> int:
    """Returns the conversations of a facet on the first day, overall."""
    cell = (START_S * 1_000_000, "day", "overall", "all", facet, value)
    return int(cells.get(cell, (0,))[0])


def test_messages_on_time() -> None:
    """Two conversations that arrive in order are counted once each."""
    cells = ends_as_batch([[said("1", 0)], [said("2", 60), said("3", 90, "d")], 2 * DAY_S])
    assert conversations(cells, "all", "all") == 2


def test_growth_revises_what_was_published() -> None:
    """A conversation that grows leaves the shorter length's cell and enters the longer one's."""
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
    """A message behind the watermark but within the allowed lateness is counted."""
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
    """A message more than the gap after the last begins another; one exactly at it does not."""
    gap = int(EXACT.session_gap.total_seconds())
    same = ends_as_batch([[said("1", 0)], [said("2", gap)]])
    assert sum(n[0] for c, n in same.items() if c[1:5] == ("day", "overall", "all", "all")) == 1
    other = ends_as_batch([[said("1", 0)], [said("2", gap + 1e-6)]])
    assert sum(n[0] for c, n in other.items() if c[1:5] == ("day", "overall", "all", "all")) == 2


def test_late_message_merges_two_published_conversations() -> None:
    """A late event between two conversations makes them one, and a duplicate changes nothing."""
    bridge = said("2", 20 * HOUR_S, published_at_us=(START_S + 41 * HOUR_S) * 1_000_000)
    cells = ends_as_batch(
        [[said("1", 0)], [said("3", 40 * HOUR_S)], 40 * HOUR_S, [bridge], [bridge], 90 * HOUR_S]
    )
    assert {c[3]: n[0] for c, n in cells.items() if c[1:3] == ("day", "length")} == {"3": 1}


def test_changing_type_moves_the_user() -> None:
    """A user whose only coaching conversation turns out otherwise leaves that cell."""
    timeline: list[list[dict[str, Any]] | int] = [
        [said("1", 60, kind="coaching")],
        [said("2", 10, kind="technical"), said("3", 20, kind="technical")],
        [said("4", 90, kind="technical"), said("5", 95, kind="technical")],
    ]
    assert conversations(ends_as_batch(timeline), "type", "coaching") == 0


def test_conversations_without_a_user() -> None:
    """Conversations of no user are counted, without a user, on both roads."""
    cells = ends_as_batch([[said("1", 0, user_id=None)], [said("2", 5, "d", user_id=None)]])
    day = (START_S * 1_000_000, "day", "overall", "all", "all", "all")
    assert cells[day][:2] == (2, 0)


def contradicted(event: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """Returns a copy of an event that says something else of itself."""
    at_us = event["sent_at_us"] + chance.randrange(-20, 20) * HOUR_S * 1_000_000
    changes: list[dict[str, Any]] = [
        {"sent_at_us": at_us, "published_at_us": at_us}, {"role": "ASSISTANT"},
        {"text": "label:counseling:2"}, {"user_id": "another"}, {"platform": "android"},
    ]  # fmt: skip
    return {**event, **chance.choice(changes), **chance.choice(changes)}


@pytest.mark.parametrize("seed", range(4))
def test_any_arrival_ends_as_the_batch(seed: int) -> None:
    """Random events in random order, repeated, contradicted and split, end as the batch run."""
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
    """Either copy may come first; the other one is a duplicate."""
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
    """A retry with a time 20 hours later joins a message 40 hours later, and counts once."""
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
    """A retry with a time two days later counts in a conversation of its own."""
    steps = [[said("1", 0)], [said("1", 48 * HOUR_S)]]
    ends_as_batch(steps)
    assert run_unbounded(steps).accounts()["counted", ""] == 2


@pytest.mark.parametrize("seed", range(4))
def test_users_over_the_limit_end_as_the_batch(seed: int) -> None:
    """However conversations of few users arrive, merge and move, the same two of a user count."""
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


def test_conversations_over_the_limit_are_in_the_ledger() -> None:
    """Of a shared user the limit counts; the rest is counted by day, and those of nobody count."""
    shared = [said(f"s{i}", 60 * i, f"s{i}", user_id="guest") for i in range(7)]
    nobody = [said(f"n{i}", 60 * i, f"n{i}", user_id=None) for i in range(5)]
    limited = replace(EXACT, max_conversations_per_user=3)
    result = run_unbounded([shared, nobody], limited)
    assert result.accounts() == {
        ("read", ""): 12, ("counted", ""): 12,
        ("conversation", ""): 12, ("tallied", ""): 8, ("over_user_limit", "2026-01-01"): 4,
    }  # fmt: skip
    assert result.accounts() == run_bounded([chunk([*shared, *nobody])], limited).accounts()
    assert result.cells()[START_S * 1_000_000, "day", "overall", "all", "all", "all"][:2] == (8, 1)
    assert imbalance(last_revision(result)) is None


def one_of_every_fate() -> list[dict[str, Any]]:
    """Returns events of every account: among them a conversation too long to hold each message."""
    days_later = said("late", 0, published_at_us=(START_S + 3 * DAY_S) * 1_000_000)
    refused = [said("r1", 1, role="ROBOT"), said("r2", 2, role="ROBOT"), said("", 3)]
    system = said("s", 9, role="SYSTEM")
    long = [said(f"l{i}", i, "long") for i in range(300)]
    return [said("1", 0), said("1", 0), said("2", 5), said("3", 5, "d"), days_later,
            *refused, system, *long, long[7]]  # fmt: skip


def test_every_account_of_the_ledger_ends_as_the_batch_run_s() -> None:
    """Each fate, conversation and tallying is counted once, by reason, however it arrives."""
    events = one_of_every_fate()
    steps = [events[:100], events[50:], events[:2]]
    streamed = run_unbounded(steps)
    assert streamed.accounts() == {
        ("read", ""): 100 + 260 + 2, ("counted", ""): 3 + 256, ("duplicate", ""): 3,
        ("sampled", ""): 91 + 260 - 256, ("system_turn", ""): 1, ("late", ""): 1,
        ("dead_letter", "invalid_role"): 2, ("dead_letter", "missing_event_id"): 1,
        ("conversation", ""): 3, ("tallied", ""): 3,
    }  # fmt: skip
    assert streamed.accounts() == run_bounded([chunk(step) for step in steps]).accounts()


def last_revision(result: Result) -> list[LedgerTotal]:
    """Returns the totals under the largest revision."""
    newest = max(total.revision for total in result.ledger)
    return [total for total in result.ledger if total.revision == newest]


def test_the_last_revision_of_a_run_is_its_whole_ledger() -> None:
    """Every account met so far stands once in the last revision, and all are of one run."""
    events = one_of_every_fate()
    clocked = replace(EXACT, clock=wall_clock_us)
    result = run_unbounded([events[:5], events[5:]], clocked)
    assert {total.run for total in result.ledger} == {EXACT.revision}
    assert len({total.revision for total in result.ledger}) > 1
    last = [(total.account, total.reason) for total in last_revision(result)]
    assert sorted(last) == sorted({(t.account, t.reason) for t in result.ledger})
    assert imbalance(last_revision(result)) is None


def told(result: Result) -> list[tuple[str, int]]:
    """Returns the conversations told of as grown long, with the messages that they had by then."""
    return sorted((g.conversation, g.human_messages) for g in result.grown_long)


def hashed(conversation: str) -> str:
    """Returns the hash under which a conversation is told of."""
    return blake2b(conversation.encode(), digest_size=16).hexdigest()


def test_a_conversation_that_grows_long_is_told_at_the_next_firing() -> None:
    """A firing period after the 51st message came it is told of, and not before."""
    stream = test_stream.TestStream()
    stream.add_elements([chunk([said(str(i), i) for i in range(50)])])
    stream.advance_processing_time(4 * FIRING_S)
    stream.add_elements([chunk([said("50", 50)])])
    for seconds in (FIRING_S - 1, 1):
        stream.advance_processing_time(seconds).add_elements([chunk([])])
    stream.advance_watermark_to_infinity()
    order = [name for name in run_stream(stream).order if name in ("payloads", "grown_long")]
    assert order == [*["payloads"] * 3, "grown_long", "payloads"]


def test_a_conversation_that_grows_long_is_told_once() -> None:
    """Not by more messages, by an earlier one or by the same ones; 50 do not tell."""
    events = [said(str(i), 60 - i) for i in range(53)]
    short = [said(f"s{i}", i, "short") for i in range(50)]
    other = [said(f"o{i}", i, "other") for i in range(60)]
    result = run_unbounded(
        [events[:50] + short, events[50:51], events[50:51], events[51:] + short, other, events]
    )
    assert told(result) == sorted([(hashed("c"), 51), (hashed("other"), 60)])


@pytest.mark.parametrize(("each", "in_all"), [(25, [51]), (51, [51, 51])])
def test_a_bridge_between_two_conversations(each: int, in_all: list[int]) -> None:
    """Two that are long only together are told of once; two that were told of, not again."""
    first = [said(f"a{i}", i) for i in range(each)]
    second = [said(f"b{i}", 40 * HOUR_S + i) for i in range(each)]
    bridge = said("bridge", 20 * HOUR_S)
    result = run_unbounded([first, second, [bridge], [bridge]])
    assert told(result) == [(hashed("c"), messages) for messages in in_all]
    assert result.accounts() == {
        ("read", ""): 2 * each + 2, ("counted", ""): 2 * each + 1, ("duplicate", ""): 1,
        ("conversation", ""): 1, ("tallied", ""): 1,
    }  # fmt: skip


def open_at_drain(result: Result) -> dict[str, int]:
    """Returns the conversations open at the end, by day."""
    return {day: n for (account, day), n in result.accounts().items() if account == "open_at_drain"}


def test_a_drain_counts_the_conversations_that_are_open() -> None:
    """By the day they started; what the gap has closed by the clock is not among them."""
    gap = int(EXACT.session_gap.total_seconds())
    now_s = DAY_S + 3 * HOUR_S
    events = [said("1", DAY_S - 60), said("2", DAY_S + 60), said("3", DAY_S, "d"),
              said("4", now_s - gap, "closed"), said("5", now_s - gap + 1, "e")]  # fmt: skip
    now = stopped_at((START_S + now_s) * 1_000_000)
    result = run_unbounded([events], replace(EXACT, clock=now))
    assert open_at_drain(result) == {"2026-01-01": 2, "2026-01-02": 1}
    assert open_at_drain(run_unbounded([events])) == {}


def test_a_drain_takes_in_what_has_not_fired() -> None:
    """What came in the last firing period joins what was published, and is open once."""
    first, last = [said("1", 0), said("2", 5, "d")], [said("3", 10), said("4", 15, "e")]
    stream = test_stream.TestStream().add_elements([chunk(first)])
    for _ in range(4):
        stream.advance_processing_time(FIRING_S)
    stream.add_elements([chunk(last)]).advance_watermark_to_infinity()
    drained = run_stream(stream, replace(EXACT, clock=stopped_at((START_S + 20) * 1_000_000)))
    batch = run_bounded([chunk([*first, *last])])
    assert drained.cells() == batch.cells()
    assert drained.accounts() == batch.accounts() | {("open_at_drain", "2026-01-01"): 3}


def test_a_day_past_its_life_changes_no_more() -> None:
    """What comes for it then writes no row, and the ledger says how many conversations it was."""
    days = EXACT.firings.conversation_life.days + 2
    old, new = said("2", 60, "d"), said("3", days * DAY_S, "e")
    before = run_unbounded([[said("1", 0)]])
    result = run_unbounded([[said("1", 0)], START_S + days * DAY_S, [old, new]])
    assert result.accounts()["past_life", "2026-01-01"] == 1
    assert imbalance(last_revision(result)) is None
    of_the_day = [r for r in result.rows if day_of(r.window_start_us) == START_S * 1_000_000]
    assert of_the_day == before.rows
    assert len(result.rows) == 2 * len(of_the_day)


def test_an_event_that_claims_a_future_publish_time_is_refused() -> None:
    """One of ten messages of a conversation says that it is published in 40 days, as it is said."""
    ahead_s = 40 * DAY_S
    timeline = [received(said(str(i), i * HOUR_S), i * HOUR_S) for i in range(9)]
    future = received(said("future", ahead_s), 3 * HOUR_S, **original_publish_time(ahead_s))
    result = run_unbounded([*timeline[:3], future, *timeline[3:]])
    assert result.accounts() == {
        ("read", ""): 10, ("counted", ""): 9, ("dead_letter", "from_the_future"): 1,
        ("conversation", ""): 1, ("tallied", ""): 1,
    }  # fmt: skip
    (letter,) = result.dead_letters
    assert letter.published_at_us == (START_S + 3 * HOUR_S) * 1_000_000


def test_revisions_of_a_closed_day_are_counted() -> None:
    """A conversation of a message every 14 hours grows long after its day is closed."""
    every_s = 14 * HOUR_S
    events = [said(str(i), i * every_s) for i in range(55)]
    closed_s = (EXACT.firings.conversation_life.days + 1) * DAY_S + HOUR_S
    assert 49 * every_s < closed_s < 50 * every_s  # The 51st message comes later.
    after = [received(events[i], i * every_s) for i in range(50, 55)]
    result = run_unbounded([events[:50], START_S + closed_s, *after])
    batch = run_bounded([chunk(events)])
    assert conversations(batch.cells(), "long", "all") == 1
    assert conversations(result.cells(), "long", "all") == 0
    assert result.accounts() == batch.accounts() | {("revisions_past_life", "2026-01-01"): 1}
    assert imbalance(last_revision(result)) is None


LIFE_S = EXACT.firings.conversation_life.days * DAY_S
GAP_S = int(EXACT.session_gap.total_seconds())
SKEW_S = EXACT.limits.max_future_us // 1_000_000


def again(event: dict[str, Any], at_s: float) -> PayloadChunk:
    """Returns an event that was published in time, and is published again at `at_s`."""
    first_s = event["sent_at_us"] / 1_000_000 - START_S
    return received(event, at_s, **original_publish_time(first_s))


def test_a_clock_that_runs_ahead_makes_nothing_be_forgotten_early() -> None:
    """A message five minutes ahead leaves the span that a message at the edge of its life joins."""
    last_s = GAP_S + LIFE_S
    first, ahead = said("1", 1), said("3", last_s + SKEW_S)
    edge = said("2", GAP_S)
    result = run_unbounded([received(first, 1), received(ahead, last_s), again(edge, last_s)])
    assert result.cells() == run_bounded([chunk([first, edge, ahead])]).cells()
    assert result.accounts()["conversation", ""] == 2


@pytest.mark.parametrize("ahead_s", [0, SKEW_S - 1])
def test_a_watermark_that_runs_ahead_makes_nothing_be_forgotten_early(ahead_s: int) -> None:
    """Senders' clocks may lead the watermark; spans, users and days are kept that much longer."""
    last_s = GAP_S + LIFE_S
    first, edge = said("1", 0), said("2", GAP_S)
    result = run_unbounded([received(first, 0), START_S + last_s + ahead_s, again(edge, last_s)])
    assert result.cells() == run_bounded([chunk([first, edge])]).cells()
    assert result.accounts() == {
        ("read", ""): 2, ("counted", ""): 2, ("conversation", ""): 1, ("tallied", ""): 1,
    }  # fmt: skip


def test_the_last_message_of_a_day_is_counted_behind_a_watermark_that_runs_ahead() -> None:
    """A day is closed when no message of it can be accepted any more."""
    at_s = DAY_S - 1
    event = said("2", at_s, "d")
    watermark_s = START_S + at_s + LIFE_S + SKEW_S
    result = run_unbounded([received(said("1", 0), 0), watermark_s, again(event, at_s + LIFE_S)])
    assert result.accounts()["tallied", ""] == 2
    assert ("past_life", "2026-01-01") not in result.accounts()

"""The events that the simulator generates."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from pipelines.simulator import SimulationSettings, Truth, simulate
from schemas.failures import Reason
from schemas.records import Encoding
from schemas.wire.event import read_event
from schemas.wire.validate import Limits, Rejection, SystemTurn

START = datetime(2026, 3, 2, tzinfo=UTC)
SMALL = SimulationSettings(conversations=2_000, start=START, days=3, labelled_text=True)
FAULTY = replace(SMALL, conversations=1_000, duplicates=0.1, late=0.1, malformed=0.1)


def truth_of(settings: SimulationSettings) -> Truth:
    """Returns the complete expected results of a simulation."""
    truth = Truth(settings.session_gap_us)
    for _ in simulate(settings, truth):
        pass
    return truth


def overall_days(truth: Truth, facet: str) -> Counter[str]:
    """Returns the number of conversations over all days for each value of a facet."""
    counts: Counter[str] = Counter()
    for name, sums in truth.cells():
        if (name.granularity, name.breakdown, name.facet) == ("day", "overall", facet):
            counts[name.facet_value] += sums.conversations
    return counts


def human_messages(events: list[dict[str, Any]]) -> Counter[str]:
    """Returns the number of human messages for each conversation id."""
    return Counter(e["conversation_id"] for e in events if e["role"] == "HUMAN")


def test_equal_settings_give_equal_events() -> None:
    """A simulation depends only on its settings, including the seed."""
    once = list(simulate(FAULTY))
    assert once == list(simulate(FAULTY))
    assert once != list(simulate(replace(FAULTY, seed=1)))


def test_events_come_in_the_order_of_publishing() -> None:
    """Duplicate, late and damaged events come in the order of their own publish times."""
    published = [event["published_at_us"] for event in simulate(FAULTY)]
    assert published == sorted(published)


def test_collecting_the_truth_does_not_change_the_events() -> None:
    """The events are the same with and without a `Truth`."""
    assert list(simulate(FAULTY, Truth(FAULTY.session_gap_us))) == list(simulate(FAULTY))


def test_prose_has_the_same_labels_as_codes() -> None:
    """Codes and prose differ only in the texts; all facets have the same counts."""
    codes, prose = list(simulate(SMALL)), list(simulate(replace(SMALL, labelled_text=False)))
    assert [{**e, "text": ""} for e in codes] == [{**e, "text": ""} for e in prose]
    facets = ("type", "use", "sentiment", "pushback_reason", "drift")
    coded, written = truth_of(SMALL), truth_of(replace(SMALL, labelled_text=False))
    for facet in facets:
        assert overall_days(coded, facet) == overall_days(written, facet)


def test_shares_match_the_study() -> None:
    """About 2.9 % of conversations are affective and few are companionship.

    Almost none is romantic roleplay.
    """
    truth = truth_of(replace(SMALL, conversations=12_000))
    total = overall_days(truth, "all")["all"]
    types = overall_days(truth, "type")
    assert overall_days(truth, "use")["affective"] / total == pytest.approx(0.029, abs=0.004)
    assert 0 < types["companionship"] + types["romantic_roleplay"] < 0.005 * total
    assert 0 < types["romantic_roleplay"] < 0.001 * total
    assert 0 < overall_days(truth, "pushback")["all"] < 0.1 * total
    assert 0 < overall_days(truth, "long")["all"] < 0.01 * total


def test_the_share_of_affective_can_be_set() -> None:
    """A test of rare types can request a higher share of affective conversations."""
    truth = truth_of(replace(SMALL, share_affective=0.5))
    share = overall_days(truth, "use")["affective"] / overall_days(truth, "all")["all"]
    assert share == pytest.approx(0.5, abs=0.05)


def test_the_mood_rises_a_little() -> None:
    """As in the study, the sum of the sentiment changes is above zero."""
    cells = truth_of(replace(SMALL, conversations=4_000, share_affective=0.6)).cells()
    changes = [
        sums.sentiment_change_300ths
        for name, sums in cells
        if (name.granularity, *name[2:]) == ("day", "overall", "all", "sentiment", "affective")
    ]
    assert sum(changes) > 0


def test_lengths_next_to_every_boundary_occur() -> None:
    """Among 2,000 threads, some have 49, some 50 and some 51 human messages.

    None has more than 2 x 200.
    """
    lengths = set(human_messages(list(simulate(SMALL))).values())
    assert {1, 3, 4, 5, 6, 49, 50, 51} <= lengths
    assert max(lengths) <= 2 * 200  # A thread may be resumed once.


def test_conversations_start_within_the_days_asked_for() -> None:
    """Threads start in [start, start + days), more of them in some hours than in others."""
    first: dict[str, int] = {}
    for event in simulate(SMALL):
        at_us = event["sent_at_us"]
        first[event["conversation_id"]] = min(first.get(event["conversation_id"], at_us), at_us)
    opened = [(at_us - SMALL.start_us) / 3.6e9 for at_us in first.values()]
    assert len(opened) == SMALL.conversations
    assert min(opened) > -0.001
    assert max(opened) < 3 * 24
    by_hour = Counter(int(hour) % 24 for hour in opened)
    assert max(by_hour.values()) > 3 * min(by_hour.values())


def test_some_silences_equal_the_gap_and_some_exceed_it() -> None:
    """A silence that equals the gap stays within a conversation; a longer one separates two."""
    times: defaultdict[str, list[int]] = defaultdict(list)
    for event in simulate(replace(SMALL, conversations=6_000)):
        times[event["conversation_id"]].append(event["sent_at_us"])
    silences = [b - a for at in times.values() for a, b in pairwise(sorted(at))]
    assert SMALL.session_gap_us in silences
    assert SMALL.session_gap_us + 1 in silences
    assert max(silences) > 2 * SMALL.session_gap_us


def test_few_users_come_often() -> None:
    """Most users have one or two conversations; at least one user has 20 or more."""
    pairs = {(e["user_id"], e["conversation_id"]) for e in simulate(SMALL) if e["user_id"]}
    conversations = Counter(user for user, _ in pairs)
    few = sum(1 for count in conversations.values() if count <= 2)
    assert few > 0.6 * len(conversations)
    assert max(conversations.values()) >= 20


def test_a_share_of_the_users_writes_chinese() -> None:
    """`share_chinese` is the share of users who write Chinese messages."""
    languages: defaultdict[str, set[bool]] = defaultdict(set)
    for event in simulate(replace(SMALL, share_chinese=0.3, labelled_text=False)):
        if event["user_id"] and event["role"] != "SYSTEM":
            is_chinese = any("\u4e00" <= sign <= "\u9fff" for sign in event["text"])
            languages[event["user_id"]].add(is_chinese)
    chinese = sum(1 for spoken in languages.values() if True in spoken)
    assert chinese / len(languages) == pytest.approx(0.3, abs=0.05)


def test_every_event_ends_in_the_expected_account() -> None:
    """Decoding counts late, system and damaged events exactly as the expected ledger does."""
    limits = Limits(allowed_lateness_us=FAULTY.allowed_lateness_us)
    met: Counter[tuple[str, str]] = Counter()
    seen: set[str] = set()
    truth = Truth(FAULTY.session_gap_us)
    for event in simulate(FAULTY, truth):
        decoded = read_event(Encoding.AVRO, event, None, limits)
        if isinstance(decoded, Rejection):
            late = decoded.reason == Reason.LATE
            met["late" if late else "dead_letter", "" if late else str(decoded.reason)] += 1
        elif isinstance(decoded, SystemTurn):
            met["system_turn", ""] += 1
        else:
            met["duplicate" if decoded.event_id in seen else "counted", ""] += 1
            seen.add(decoded.event_id)
    assert truth.ledger() == {("read", ""): met.total(), **met}
    assert min(met.values()) > 0
    assert len(met) == 4 + 7


def test_a_duplicate_differs_only_in_its_publish_time() -> None:
    """A repeated event is identical, and is published again within the allowed lateness."""
    settings = replace(SMALL, conversations=200, duplicates=1.0)
    by_id: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for event in simulate(settings):
        by_id[event["event_id"]].append(event)
    twice = [events for events in by_id.values() if len(events) == 2]
    assert len(twice) > 1_000
    for first, again in twice:
        assert again == {**first, "published_at_us": again["published_at_us"]}
        lag_us = again["published_at_us"] - again["sent_at_us"]
        assert lag_us <= settings.allowed_lateness_us


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"conversations": -1}, "must not be negative, got -1"),
        ({"days": 0}, "at least 1, got 0"),
        ({"late": 1.5}, "late must be from 0 to 1, got 1.5"),
        ({"start": datetime(2026, 3, 2)}, "must carry a time zone"),
        ({"session_gap": timedelta(0)}, "session_gap must be at least 10 min"),
    ],
)
def test_bad_settings_are_refused_with_their_value(changed: dict[str, Any], sentence: str) -> None:
    """If a setting is bad, construction fails, and the error shows the bad value."""
    with pytest.raises(ValueError, match=sentence):
        replace(SMALL, **changed)


def test_no_conversations_give_no_events() -> None:
    """A simulation of 0 conversations gives no events."""
    assert list(simulate(replace(SMALL, conversations=0))) == []

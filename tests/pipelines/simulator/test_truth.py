"""The simulator's expected results follow docs/metrics.md and equal the job's results."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime

import numpy as np
import pytest

from pipelines.simulator import SimulationSettings, Truth, simulate
from pipelines.simulator.records import PlannedMessage
from pipelines.simulator.truth import (
    FACETS,
    Conversation,
    describe,
    length_bin,
    split_at_gaps,
)
from schemas.breakdowns import ATTRIBUTES
from schemas.records import Encoding, Message, ScoredMessage
from schemas.wire.event import read_event
from schemas.wire.validate import Limits
from tests.builders import (
    GAP_US,
    HOUR_US,
    MONDAY_US,
    NO_ATTRIBUTES,
    OPERATOR_SECRET,
    PSEUDONYMS,
    SECOND_US,
    event_hash,
    user_hash,
)
from tests.counted import totals_of
from tests.doubles import LabelReader
from tests.golden.ids import FACET_IDS
from transforms.classifiers.interface import HUMAN_WIDTH, PUSHBACK
from transforms.conversation.spans import fold
from transforms.conversation.summary import summarize
from transforms.counting.cells import BREAKDOWN_NAMES, DAY, day_of
from transforms.counting.contribution import rank_of, within_limit
from transforms.counting.totals import DayTotals
from transforms.facets.registry import SLICES


def human(
    index: int, kind: str = "technical", half_points: int = 0, **stated: str
) -> PlannedMessage:
    """Returns a human message at `index` minutes into Monday.

    `stated` gives the user and the attributes.
    """
    return PlannedMessage(
        MONDAY_US + index * 60 * SECOND_US,
        True,
        kind,
        half_points,
        None,
        stated.get("user"),
        tuple(stated.get(name) for name in ATTRIBUTES) if stated else NO_ATTRIBUTES,
        "en",
        "",
    )


def described(*kinds: str, tells_language: bool = False) -> Conversation:
    """Describes a conversation whose human messages have these kinds."""
    messages = [human(index, kind) for index, kind in enumerate(kinds)]
    return describe(messages, tells_language=tells_language)


def values(conversation: Conversation, facet: str) -> list[str]:
    """Returns the values of a facet under which the conversation is counted."""
    return [value for name, value in conversation.facets if name == facet]


def test_long_is_more_than_fifty() -> None:
    """A conversation with 50 human messages is not long; one with 51 messages is."""
    assert values(described(*["coaching"] * 50), "long") == []
    assert values(described(*["coaching"] * 51), "long") == ["all", "affective", "coaching"]


def test_roleplay_counts_from_four_messages() -> None:
    """Three messages of romantic roleplay give no type and are not affective; four do and are."""
    assert values(described(*["romantic_roleplay"] * 3), "type") == []
    assert values(described(*["romantic_roleplay"] * 3), "use") == ["leisure"]
    assert values(described(*["romantic_roleplay"] * 4), "use") == ["affective"]


def test_the_most_frequent_type_of_an_end_wins() -> None:
    """On a tie, the earliest type is the opening type and the latest type is the closing type."""
    pair = described("coaching", "counseling")
    assert values(pair, "drift") == ["coaching>counseling"]
    outvoted = described("coaching", "technical", "work", "work", "companionship", "companionship")
    assert values(outvoted, "drift") == ["none>companionship"]
    assert values(outvoted, "type") == ["companionship"]


def test_change_needs_six_messages() -> None:
    """The change is the sum of the last three moods minus that of the first three, in hundredths.

    That makes it the change of the mean, in three-hundredths.
    """
    moods = (-2, -1, -1, 0, 1, 2)
    messages = [human(index, "coaching", mood) for index, mood in enumerate(moods)]
    six = describe(messages, tells_language=False)
    five = describe(messages[1:], tells_language=False)
    assert six.change_300ths == 350
    assert values(six, "sentiment") == ["all", "affective", "coaching"]
    assert values(five, "sentiment") == []


def test_a_silence_of_exactly_the_gap_does_not_split() -> None:
    """Only a silence longer than the gap starts a new conversation."""
    within = human(0)._replace(sent_at_us=MONDAY_US + GAP_US)
    beyond = human(0)._replace(sent_at_us=MONDAY_US + GAP_US + 1)
    assert len(split_at_gaps([human(0), within], GAP_US)) == 1
    assert len(split_at_gaps([human(0), beyond], GAP_US)) == 2


def test_the_earliest_stated_value_is_used() -> None:
    """The user and each attribute come from the first message that states them."""
    messages = [human(0), human(1, user="u1", language="en-GB", plan="pro"), human(2, plan="free")]
    conversation = describe(messages, tells_language=False)
    assert conversation.user == "u1"
    assert ("language", "en") in conversation.breakdowns
    assert ("plan", "pro") in conversation.breakdowns
    assert ("country", "unknown") in conversation.breakdowns


def test_an_unstated_language_is_known_from_prose_only() -> None:
    """An unstated language is detected in prose; if the texts are codes, it stays unknown."""
    assert ("language", "unknown") in described("work").breakdowns
    assert ("language", "en") in described("work", tells_language=True).breakdowns


def test_a_user_counts_once_in_a_window() -> None:
    """Two conversations of one user within an hour count as two, but the user counts once."""
    truth = Truth(GAP_US)
    for conversation in ("a", "b"):
        truth.add_thread(conversation, [human(0, user="u1")], tells_language=False)
    truth.add_thread("c", [human(0)], tells_language=False)
    (sums,) = [s for n, s in truth.cells() if n[:1] + n[2:5] == ("hour", "overall", "all", "all")]
    assert sums[:2] == (3, 1)


def test_a_closed_day_accepts_no_conversation() -> None:
    """After a day is summed, adding a conversation is an error: users would be counted twice."""
    truth = Truth(GAP_US)
    truth.close_before(MONDAY_US + 24 * HOUR_US)
    with pytest.raises(ValueError, match="closed"):
        truth.add_thread("a", [human(0)], tells_language=False)


def test_length_bins_end_where_definitions_do() -> None:
    """No bin of lengths includes both sides of the limits at 6 and 51 messages."""
    lengths = (0, 1, 3, 4, 5, 6, 10, 50, 51, 200, 201)
    names = ["0-1", "0-1", "3", "4-5", "4-5", "6-10", "6-10", "21-50", "51-100", "101-200", "201+"]
    assert [length_bin(length) for length in lengths] == names


def test_the_truth_has_every_released_facet() -> None:
    """No released facet is missing, so the comparisons with the job leave none of them out."""
    assert FACET_IDS.keys() <= FACETS


@pytest.mark.parametrize(("seed", "share_affective", "most_a_user"), [(0, 0.029, 100), (1, 0.6, 2)])
def test_the_job_computes_the_truth_from_the_events(
    seed: int, share_affective: float, most_a_user: int
) -> None:
    """The steps of the job give exactly the expected cells of the facets that the truth has.

    The steps are decode, label, fold, summarize and tally.
    """
    settings = SimulationSettings(
        conversations=2_500, start=datetime(2026, 3, 2, tzinfo=UTC), days=2, seed=seed,
        share_affective=share_affective, duplicates=0.05, late=0.05, malformed=0.05,
        labelled_text=True, max_conversations_per_user=most_a_user,
    )  # fmt: skip
    truth = Truth(settings.session_gap_us, most_a_user, OPERATOR_SECRET)
    assert _cells_of_the_job(settings, truth) == {tuple(n): tuple(s) for n, s in truth.cells()}


def _cells_of_the_job(
    settings: SimulationSettings, truth: Truth
) -> dict[tuple[object, ...], tuple[int, ...]]:
    limits = Limits(allowed_lateness_us=settings.allowed_lateness_us)
    threads: defaultdict[str, list[Message]] = defaultdict(list)
    for event in simulate(settings, truth):
        message = read_event(Encoding.AVRO, event, None, limits)
        if isinstance(message, Message):
            threads[message.conversation_id].append(message)
    by_user = defaultdict(list)
    for thread in threads.values():
        scored = _scored(thread)
        spans = fold(scored, settings.session_gap_us)
        for summary in summarize([span.state for span in spans], LabelReader()):
            ranked = rank_of(scored[0].conversation), summary
            by_user[day_of(summary.started_at_us), summary.user].append(ranked)
    days: defaultdict[int, DayTotals] = defaultdict(DayTotals)
    for (day_us, user), ranked_summaries in by_user.items():
        most = settings.max_conversations_per_user if user else len(ranked_summaries)
        days[day_us].add_all(totals_of(within_limit(ranked_summaries, most)[0]))
    return {
        (
            "day" if cell.hour == DAY else "hour",
            day_us if cell.hour == DAY else day_us + cell.hour * HOUR_US,
            BREAKDOWN_NAMES[cell.breakdown],
            cell.value,
            *SLICES[cell.slice_index],
        ): (tally.conversations, tally.users, tally.change, tally.change_squares)
        for day_us, totals in days.items()
        for cell, tally in totals.items()
        if SLICES[cell.slice_index].facet in FACETS
    }


def _scored(thread: list[Message]) -> list[ScoredMessage]:
    is_human = np.array([message.is_human for message in thread])
    rows = LabelReader().score([message.text for message in thread], is_human)
    return [
        ScoredMessage(
            PSEUDONYMS.conversation(message.conversation_id),
            event_hash(message.event_id),
            user_hash(message.user_id or ""),
            message.is_human,
            message.sent_at_us,
            message.attributes,
            (row[:HUMAN_WIDTH] if message.is_human else row[PUSHBACK:]).tobytes(),
        )
        for message, row in zip(thread, rows, strict=True)
    ]

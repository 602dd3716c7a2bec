"""Tests that a summary follows docs/metrics.md, and depends only on its conversation."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.breakdowns import ATTRIBUTES
from schemas.labels import LANGUAGES, PUSHBACK_REASONS
from schemas.records import ConversationSummary, ScoredMessage, StructCodec
from tests.builders import (
    MONDAY_US,
    PlainReader,
    assistant_scores,
    human_scores,
    scored,
    talk,
    user_hash,
)
from tests.random_days import conversations, summaries
from transforms.conversation.state import ConversationState
from transforms.conversation.summary import judge, sentiment_ends, summarize

READER = PlainReader()
GERMAN = LANGUAGES.index("de")


def summary_of(messages: list[ScoredMessage]) -> ConversationSummary:
    """Summarizes one conversation."""
    return summarize([ConversationState.of(messages)], READER)[0]


def feeling(*moods: int) -> list[ScoredMessage]:
    """Builds one human message for each sentiment, in hundredths of a point."""
    return [scored(f"h{i}", i, scores=human_scores(sentiment=mood)) for i, mood in enumerate(moods)]


@settings(deadline=None, max_examples=100)
@given(st.lists(conversations(max_size=8), min_size=1, max_size=5))
def test_a_summary_does_not_depend_on_its_batch(talks: list[list[ScoredMessage]]) -> None:
    """A state has the same summary alone and in a batch."""
    states = [ConversationState.of(messages) for messages in talks]
    assert summarize(states, READER) == [summarize([s], READER)[0] for s in states]


def test_contradicting_duplicates_do_not_depend_on_the_batch() -> None:
    """Two events with small hashes and 300 send times each don't affect a neighbour's sentiment."""
    events = [bytes([16 + i]) + bytes(7) for i in range(2)]
    stamped = [msgspec.structs.replace(scored(at_s=i), event=events[i % 2]) for i in range(300)]
    states = [ConversationState.of(feeling(100, 100, 100)), ConversationState.of(stamped)]
    assert summarize(states, READER)[1] == summarize(states[1:], READER)[0]
    assert summarize(states, READER)[1].human_messages == 2


@pytest.mark.parametrize(("moods", "change"), [
    ((-100, -100, -100, 100, 100), None),
    ((-100, -100, -100, 100, 100, 100), 600),
    ((100, 100, 100, -100, -100, -100), -600),
    ((0, 0, 0, 0, 0, 1), 1),
    ((0, 37, 0, -100, 50, 51, 99), 163),
])  # fmt: skip
def test_sentiment_change_needs_six_messages(moods: tuple[int, ...], change: int | None) -> None:
    """The change is the last three messages minus the first three, in three-hundredths of a point.

    For fewer than six messages it is None.
    """
    assert summary_of(feeling(*moods)).sentiment_change_300ths == change


def test_sentiment_change_is_exact_if_the_middle_is_sampled() -> None:
    """Only the ends of 700 human messages matter."""
    moods = [-100, -50, -99, *[100] * 694, 50, 0, 51]
    assert summary_of(feeling(*moods)).sentiment_change_300ths == 350


@pytest.mark.parametrize(("moods", "ends"), [
    ((), (None, None)),
    ((-100,), (-1.0, -1.0)),
    ((1, 2), (0.015, 0.015)),
    ((-100, 0, -50, 99), (-0.5, 0.49 / 3)),
])  # fmt: skip
def test_sentiment_ends_are_means_in_points(
    moods: tuple[int, ...], ends: tuple[float | None, float | None]
) -> None:
    """The sentiment at each end is the mean of at most three messages, between -1 and 1."""
    assert sentiment_ends(ConversationState.of(feeling(*moods))) == pytest.approx(ends)


def test_a_summary_has_user_start_counts_and_attributes() -> None:
    """A summary has user, start, counts and attributes; an attribute never stated is `unknown`."""
    summary = summary_of(talk(4, 7, country="DE", language="fr"))
    assert summary.started_at_us == MONDAY_US
    assert summary.user == user_hash("ada")
    assert (summary.human_messages, summary.assistant_messages) == (4, 7)
    said = dict.fromkeys(ATTRIBUTES, "unknown") | {"country": "DE", "language": "fr"}
    assert dict(zip(ATTRIBUTES, summary.breakdowns, strict=True)) == said


@pytest.mark.parametrize(("stated", "told", "language"), [
    ("fr", GERMAN, "fr"), (None, GERMAN, "de"), (None, 0, "unknown"),
])  # fmt: skip
def test_language_comes_from_the_text_only_if_not_stated(
    stated: str | None, told: int, language: str
) -> None:
    """A stated language is used, or else the one that the classifier detects, or `unknown`."""
    one = [scored(scores=human_scores(language=told), language=stated)]
    assert summary_of(one).breakdowns[2] == language


@pytest.mark.parametrize(("logit", "is_pushback"), [(-128, False), (-1, False), (0, True)])
def test_pushback_counts_from_the_threshold(logit: int, is_pushback: bool) -> None:
    """A reason's bit is set if its strongest message reaches the classifier's threshold."""
    reason = PUSHBACK_REASONS.index("policy_other")
    one = [scored(is_human=False, scores=assistant_scores(logit, reason))]
    assert summary_of(one).pushback_reasons == (1 << reason if is_pushback else 0)


def test_no_pushback_never_counts() -> None:
    """Even the lowest threshold does not turn a missing logit into pushback."""
    reader = PlainReader()
    reader.pushback_threshold = -128
    assert summarize([ConversationState.of(talk(3))], reader)[0].pushback_reasons == 0


def test_a_conversation_of_the_assistant_alone_has_a_summary() -> None:
    """A conversation without a human message has no type, no change, and the use `other`."""
    summary = summary_of(talk(0, 2))
    assert (summary.human_messages, summary.types, summary.use) == (0, 0, 7)
    assert (summary.opening_type, summary.closing_type) == (-1, -1)
    assert summary.sentiment_change_300ths is None


def test_drift_reads_the_first_and_the_last_three() -> None:
    """A drift from coaching to companionship gives these two as opening and closing types."""
    types = ["coaching"] * 3 + ["counseling"] + ["companionship"] * 3
    said = [scored(i, i, scores=human_scores([name])) for i, name in enumerate(types)]
    summary = summary_of(said)
    assert (summary.opening_type, summary.closing_type, summary.types) == (1, 3, 0b1110)


def test_judgements_come_in_the_order_of_the_states() -> None:
    """`judge` gives one judgement and one summary for each state, and nothing for an empty list."""
    states = [ConversationState.of(talk(n, scores=human_scores(["coaching"]))) for n in (1, 2)]
    found, judgements = judge(states, READER)
    assert [s.human_messages for s in found] == [1, 2]
    assert judgements.affective.tolist() == [True, True]
    assert summarize([], READER) == []


@settings(deadline=None, max_examples=60)
@given(summaries())
def test_a_summary_survives_its_codec(summary: ConversationSummary) -> None:
    """Equal summaries have equal bytes, and the bytes decode to the same summary."""
    codec = StructCodec(ConversationSummary)
    encoded = codec.encode(summary)
    assert codec.decode(encoded) == summary
    assert codec.encode(codec.decode(encoded)) == encoded

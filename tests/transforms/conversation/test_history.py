"""Tests that signed changes in any order add up to the result of a batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.records import ConversationSummary, ScoredMessage, SignedSummary
from tests.builders import GAP_US, PlainReader, human_scores, scored, talk
from tests.random_days import conversations, splits
from transforms.conversation import state as conversation
from transforms.conversation.history import ConversationHistory
from transforms.conversation.spans import Span, fold
from transforms.conversation.state import ConversationState
from transforms.conversation.summary import summarize

READER = PlainReader()


def total_of(changes: Iterable[SignedSummary]) -> Counter[ConversationSummary]:
    """Adds up signed summaries, and omits those that cancel out."""
    total: Counter[ConversationSummary] = Counter()
    for change in changes:
        total[change.summary] += change.sign
    return Counter({summary: count for summary, count in total.items() if count})


def batch_of(messages: list[ScoredMessage]) -> Counter[ConversationSummary]:
    """Returns the summaries of a run that sees all messages at once."""
    return Counter(summarize([o.state for o in fold(messages, GAP_US)], READER))


def pane(*messages: ScoredMessage) -> list[Span]:
    """Returns a pane that has seen these messages of one span."""
    return [Span(len(messages), ConversationState.of(messages))]


def panes_of(draw: st.DataObject, messages: list[ScoredMessage]) -> list[list[Span]]:
    """Draws panes in any order: new parts, all messages so far, and repeated panes."""
    parts = draw.draw(splits(messages))
    panes: list[list[Span]] = []
    for seen in range(1, len(parts) + 1):
        arrived = [m for part in parts[:seen] for m in part]
        fresh = parts[seen - 1] if draw.draw(st.booleans()) else arrived
        panes.append(fold(fresh, GAP_US))
    again = draw.draw(st.lists(st.sampled_from(panes), max_size=3))
    return draw.draw(st.permutations(panes + again))


@settings(deadline=None, max_examples=150)
@given(st.data(), st.sampled_from([3, 256]))
def test_changes_add_up_to_the_batch(data: st.DataObject, cap: int) -> None:
    """Panes in any order, even repeated ones, give the summaries of a batch, sampled or not."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conversation, "MAX_HUMAN", cap)
        patch.setattr(conversation, "MAX_ASSISTANT", cap)
        messages = data.draw(conversations(spans=4))
        history, signed = ConversationHistory(), list[SignedSummary]()
        for seen in panes_of(data, messages):
            history, changes, _ = history.join(seen, READER, GAP_US)
            signed += changes
            assert total_of(signed) == Counter(history.published)
        assert total_of(signed) == batch_of(messages)


@settings(deadline=None, max_examples=80)
@given(st.data())
def test_history_survives_its_encoding_at_any_point(data: st.DataObject) -> None:
    """A history that is encoded and decoded continues as if nothing had happened."""
    messages = data.draw(conversations(spans=3))
    history = stored = ConversationHistory()
    for seen in panes_of(data, messages):
        history, changes, grown_long = history.join(seen, READER, GAP_US)
        again = ConversationHistory.decode(stored.encode()).join(seen, READER, GAP_US)
        stored = again.history
        assert (again.changes, again.grown_long) == (changes, grown_long)
    assert stored.encode() == history.encode()


def test_a_repeated_pane_changes_nothing() -> None:
    """A pane that was seen before emits no change, and its messages count as duplicates."""
    old, new = (pane(*talk(n)) for n in (2, 5))
    history = ConversationHistory().join(new, READER, GAP_US).history
    for seen, messages in ((new, 10), (old, 7)):
        again, changes, grown_long = history.join(seen, READER, GAP_US)
        assert [(o.messages, o.state) for o in again.spans] == [(messages, new[0].state)]
        assert again.published == history.published
        assert not changes
        assert not grown_long


def test_growth_takes_back_what_it_replaces() -> None:
    """When a conversation grows, the old summary is taken back once and the new one added once."""
    history, first, _ = ConversationHistory().join(pane(*talk(2)), READER, GAP_US)
    second = history.join(pane(*talk(3)), READER, GAP_US).changes
    assert [(c.sign, c.summary.human_messages) for c in first + second] == [(1, 2), (-1, 2), (1, 3)]


def test_a_message_between_two_spans_takes_both_back() -> None:
    """A late message joins two spans. Both summaries are taken back, and one is added."""
    history = ConversationHistory()
    for at_us in (0, 2 * GAP_US):
        history = history.join(pane(scored(at_us, at_us=at_us)), READER, GAP_US).history
    bridge = scored("bridge", at_us=GAP_US)
    history, changes, _ = history.join(pane(bridge), READER, GAP_US)
    assert sorted((c.sign, c.summary.human_messages) for c in changes) == [(-1, 1), (-1, 1), (1, 3)]
    assert history.last_at_us == bridge.sent_at_us + GAP_US


def test_two_spans_have_two_summaries() -> None:
    """Two spans further apart than the gap are both kept, and each has its own summary."""
    panes = [pane(scored(i, at_us=i * 2 * GAP_US)) for i in range(2)]
    history = ConversationHistory()
    for seen in panes:
        history = history.join(seen, READER, GAP_US).history
    assert len(history.published) == 2
    assert history.spans == tuple(partial for seen in panes for partial in seen)


def test_histories_of_another_version_are_refused() -> None:
    """The bytes of a different version are refused, not misread."""
    with pytest.raises(ValueError, match="version 9"):
        ConversationHistory.decode(msgspec.msgpack.encode((9, [], [], [])))


def test_a_late_first_message_moves_the_conversation_to_its_user() -> None:
    """If the first message arrives last, its user becomes the user of the conversation."""
    late, first = scored("b", 9, user="bob"), scored("a", 0, user="ada")
    history = ConversationHistory().join(pane(late), READER, GAP_US).history
    changes = history.join(pane(first), READER, GAP_US).changes
    assert [(c.sign, c.summary.user) for c in changes] == [(-1, late.user), (1, first.user)]


def test_a_type_that_needs_length_appears_with_length() -> None:
    """Roleplay counts from the fourth human message on, which revises the totals."""
    said = talk(4, scores=human_scores(["roleplay"]))
    history, before, _ = ConversationHistory().join(pane(*said[:3]), READER, GAP_US)
    after = history.join(pane(*said), READER, GAP_US).changes
    assert [c.summary.types for c in before + after] == [0, 0, 0b100000]


def test_a_conversation_grows_long_once() -> None:
    """The 51st human message makes a conversation long, and reports this.

    No other message and no repetition reports it.
    """
    said = talk(60)
    history, told = ConversationHistory(), list[int]()
    for seen in (said[:50], said[:51], said[:51], said[51:], said):
        history, _, grown_long = history.join(pane(*seen), READER, GAP_US)
        told.append(len(grown_long))
    assert told == [0, 1, 0, 0, 0]


def test_a_long_conversation_is_not_reported_again_after_a_merge() -> None:
    """A merge reports a long conversation only if no part of it was long before."""
    said = [scored(f"h{i}", at_us=i * GAP_US) for i in range(80)]
    for first, tells in ((60, 0), (45, 1)):
        history = ConversationHistory().join(pane(*said[:first]), READER, GAP_US).history
        history = history.join(pane(*said[first + 1 :]), READER, GAP_US).history
        grown_long = history.join(pane(said[first]), READER, GAP_US).grown_long
        assert [o.state.human_messages for o in grown_long] == [80] * tells

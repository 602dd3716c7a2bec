"""Tests that a conversation's state is a join: order, repetition and splits do not matter."""

from __future__ import annotations

import random
from functools import reduce

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.breakdowns import ATTRIBUTES
from schemas.records import ScoredMessage
from tests.builders import GAP_US, MONDAY_US, human_scores, scored, talk
from tests.random_days import conversations, splits
from transforms.conversation import state as conversation
from transforms.conversation.spans import Span, fold, merge_spans
from transforms.conversation.state import (
    ENDS,
    MAX_ASSISTANT,
    MAX_HUMAN,
    MAX_STATE_BYTES,
    ZERO,
    ConversationState,
)

of = ConversationState.of


@pytest.fixture(params=[4, 256], ids=["sampled", "exact"])
def caps(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Lowers both caps to 4, so that a dozen messages are sampled, or leaves them at 256."""
    cap = int(request.param)
    monkeypatch.setattr(conversation, "MAX_HUMAN", cap)
    monkeypatch.setattr(conversation, "MAX_ASSISTANT", cap)
    return cap


@pytest.mark.usefixtures("caps")
class TestJoin:
    """Tests the laws of `+`, with conversations below and above the caps."""

    @settings(deadline=None, max_examples=70)
    @given(conversations(), conversations(), conversations())
    def test_is_a_semilattice(
        self, one: list[ScoredMessage], two: list[ScoredMessage], three: list[ScoredMessage]
    ) -> None:
        """`+` is associative, commutative and idempotent, and `ZERO` is neutral."""
        a, b, c = of(one), of(two), of(three)
        assert (a + b) + c == a + (b + c)
        assert a + b == b + a
        assert (a + b) + b == a + b
        assert a + a == a
        assert a + ZERO == a == ZERO + a

    @settings(deadline=None, max_examples=70)
    @given(st.data())
    def test_any_split_joins_to_the_whole(self, data: st.DataObject) -> None:
        """Parts of the messages, even repeated ones, join to the same bytes as the whole."""
        messages = data.draw(conversations())
        parts = data.draw(splits(messages))
        joined = reduce(ConversationState.__add__, map(of, parts), ZERO)
        assert joined == of(messages)
        assert joined.encode() == of(messages).encode()

    @settings(deadline=None, max_examples=70)
    @given(conversations())
    def test_encoding_round_trips(self, messages: list[ScoredMessage]) -> None:
        """The decoded state equals the original and joins like it."""
        state = of(messages)
        again = ConversationState.decode(state.encode())
        assert again == state
        assert again.encode() == state.encode()
        assert again + state == state
        assert hash(again) == hash(state)

    @settings(deadline=None, max_examples=70)
    @given(st.data())
    def test_spans_do_not_depend_on_the_split(self, data: st.DataObject) -> None:
        """Folding in chunks and merging gives the same spans as folding all at once."""
        messages = data.draw(conversations(spans=4))
        parts = data.draw(splits(messages))
        whole = [o.state for o in fold(messages, GAP_US)]
        partials = [o.state for part in parts for o in fold(part, GAP_US)]
        merged = merge_spans(data.draw(st.permutations(partials)), GAP_US)
        assert [s.encode() for s in merged] == [s.encode() for s in whole]
        assert merged == whole == merge_spans(merged + merged, GAP_US)

    @settings(deadline=None, max_examples=60)
    @given(conversations(spans=4))
    def test_fold_counts_every_message(self, messages: list[ScoredMessage]) -> None:
        """The counts of the spans add up to all messages, duplicates included."""
        folded = fold(messages, GAP_US)
        assert sum(o.messages for o in folded) == len(messages)
        assert [Span.decode(o.encode()) for o in folded] == folded


@given(conversations(max_size=12))
@settings(deadline=None, max_examples=100)
def test_each_event_counts_once(messages: list[ScoredMessage]) -> None:
    """Copies of an event are one message, even if they contradict each other."""
    state = of(messages)
    human = {m.event for m in messages if m.is_human}
    assert state.human_messages == len(human) == len(state.human_in_time_order())
    assert state.assistant_messages == len({m.event for m in messages} - human)
    assert state.held_messages == state.human_messages + state.assistant_messages


@given(st.data())
@settings(deadline=None, max_examples=150)
def test_contradictory_copies_are_read_as_the_contract_says(data: st.DataObject) -> None:
    """In any order and split, the first human copy is read, and all copies extend the span."""
    messages = data.draw(conversations(max_size=16, events=4))
    parts = [of(part) for part in data.draw(splits(messages))]
    state = reduce(ConversationState.__add__, data.draw(st.permutations(parts)), ZERO)
    read: dict[bytes, tuple[int, bytes]] = {}
    for message in messages:
        if message.is_human:
            copy = (message.sent_at_us, message.scores)
            read[message.event] = min(copy, read.get(message.event, copy))
    records = [at_us.to_bytes(8, "big") + event + scores for event, (at_us, scores) in read.items()]
    assert state.human_in_time_order() == sorted(records)
    assert state.assistant_messages == len({m.event for m in messages} - read.keys())
    times = [message.sent_at_us for message in messages]
    assert (state.first_at_us, state.last_at_us) == (min(times), max(times))


@pytest.mark.parametrize(("excess_us", "spans"), [(-1, 1), (0, 1), (1, 2)])
def test_exactly_the_gap_still_joins(excess_us: int, spans: int) -> None:
    """Messages exactly one gap apart are one conversation; one microsecond more makes two."""
    pair = [scored("a"), scored("b", at_us=GAP_US + excess_us)]
    assert len(fold(pair, GAP_US)) == spans
    assert len(merge_spans([of([m]) for m in pair], GAP_US)) == spans


def test_a_late_message_joins_two_spans() -> None:
    """Two spans too far apart become one when a message between them arrives."""
    far = [of([scored("a")]), of([scored("c", at_us=2 * GAP_US)])]
    bridge = of([scored("b", at_us=GAP_US)])
    assert len(merge_spans(far, GAP_US)) == 2
    assert merge_spans([*far, bridge], GAP_US) == [far[0] + far[1] + bridge]


def test_a_long_span_reaches_over_a_short_one_inside_it() -> None:
    """A group of spans ends at its latest end, not at the end of the span that began last."""
    long = of([scored(i, at_us=i * GAP_US) for i in range(4)])
    inside = of([scored("x", at_us=1)])
    after = of([scored("y", at_us=4 * GAP_US)])
    assert len(merge_spans([after, inside, long], GAP_US)) == 1


@pytest.mark.parametrize("humans", [0, 1, 49, 50, 51, MAX_HUMAN - 1, MAX_HUMAN])
def test_counts_are_exact_up_to_the_cap(humans: int) -> None:
    """Human and assistant messages are counted exactly up to the caps."""
    state = of(talk(humans, humans))
    assert (state.human_messages, state.assistant_messages) == (humans, humans)
    assert not state.is_sampled


def test_an_estimate_is_above_the_cap() -> None:
    """An estimated count is at least one more than the cap, so length bins are still correct."""
    state = of(talk(MAX_HUMAN + 1, MAX_ASSISTANT + 1))
    assert state.is_human_sampled
    assert state.is_assistant_sampled
    assert state.human_messages > MAX_HUMAN
    assert state.assistant_messages > MAX_ASSISTANT


def test_contradicting_duplicates_do_not_fill_the_state() -> None:
    """If each retry has a new time, the count of 51 messages is still exact, not estimated."""
    once = talk(51)
    retried = [scored(f"h{i}", i * 60 + retry) for i in range(51) for retry in range(1, 6)]
    assert of(once + retried).human_messages == 51


@pytest.mark.parametrize("humans", [5_000, 100_000])
def test_a_long_conversation_is_bounded_and_estimated(humans: int) -> None:
    """An estimated count is within 25 % of the truth, and a state within `MAX_STATE_BYTES`."""
    widest = "\U0001f642" * 64
    state = of(
        talk(
            humans, humans, platform=widest, country=widest, language=widest, plan=widest,
            model=widest,
        )
    )  # fmt: skip
    assert abs(state.human_messages - humans) < humans / 4
    assert abs(state.assistant_messages - humans) < humans / 4
    assert len(state.encode()) <= MAX_STATE_BYTES
    assert state + of(talk(humans // 2)) == state


def test_parts_below_the_cap_join_to_the_sample_of_the_whole() -> None:
    """Unsampled parts that together exceed the caps join to the sample of the whole."""
    messages = talk(MAX_HUMAN + 40, MAX_ASSISTANT + 40)
    random.Random(7).shuffle(messages)
    parts = [messages[start::3] for start in range(3)]
    joined = reduce(ConversationState.__add__, map(of, parts), ZERO)
    assert joined.encode() == of(messages).encode()
    assert joined.is_sampled
    assert not any(of(part).is_sampled for part in parts)


@pytest.mark.parametrize("humans", [10, 2_000])
def test_opening_and_closing_are_exact(humans: int) -> None:
    """The first and last three human messages are kept even if the middle is a sample."""
    messages = talk(humans)
    random.Random(humans).shuffle(messages)
    parts = [messages[start::5] for start in range(5)]
    joined = reduce(ConversationState.__add__, map(of, parts), ZERO)
    events = [record[8:16] for record in joined.human_in_time_order()]
    in_time = [m.event for m in sorted(messages, key=lambda m: m.sent_at_us)]
    assert events[:ENDS] == in_time[:ENDS]
    assert events[-ENDS:] == in_time[-ENDS:]


def test_the_extent_covers_every_message() -> None:
    """The first and last times include the messages of the assistant."""
    state = of([scored("a", 5), scored("b", 9, is_human=False), scored("c", 1, is_human=False)])
    assert (state.first_at_us, state.last_at_us) == (MONDAY_US + 1_000_000, MONDAY_US + 9_000_000)


def test_the_earliest_statement_counts() -> None:
    """Of several values of an attribute, the one sent first counts, whatever arrives first."""
    early = scored("a", 1, user="", plan="pro")
    late = scored("b", 2, user="bob", plan="free", model="m")
    for order in ([early, late], [late, early]):
        user, *said = of(order).stated
        assert user is not None
        assert user.value == late.user
        values = {n: s.value for n, s in zip(ATTRIBUTES, said, strict=True) if s}
        assert values == {"plan": "pro", "model": "m"}


def test_the_strongest_pushback_of_a_reason_is_kept() -> None:
    """The highest logit of each reason is kept, even a negative one; no pushback is 0."""
    logits = {0: (-128, -128), 2: (-100, -3), 7: (5, 127)}
    messages = [
        scored(f"{reason}{logit}", is_human=False, scores=bytes([logit & 0xFF, reason]))
        for reason, pair in logits.items()
        for logit in pair
    ]
    assert of(messages).pushback == bytes([0, 0, 125, 0, 0, 0, 0, 255])


def test_the_earlier_of_two_copies_is_read() -> None:
    """If two copies of an event differ, the one sent earlier is read, whatever arrives first."""
    early, late = (
        scored("e", at, scores=human_scores(sentiment=s)) for at, s in ((1, 100), (9, -100))
    )
    for order in ([early, late], [late, early]):
        records = of(order).human_in_time_order()
        assert [conversation.scores_of(r) for r in records] == [early.scores]


def test_an_unknown_version_is_refused() -> None:
    """The bytes of a different version are refused, not misread."""
    encoded = bytearray(of([scored()]).encode())
    encoded[1] = 9
    with pytest.raises(ValueError, match="version 9"):
        ConversationState.decode(bytes(encoded))


def test_no_messages_give_no_spans() -> None:
    """Without messages, neither `fold` nor `merge_spans` makes a span."""
    assert fold([], GAP_US) == []
    assert merge_spans([], GAP_US) == []

"""Tests which conversations are reported as having grown long, and when."""

from __future__ import annotations

import pytest
from apache_beam.testing import test_stream

from tests.builders import PSEUDONYMS
from tests.pipelines.running import FIRING_S, Result, chunk, run_stream, run_unbounded
from tests.pipelines.timelines import HOUR_S, said
from transforms.conversation.pseudonyms import shown


def told(result: Result) -> list[tuple[str, int]]:
    """Returns the conversations reported as grown long, and how many messages each had by then."""
    return sorted((g.conversation, g.human_messages) for g in result.grown_long)


def hashed(conversation: str) -> str:
    """Returns the hash that stands for a conversation in these reports."""
    return shown(PSEUDONYMS.conversation(conversation))


def test_a_conversation_that_grows_long_is_told_at_the_next_firing() -> None:
    """A conversation is reported one firing period after its 51st message, and not earlier."""
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
    """Later, earlier or repeated messages give no second report; 50 messages give no report."""
    events = [said(str(i), 60 - i) for i in range(53)]
    short = [said(f"s{i}", i, "short") for i in range(50)]
    other = [said(f"o{i}", i, "other") for i in range(60)]
    result = run_unbounded(
        [events[:50] + short, events[50:51], events[50:51], events[51:] + short, other, events]
    )
    assert told(result) == sorted([(hashed("c"), 51), (hashed("other"), 60)])


@pytest.mark.parametrize(("each", "in_all"), [(25, [51]), (51, [51, 51])])
def test_a_bridge_between_two_conversations(each: int, in_all: list[int]) -> None:
    """If two conversations become one long conversation by merging, that is reported once.

    If both were reported as long before the merge, the merged conversation is not reported again.
    """
    first = [said(f"a{i}", i) for i in range(each)]
    second = [said(f"b{i}", 40 * HOUR_S + i) for i in range(each)]
    bridge = said("bridge", 20 * HOUR_S)
    result = run_unbounded([first, second, [bridge], [bridge]])
    assert told(result) == [(hashed("c"), messages) for messages in in_all]
    assert result.accounts() == {
        ("read", ""): 2 * each + 2, ("counted", ""): 2 * each + 1, ("duplicate", ""): 1,
        ("conversation", ""): 1, ("tallied", ""): 1,
    }  # fmt: skip

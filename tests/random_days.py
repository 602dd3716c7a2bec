"""Random conversations, messages and days, for property tests."""

from __future__ import annotations

import random
from collections.abc import Sequence

from hypothesis import strategies as st

from schemas.labels import (
    TYPES,
    USES,
)
from schemas.records import ConversationSummary, ScoredMessage
from tests.builders import (
    GAP_US,
    SECOND_US,
    assistant_scores,
    human_scores,
    scored,
    summary,
)
from transforms.classifiers.interface import (
    HUMAN_WIDTH,
)


def scored_messages(events: int = 8, spans: int = 1) -> st.SearchStrategy[ScoredMessage]:
    """Draws a message of a single conversation, with one of `events` event ids.

    Because there are few ids, they collide: the same event is repeated with a different time, role
    or scores. There are also few different times. They lie in the first five seconds of `spans`
    session gaps, and up to two microseconds after a full second. Therefore some gaps between
    messages equal the session gap, and some are a microsecond longer.
    """
    at_us = st.builds(
        lambda span, second, offset: span * GAP_US + second * SECOND_US + offset,
        st.integers(0, spans - 1),
        st.integers(0, 4),
        st.sampled_from([0, 0, 0, 1, 2]),
    )
    type_sets = st.sets(st.sampled_from(TYPES), max_size=2)
    human = st.builds(human_scores, type_sets, st.sampled_from(USES[1:]), st.integers(-2, 2))
    assistant = st.builds(assistant_scores, st.sampled_from([-128, -1, 0, 90]), st.integers(0, 7))
    packed = st.one_of(human, human, assistant)
    return st.builds(
        lambda event, instant, scores, user, platform: scored(
            event, at_us=instant, is_human=len(scores) == HUMAN_WIDTH, scores=scores, user=user,
            platform=platform,
        ),
        st.integers(0, events - 1),
        at_us,
        packed,
        st.sampled_from(["ada", "bob", ""]),
        st.sampled_from(["web", "ios", None]),
    )  # fmt: skip


@st.composite
def conversations(
    draw: st.DrawFn, max_size: int = 20, events: int = 12, spans: int = 1
) -> list[ScoredMessage]:
    """Draws messages of one conversation; some are exact or conflicting duplicates of others."""
    drawn = draw(st.lists(scored_messages(events, spans), min_size=1, max_size=max_size))
    again = draw(st.lists(st.sampled_from(drawn), max_size=4))
    return draw(st.permutations(drawn + again))


@st.composite
def splits(draw: st.DrawFn, messages: Sequence[ScoredMessage]) -> list[list[ScoredMessage]]:
    """Splits messages into lists, which come in any order; some lists occur twice."""
    shares = draw(st.integers(1, 4))
    parts: list[list[ScoredMessage]] = [[] for _ in range(shares)]
    for each in draw(st.permutations(list(messages))):
        parts[draw(st.integers(0, shares - 1))].append(each)
    parts += draw(st.lists(st.sampled_from(parts), max_size=2))
    return [part for part in parts if part]


@st.composite
def summaries(draw: st.DrawFn, users: int = 6, hours: int = 3) -> ConversationSummary:
    """Draws a summary; there are few users, hours and values, so that summaries share cells."""
    types = draw(st.sets(st.sampled_from(TYPES[:3]), max_size=2))
    edges = [None, *types]
    return summary(
        draw(st.sampled_from(["", *(f"u{i}" for i in range(users))])),
        draw(st.integers(0, hours - 1)) * 3600.0,
        types=types,
        use=draw(st.sampled_from(["work", "technical"])),
        human_messages=draw(st.sampled_from([0, 1, 4, 5, 6, 50, 51, 101])),
        opening=draw(st.sampled_from(edges)),
        closing=draw(st.sampled_from(edges)),
        change=draw(st.integers(-600, 600)),
        reasons=draw(st.sampled_from([0, 0, 1, 6])),
        platform=draw(st.sampled_from(["web", "ios"])),
        country=draw(st.sampled_from(["DE", "FR", "unknown"])),
    )


def busy_day(conversations: int, seed: int) -> list[ConversationSummary]:
    """Makes many summaries of one day; similar to `summaries`, but faster.

    There are half as many users as conversations, and a few conversations without a user. Types,
    drifts and lengths are unevenly spread. So there are cells just below, at and just above a small
    threshold.
    """
    chance = random.Random(seed)
    users = [f"u{i}" for i in range(max(1, conversations // 2))] + [""]

    def one() -> ConversationSummary:
        kinds: list[tuple[str, ...]] = [(), TYPES[:1], TYPES[1:2], TYPES[:2], TYPES[5:]]
        types = chance.choices(kinds, (5, 3, 2, 1, 1))[0]
        edges: list[str | None] = [None, *types]
        return summary(
            chance.choice(users),
            chance.choices(range(3), (5, 3, 1))[0] * 3600.0,
            types=types,
            use=chance.choices(["work", "technical", "leisure"], (5, 3, 1))[0],
            human_messages=chance.choices([0, 1, 5, 6, 50, 51, 101], (1, 6, 4, 4, 2, 2, 1))[0],
            opening=chance.choice(edges),
            closing=chance.choice(edges),
            change=chance.randint(-600, 600),
            reasons=chance.choices([0, 1, 6], (8, 2, 1))[0],
            platform=chance.choices(["web", "ios"], (3, 2))[0],
            country=chance.choices(["DE", "FR", "unknown"], (5, 3, 1))[0],
        )

    return [one() for _ in range(conversations)]

"""Computes the expected contents of the tables from the plan of a simulation.

The definitions are implemented a second time, without `transforms`, so that the same mistake is
unlikely to be in both implementations. The expected contents are based on the planned labels. A
real classifier is measured against them, and a `LabelReader` must match them exactly.
"""

from __future__ import annotations

import hmac
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Final, NamedTuple

from pipelines.simulator.records import PlannedMessage
from schemas.breakdowns import ATTRIBUTES, UNKNOWN
from schemas.labels import (
    AFFECTIVE_TYPES,
    MIN_ROLEPLAY_HUMAN_MESSAGES,
    NO_TYPE,
    PUSHBACK_TYPES,
    ROLEPLAY_TYPES,
    TYPES,
    USES,
)

ALL: Final = "all"
AFFECTIVE: Final = "affective"
OTHER: Final = "other"
LEISURE: Final = "leisure"

FACETS: Final = frozenset((
    "all", "companionship_and_roleplay", "drift", "drift_headline", "drift_long",
    "drift_long_headline", "length", "long", "opening", "opening_long", "pushback",
    "pushback_reason", "sentiment", "type", "use",
))  # fmt: skip
"""The facets that are counted here. A comparison with the job leaves other facets out."""

_HOUR_US: Final = 3_600_000_000
_DAY_US: Final = 24 * _HOUR_US
_ENDS: Final = 3
_HALF_POINT: Final = 50
"""Half a point of mood, in hundredths of a point."""
_LONG_OVER: Final = 50
_MIN_FOR_CHANGE: Final = 6
_BINS: Final = {1: "0-1", 2: "2", 3: "3", 5: "4-5", 10: "6-10", 20: "11-20", 50: "21-50",
                100: "51-100", 200: "101-200"}  # fmt: skip
"""The name of each length bin, by the largest number of human messages in it."""
_SAID_BY_LENGTH: Final = {
    "overall": ("length",),
    "length": (
        "length",
        "long",
        "drift_long",
        "opening_long",
        "drift_long_headline",
    ),
}
"""Facets that a breakdown omits, because the breakdown `length` gives the same numbers."""


class CellName(NamedTuple):
    """The key of a cell in the table `aggregates`; `window_start_us` is in microseconds."""

    granularity: str
    window_start_us: int
    breakdown: str
    breakdown_value: str
    facet: str
    facet_value: str


class Sums(NamedTuple):
    """The sums of a cell.

    Only the facet `sentiment` has sums of changes, in three-hundredths of a point.
    """

    conversations: int
    users: int
    sentiment_change_300ths: int
    sentiment_change_squares: int


class Conversation(NamedTuple):
    """The true labels of a conversation, as the tables name them.

    Attributes:
      started_at_us: time of the first message, microseconds since the epoch.
      user: id of the user; None if no message states it.
      breakdowns: breakdown and value, from `overall` to `length`.
      facets: each facet and value for which the conversation is counted.
      change_300ths: sentiment change in three-hundredths of a point; 0 if undefined.
    """

    started_at_us: int
    user: str | None
    breakdowns: tuple[tuple[str, str], ...]
    facets: tuple[tuple[str, str], ...]
    change_300ths: int


Tell = Callable[[str, Conversation, Sequence[PlannedMessage]], object]


class _Ranked(NamedTuple):
    rank: bytes
    started_at_us: int
    conversation: Conversation


class Truth:
    """Adds up the expected cells and the expected ledger.

    The sums of a day are computed only when it is closed, because its distinct users are not known
    earlier.
    """

    def __init__(
        self,
        session_gap_us: int,
        max_conversations_per_user: int = 100,
        secret: bytes = b"",
        tell: Tell | None = None,
    ) -> None:
        """Starts with no conversations.

        Args:
          session_gap_us: the session gap.
          max_conversations_per_user: how many of a user's conversations count on a day.
          secret: the operator's secret, which decides which conversations of a user count. It does
            not matter unless a user has more than `max_conversations_per_user` on a day.
          tell: called with the id, the labels and the messages of each conversation.
        """
        self._tell = tell
        self._rank_key = hmac.digest(secret, b"undertone rank\x01", "sha512")
        self._gap_us = session_gap_us
        self._limit = max_conversations_per_user
        self._open: dict[int, dict[str | None, list[_Ranked]]] = {}
        self._closed_before_us = -(2**63)
        self._windows: dict[tuple[str, int, str, str], dict[tuple[str, str], list[int]]] = {}
        self._ledger: Counter[tuple[str, str]] = Counter()

    def add_thread(
        self, conversation_id: str, messages: Sequence[PlannedMessage], *, tells_language: bool
    ) -> None:
        """Adds all messages that have the same conversation id.

        Args:
          conversation_id: as in the events.
          messages: one or more messages in time order, with no duplicates or late messages.
          tells_language: whether the language is detected from the text if no event states it.

        Raises:
          ValueError: if the day on which a conversation starts is closed.
        """
        for span in split_at_gaps(messages, self._gap_us):
            conversation = describe(span, tells_language=tells_language)
            if self._tell:
                self._tell(conversation_id, conversation, span)
            day_us = conversation.started_at_us // _DAY_US * _DAY_US
            if day_us < self._closed_before_us:
                raise ValueError(
                    f"a conversation starts on the day that begins {day_us} µs after the epoch, "
                    "but that day is already closed; add conversation ids in time order"
                )
            by_user = self._open.setdefault(day_us, {})
            ranked = _Ranked(
                self._rank_of(conversation_id), conversation.started_at_us, conversation
            )
            by_user.setdefault(conversation.user, []).append(ranked)

    def record(self, account: str, reason: str = "") -> None:
        """Counts one published event under the ledger account in which it is expected."""
        self._ledger["read", ""] += 1
        self._ledger[account, str(reason)] += 1

    def close_before(self, instant_us: int) -> None:
        """Closes and sums the days that end by this instant.

        A closed day accepts no more conversations.
        """
        self._closed_before_us = max(self._closed_before_us, instant_us // _DAY_US * _DAY_US)
        for day_us in [day for day in self._open if day < self._closed_before_us]:
            for user, ranked in self._open.pop(day_us).items():
                counted = ranked if user is None else sorted(ranked)[: self._limit]
                self._sum([r.conversation for r in counted], has_user=user is not None)

    def cells(self) -> Iterator[tuple[CellName, Sums]]:
        """Closes all days and yields every cell, in any order."""
        self.close_before(max(self._open, default=0) + _DAY_US)
        for window, facets in self._windows.items():
            for facet, sums in facets.items():
                yield CellName(*window, *facet), Sums(*sums)

    def ledger(self) -> dict[tuple[str, str], int]:
        """Returns the number of events by (account, reason) of the ledger."""
        return dict(self._ledger)

    def _rank_of(self, conversation_id: str) -> bytes:
        """Returns a conversation's rank.

        Of the conversations of one user, those with the smallest ranks are counted.
        """
        return blake2b(conversation_id.encode(), key=self._rank_key, digest_size=8).digest()

    def _sum(self, conversations: Sequence[Conversation], *, has_user: bool) -> None:
        """Adds the conversations of one day that are from one user, or from unknown users."""
        met: set[tuple[object, ...]] = set()
        for conversation in conversations:
            change = conversation.change_300ths
            for window in _windows_of(conversation):
                sums_of = self._windows.setdefault(window, {})
                for facet in _reported(conversation.facets, window[2]):
                    sums = sums_of.setdefault(facet, [0, 0, 0, 0])
                    sums[0] += 1
                    if has_user and (window, facet) not in met:
                        met.add((window, facet))
                        sums[1] += 1
                    if facet[0] == "sentiment":
                        sums[2] += change
                        sums[3] += change * change


def split_at_gaps(messages: Sequence[PlannedMessage], gap_us: int) -> list[list[PlannedMessage]]:
    """Splits a thread at each silence that is longer than `gap_us`."""
    spans: list[list[PlannedMessage]] = [[]]
    for message in messages:
        if spans[-1] and message.sent_at_us - spans[-1][-1].sent_at_us > gap_us:
            spans.append([])
        spans[-1].append(message)
    return spans


def describe(messages: Sequence[PlannedMessage], *, tells_language: bool) -> Conversation:
    """Returns the true labels of a conversation, given its messages in time order."""
    human = [message for message in messages if message.is_human]
    count = len(human)
    opening = _end_type([m.kind for m in human[:_ENDS]], count, latest=False)
    closing = _end_type([m.kind for m in human[-_ENDS:]], count, latest=True)
    moods = [message.half_points * _HALF_POINT for message in human]
    has_change = count >= _MIN_FOR_CHANGE
    change_300ths = sum(moods[-_ENDS:]) - sum(moods[:_ENDS]) if has_change else 0
    reasons = {message.pushback_reason for message in messages} - {None}
    stated = {name: _first_stated(messages, i) for i, name in enumerate(ATTRIBUTES)}
    if stated["language"] is not None:
        stated["language"] = stated["language"].split("-")[0].lower()
    elif tells_language and human:
        stated["language"] = human[0].language
    use = _use_of(opening, closing, human)
    length = length_bin(count)
    return Conversation(
        messages[0].sent_at_us,
        next((message.user for message in messages if message.user), None),
        (
            ("overall", ALL),
            *((name, value or UNKNOWN) for name, value in stated.items()),
            ("length", length),
        ),
        _facets(
            opening, closing, use, length, count > _LONG_OVER, has_change,
            tuple(sorted(reason for reason in reasons if reason)),
        ),
        change_300ths,
    )  # fmt: skip


def length_bin(human_messages: int) -> str:
    """Returns the name of the bin for a number of human messages."""
    return next((name for high, name in _BINS.items() if human_messages <= high), "201+")


def _end_type(kinds: Sequence[str], human_messages: int, *, latest: bool) -> str:
    """Returns the most frequent type in the opening or closing; `none` counts as a type.

    If types are tied, the earliest of them wins in the opening, and the latest in the closing. A
    roleplay that is too short to count becomes `none`.
    """
    types = [kind if kind in TYPES else NO_TYPE for kind in kinds]
    if latest:
        types.reverse()
    if not types:
        return NO_TYPE
    end_type = max(types, key=types.count)  # On a tie, `max` returns the first of the tied types.
    is_short = human_messages < MIN_ROLEPLAY_HUMAN_MESSAGES
    return NO_TYPE if is_short and end_type in ROLEPLAY_TYPES else end_type


def _use_of(opening: str, closing: str, human: Sequence[PlannedMessage]) -> str:
    """Returns `affective` if the opening or closing is affective, otherwise the most frequent use.

    If uses are tied, the one that comes first in `USES` wins.
    """
    if opening in AFFECTIVE_TYPES or closing in AFFECTIVE_TYPES:
        return AFFECTIVE
    # Interactive fiction is leisure, even if it is too short to count as roleplay.
    votes = Counter(LEISURE if m.kind in ROLEPLAY_TYPES else m.kind for m in human)
    return max((use for use in USES if votes[use]), key=lambda use: votes[use], default=OTHER)


@lru_cache(maxsize=65_536)
def _facets(
    opening: str,
    closing: str,
    use: str,
    length: str,
    is_long: bool,
    has_change: bool,
    reasons: tuple[str, ...],
) -> tuple[tuple[str, str], ...]:
    """Returns every facet and value for which the conversation is counted."""
    types = [name for name in TYPES if name in (opening, closing)]
    groups = [ALL, *([AFFECTIVE] if use == AFFECTIVE else []), *types]
    drift = f"{opening}>{closing}"
    turns = ["coaching_or_counseling"] if opening in ("coaching", "counseling") else []
    turns += ["companionship"] if turns and closing == "companionship" else []
    facets = [("all", ALL), ("use", use), ("length", length), ("drift", drift)]
    facets += [("opening", opening)] + [("drift_headline", turn) for turn in turns]
    facets += [("type", name) for name in types]
    if {"companionship", *ROLEPLAY_TYPES} & set(types):
        facets += [("companionship_and_roleplay", "any")]
    if is_long:
        facets += [("long", group) for group in groups] + [("drift_long", drift)]
        facets += [("opening_long", opening)] + [("drift_long_headline", turn) for turn in turns]
    if has_change:
        facets += [("sentiment", group) for group in groups]
    if reasons:
        facets += [("pushback", ALL)]
        facets += [("pushback", name) for name in types if name in PUSHBACK_TYPES]
        facets += [("pushback_reason", reason) for reason in reasons]
    return tuple(facets)


@lru_cache(maxsize=65_536)
def _reported(facets: tuple[tuple[str, str], ...], breakdown: str) -> tuple[tuple[str, str], ...]:
    said = _SAID_BY_LENGTH.get(breakdown, ())
    return tuple(facet for facet in facets if facet[0] not in said)


def _windows_of(conversation: Conversation) -> Iterator[tuple[str, int, str, str]]:
    for granularity, size_us in (("hour", _HOUR_US), ("day", _DAY_US)):
        start_us = conversation.started_at_us // size_us * size_us
        for breakdown, value in conversation.breakdowns:
            yield granularity, start_us, breakdown, value


def _first_stated(messages: Sequence[PlannedMessage], attribute: int) -> str | None:
    stated = (message.attributes[attribute] for message in messages)
    return next((value for value in stated if value), None)

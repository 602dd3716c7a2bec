"""Defines a fixed value of each type in state or shuffles, and the file with its bytes.

A running job's state outlives its code: after an update, new code reads what old code wrote. So
`state/` has a file for each layout ever deployed, named by type, case and layout version. Every
version of the code must read all these files. If a field was appended later, it has its default in
the values here. Therefore files of the older layout still give the same values.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from schemas.counts import CountsRow
from schemas.judged import CandidatesRow
from schemas.records import (
    ConversationSummary,
    DeadLetter,
    DeadLetterRow,
    LedgerEntry,
    LedgerTotal,
    LongConversation,
    SignedSummary,
)
from transforms.coders import CanonicalCoder
from transforms.conversation.history import ConversationHistory
from transforms.conversation.spans import Span
from transforms.conversation.state import ConversationState, Statement
from transforms.counting.candidates import Candidates, candidate_of
from transforms.counting.cells import Sums, day_of
from transforms.counting.ledger import RunningTotals
from transforms.counting.profile import Profile
from transforms.counting.register import DayRegister, Stamp
from transforms.counting.running import RunningPlace
from transforms.counting.totals import PlaceChange
from transforms.counting.user_day import Remembered, UserDay
from transforms.counting.windows import day_window, hour_of
from transforms.facets.facet import Traits
from transforms.facets.registry import INDEX, Slice

FOLDER: Final = Path(__file__).parent / "state"

LAYOUTS: Final[Mapping[type[Any], int]] = {
    CandidatesRow: 1,
    ConversationHistory: 4,
    ConversationState: 3,
    ConversationSummary: 2,
    CountsRow: 1,
    DayRegister: 1,
    DeadLetter: 1,
    DeadLetterRow: 1,
    LedgerEntry: 1,
    LedgerTotal: 2,
    LongConversation: 1,
    Span: 3,
    PlaceChange: 5,
    RunningPlace: 2,
    SignedSummary: 2,
    UserDay: 5,
    RunningTotals: 1,
}
"""The layout version that today's code writes. In `SELF_VERSIONED` the bytes contain it."""

SELF_VERSIONED: Final[Mapping[type[Any], int]] = {
    ConversationHistory: 0,
    ConversationState: 0,
    Span: 4,  # After the number of messages.
    DayRegister: 0,
    PlaceChange: 0,
    RunningPlace: 0,
    UserDay: 0,
    RunningTotals: 0,
}
"""Position of the version in the bytes, after the one byte that starts a MessagePack array."""

STATES: Final[Mapping[str, type[Any]]] = {
    "cells": UserDay,
    "history": ConversationHistory,
    "ledger": RunningTotals,
    "register": DayRegister,
    "totals": RunningPlace,
}
"""The type of each state in the unbounded job, by the name of its spec."""


class Golden(NamedTuple):
    """A value whose bytes are in a golden file."""

    value: Any
    case: str = "plain"

    @property
    def name(self) -> str:
        """The type and the case of the value, which together name it."""
        return f"{type(self.value).__name__.strip('_')}-{self.case}"

    @property
    def file_name(self) -> str:
        """The name of the file that has the value's bytes in today's layout."""
        return f"{self.name}.v{LAYOUTS[type(self.value)]}.bin"

    @property
    def coder(self) -> CanonicalCoder:
        """The coder that writes and reads the value."""
        return CanonicalCoder(type(self.value))


_AT_US: Final = 1_767_225_600_000_000  # 2026-01-01T00:00:00Z
_MINUTE_US: Final = 60_000_000
_USER: Final = "0011223344556677"


def _event(number: int) -> bytes:
    return bytes([number]) * 8


def _human(minute: int) -> bytes:
    at_us = _AT_US + minute * _MINUTE_US
    return at_us.to_bytes(8, "big") + _event(minute) + bytes(range(240, 256)) + bytes([minute])


def _said(minute: int, value: str) -> Statement:
    return Statement(_AT_US + minute * _MINUTE_US, _event(minute), value)


_SHORT: Final = ConversationState(
    first_at_us=_AT_US,
    last_at_us=_AT_US + 2 * _MINUTE_US,
    human=frozenset([_human(0), _human(2)]),
    human_ends=frozenset(),
    is_human_sampled=False,
    assistant=frozenset([_event(1)]),
    is_assistant_sampled=False,
    stated=(_said(0, _USER), _said(0, "web"), None, _said(2, "zh-Hant"), None, None),
    pushback=bytes([0, 170, 0, 0, 0, 0, 0, 1]),
)
_ALL_STATED: Final = replace(
    _SHORT,
    stated=(
        _said(0, _USER),
        _said(1, "web"),
        _said(2, "DE"),
        _said(0, "zh-Hant"),
        _said(1, "plus"),
        _said(2, "m-1"),
    ),
)
_SAMPLED: Final = ConversationState(
    first_at_us=_AT_US - 9 * _MINUTE_US,
    last_at_us=_AT_US + 99 * _MINUTE_US,
    human=frozenset(map(_human, range(10, 15))),
    human_ends=frozenset([_human(3), _human(98)]),
    is_human_sampled=True,
    assistant=frozenset(map(_event, range(20, 24))),
    is_assistant_sampled=True,
    stated=(None,) * 6,
    pushback=bytes(8),
)
_BRIEF: Final = ConversationSummary(
    started_at_us=_AT_US,
    user=_USER,
    breakdowns=("web", "unknown", "zh-Hant", "unknown", "unknown"),
    human_messages=2,
    assistant_messages=1,
    types=0,
    use=1,
    opening_type=-1,
    closing_type=-1,
    sentiment_change_300ths=None,
    pushback_reasons=0b10000010,
    gate_logit=-128,
)
_LENGTHY: Final = ConversationSummary(
    started_at_us=_AT_US - 9 * _MINUTE_US,
    user="",
    breakdowns=("ios", "DE", "de", "plus", "m-1"),
    human_messages=300,
    assistant_messages=298,
    types=0b100001,
    use=0,
    opening_type=0,
    closing_type=5,
    sentiment_change_300ths=-7,
    pushback_reasons=0,
    gate_logit=17,
)
_PROFILE: Final = Profile(
    start_us=86_399_999_999,
    stated=_LENGTHY.breakdowns,
    traits=Traits(
        human_messages=300,
        assistant_messages=298,
        types=0b100001,
        use=0,
        opening_type=0,
        closing_type=5,
        has_change=True,
        pushback_reasons=1,
    ),
    change=-7,
    gate_logit=17,
)


def _slice(facet: str, value: str) -> int:
    return INDEX[Slice(facet, value)]


def _counted(conversations: int, users: int, key: int) -> Sums:
    return Sums(conversations, users, key, change=0, change_squares=0)


_CELLS: Final = {
    _slice("all", "all"): _counted(1200, 900, key=4_294_967_295),
    _slice("type", "romantic_roleplay"): _counted(31, 30, key=1),
    _slice("use", "affective"): _counted(29, 28, key=2),
    _slice("length", "51-100"): _counted(-1, -1, key=-7),
    _slice("long", "affective"): _counted(27, 26, key=3),
    _slice("sentiment", "coaching"): Sums(70, 66, key=12, change=-123, change_squares=987),
    _slice("pushback", "all"): _counted(25, 24, key=4),
    _slice("pushback_reason", "self_harm"): _counted(23, 22, key=5),
    _slice("drift", "coaching>companionship"): _counted(21, 20, key=6),
    _slice("drift_long", "none>none"): _counted(19, 18, key=8),
    _slice("opening", "counseling"): _counted(17, 16, key=9),
    _slice("drift_headline", "coaching_or_counseling"): _counted(15, 14, key=10),
    _slice("opening_long", "none"): _counted(13, 12, key=11),
    _slice("drift_long_headline", "companionship"): _counted(11, 10, key=13),
    _slice("companionship_and_roleplay", "any"): _counted(9, 8, key=14),
}
_CANDIDATES: Final = Candidates(
    {
        candidate_of(_event(7), day_of(_AT_US), _PROFILE): 1,
        candidate_of(_event(8), day_of(_AT_US), _PROFILE._replace(gate_logit=-128)): -1,
    },
    edge=2**63 - 1,
)
_PLACES: Final = frozenset(
    (*window, *place)
    for window in (day_window(_AT_US), hour_of(_AT_US))
    for place in (
        (0, "all"),
        (1, "web"),
        (2, "DE"),
        (3, "zh-Hant"),
        (4, "plus"),
        (5, "m-1"),
        (6, "51-100"),
    )
)
"""A place of each breakdown, by the id that stored state contains, in an hour and in a day."""
_ROW: Final = CountsRow(
    window_kind="hour",
    window_start_us=_AT_US,
    window_end_us=_AT_US + 60 * _MINUTE_US,
    breakdown="country",
    breakdown_value="DE",
    conversations=25,
    users=21,
    cells='{"all":{"all":[25,21,7,0,0]}}',
    generation=_AT_US - 1,
    snapshot=_AT_US,
    revision=_AT_US + 5,
    origin="stream",
    key_id="0a1b2c3d",
    metrics_version="2",
    classifier_version="labels",
)
_CANDIDATES_ROW: Final = CandidatesRow(
    window_start_us=_AT_US,
    window_end_us=_AT_US + 60 * _MINUTE_US,
    edge=None,
    candidates="[]",
    generation=_AT_US - 1,
    snapshot=_AT_US,
    revision=_AT_US + 5,
    origin="stream",
    key_id="0a1b2c3d",
    metrics_version="2",
    classifier_version="labels",
)
_LATE: Final = DeadLetter(
    stage="decode",
    reason="late",
    source="events",
    event="e-1",
    conversation="c-1",
    sent_at_us=_AT_US,
    published_at_us=_AT_US + _MINUTE_US,
    size_bytes=321,
    payload_hash="0f" * 32,
)
_UNREADABLE: Final = msgspec.structs.replace(
    _LATE, event=None, conversation=None, sent_at_us=None, published_at_us=None
)

# Fields are given by name. By position, two fields that swapped places would go unnoticed.
GOLDEN: Final[tuple[Golden, ...]] = (
    Golden(_SHORT, "short"),
    Golden(_ALL_STATED, "all-stated"),
    Golden(_SAMPLED, "sampled"),
    Golden(Span(messages=5, state=_SHORT)),
    Golden(
        ConversationHistory(spans=(Span(messages=3, state=_SHORT),), published=(_BRIEF,)),
        "one-span",
    ),
    Golden(
        ConversationHistory(
            spans=(Span(messages=3, state=_SHORT), Span(messages=640, state=_SAMPLED)),
            published=(_BRIEF, _LENGTHY),
        ),
        "two-spans",
    ),
    Golden(UserDay(known=(Remembered(rank=_event(7), profile=_PROFILE, times=1),), limit=100)),
    Golden(
        UserDay(
            known=(
                Remembered(
                    rank=_event(7),
                    profile=_PROFILE._replace(
                        start_us=0, traits=_PROFILE.traits._replace(has_change=False), change=0
                    ),
                    times=-1,
                ),
                Remembered(rank=_event(7), profile=_PROFILE, times=3),
            ),
            limit=100,
        ),
        "retracted-first",
    ),
    Golden(
        UserDay(
            known=(Remembered(rank=_event(7), profile=_PROFILE, times=1),),
            limit=1,
            edge=_event(9),
            beyond=4_900,
        ),
        "over-limit",
    ),
    Golden(PlaceChange(_CELLS, revisions=3, candidates=_CANDIDATES)),
    Golden(PlaceChange(), "touched"),
    Golden(RunningPlace(Stamp(_AT_US - 1, _AT_US), _AT_US + 3, _CELLS, _CANDIDATES)),
    Golden(
        DayRegister(
            Stamp(generation=_AT_US - 1, snapshot=_AT_US),
            revision=_AT_US + 3,
            places=_PLACES,
        ),
        "open",
    ),
    Golden(DayRegister(is_closed=True), "closed"),
    Golden(
        RunningTotals(
            run=_AT_US,
            revision=_AT_US + 5,
            sums=Counter({("read", ""): 7, ("dead_letter", "invalid_role"): 2, ("late", ""): 0}),
        )
    ),
    Golden(_BRIEF, "brief"),
    Golden(_LENGTHY, "lengthy"),
    Golden(SignedSummary(sign=-1, summary=_BRIEF)),
    Golden(
        LongConversation(
            conversation=bytes(range(16)).hex(),
            started_at_us=_AT_US,
            last_at_us=_AT_US + _MINUTE_US,
            human_messages=51,
        )
    ),
    Golden(LedgerEntry(account="open_at_drain", reason="2026-01-01", records=-2)),
    Golden(
        LedgerTotal(
            run=_AT_US,
            account="dead_letter",
            reason="oversize",
            records=12,
            revision=_AT_US + 9,
        )
    ),
    Golden(_LATE, "late"),
    Golden(_UNREADABLE, "unreadable"),
    Golden(DeadLetterRow.of(_LATE, run=_AT_US, origin="batch", ingested_at_us=_AT_US + 7)),
    Golden(_ROW),
    Golden(_CANDIDATES_ROW),
)

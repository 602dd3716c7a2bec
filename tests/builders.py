"""Builders of messages, events and summaries, and Hypothesis strategies that draw hard cases.

Times are seconds after `MONDAY_US`. All defaults are valid, so a test sets only the values
that it needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from schemas.breakdowns import ATTRIBUTES
from schemas.labels import (
    AFFECTIVE_TYPES,
    MIN_ROLEPLAY_HUMAN_MESSAGES,
    ROLEPLAY_TYPES,
    TYPES,
    USES,
)
from schemas.records import ConversationSummary, PseudonymousMessage, ScoredMessage
from transforms.classifiers.interface import (
    AFFECTIVE,
    HUMAN_WIDTH,
    LANGUAGE,
    NO_INDEX,
    NO_LOGIT,
    SENTIMENT,
    TYPE_COLUMNS,
    USE_COLUMNS,
    WIDTH,
    Judgements,
)
from transforms.conversation.pseudonyms import Pseudonyms
from transforms.counting.contribution import Rank, rank_of

MONDAY_US: Final = 1_748_822_400_000_000
"""2025-06-02, 00:00 UTC."""
SECOND_US: Final = 1_000_000
HOUR_US: Final = 3600 * SECOND_US
GAP_US: Final = 24 * HOUR_US
"""The session gap in docs/metrics.md."""

NO_ATTRIBUTES: Final[tuple[str | None, ...]] = (None,) * len(ATTRIBUTES)
_ABSENT: Final = -40
"""Packed logit (eighths) of a label that is absent, and its negative if present: 5 logits."""

OPERATOR_SECRET: Final = b"a secret of the tests, 32 bytes."
"""All tests have it as their local secret too; see `conftest`."""
PSEUDONYMS: Final = Pseudonyms(OPERATOR_SECRET)


def load_pseudonyms() -> Pseudonyms:
    """Loads the secret of the tests, in place of a file."""
    return Pseudonyms(OPERATOR_SECRET)


def event_hash(event: str | int) -> bytes:
    """Returns the 8-byte hash with which `decode` replaces an event id."""
    return PSEUDONYMS.event(str(event))


def user_hash(user: str) -> str:
    """Returns the 16 hex digits with which `decode` replaces a user id; empty stays empty."""
    return PSEUDONYMS.user(user) if user else ""


def rank_for(conversation: object) -> Rank:
    """Returns the rank of the conversation with this id."""
    return rank_of(PSEUDONYMS.conversation(str(conversation)))


def human_scores(
    types: Iterable[str] = (), use: str = "other", sentiment: int = 0, language: int = 0
) -> bytes:
    """Returns the packed scores of a human message.

    The message is affective if any of its types is.

    Args:
      types: names of its types.
      use: name of its use.
      sentiment: sentiment in hundredths of a point, -100..100.
      language: index into `labels.LANGUAGES`.
    """
    row = np.full(HUMAN_WIDTH, _ABSENT, np.int8)
    names = set(types)
    row[AFFECTIVE] = -_ABSENT if names & set(AFFECTIVE_TYPES) else _ABSENT
    for name in names:
        row[TYPE_COLUMNS.start + TYPES.index(name)] = -_ABSENT
    if use != "affective":
        row[USE_COLUMNS.start + USES.index(use) - 1] = -_ABSENT
    row[SENTIMENT] = sentiment
    row[LANGUAGE] = language
    return row.tobytes()


def assistant_scores(pushback: int = NO_LOGIT + 1, reason: int = 0) -> bytes:
    """Returns an assistant message's packed scores: pushback logit in eighths, reason index."""
    return np.array([pushback, reason], np.int8).tobytes()


def scored(
    event: str | int = "e0",
    at_s: float = 0.0,
    *,
    is_human: bool = True,
    scores: bytes | None = None,
    user: str = "ada",
    conversation: str = "c0",
    at_us: int | None = None,
    **attributes: str | None,
) -> ScoredMessage:
    """Builds a scored message, sent `at_s` seconds (or `at_us` microseconds) after `MONDAY_US`."""
    if scores is None:
        scores = human_scores() if is_human else assistant_scores()
    return ScoredMessage(
        conversation=PSEUDONYMS.conversation(conversation),
        event=event_hash(event),
        user=user_hash(user),
        is_human=is_human,
        sent_at_us=MONDAY_US + (round(at_s * SECOND_US) if at_us is None else at_us),
        attributes=_attributes(attributes),
        scores=scores,
    )


def talk(
    humans: int, assistants: int = 0, *, step_s: float = 60.0, **fields: Any
) -> list[ScoredMessage]:
    """Builds a conversation: one human and one assistant message every `step_s` seconds.

    Args:
      humans: number of human messages.
      assistants: number of assistant messages.
      step_s: seconds from one message of a role to the next.
      fields: arguments of `scored` for every message.
    """
    human = [scored(f"h{i}", i * step_s, **fields) for i in range(humans)]
    return human + [
        scored(f"a{i}", i * step_s + 1, is_human=False, **fields) for i in range(assistants)
    ]


def message(
    text: str = "hello",
    at_s: float = 0.0,
    *,
    is_human: bool = True,
    event_id: str = "e0",
    conversation_id: str = "c0",
    user_id: str | None = "ada",
    **attributes: str | None,
) -> PseudonymousMessage:
    """Builds a decoded message, sent `at_s` seconds after `MONDAY_US`."""
    return PseudonymousMessage(
        PSEUDONYMS.conversation(conversation_id),
        event_hash(event_id),
        user_hash(user_id or ""),
        is_human,
        text,
        MONDAY_US + round(at_s * SECOND_US),
        _attributes(attributes),
    )


def avro_event(**fields: Any) -> dict[str, Any]:
    """Builds a valid event in the form that fastavro reads; `fields` replace default values."""
    event: dict[str, Any] = {
        "event_id": "e0",
        "conversation_id": "c0",
        "user_id": "ada",
        "role": "HUMAN",
        "text": "hello",
        "sent_at_us": MONDAY_US,
        **dict.fromkeys(ATTRIBUTES),
        "message_index": None,
        "schema_version": 1,
        "published_at_us": None,
    }
    if unknown := fields.keys() - event.keys():
        raise ValueError(f"an event has no field {sorted(unknown)}; use one of {sorted(event)}")
    return {**event, **fields}


def summary(
    user: str = "ada",
    at_s: float = 0.0,
    *,
    types: Iterable[str] = (),
    use: str | None = None,
    human_messages: int = 3,
    opening: str | None = None,
    closing: str | None = None,
    change: int | None = None,
    reasons: int = 0,
    **attributes: str,
) -> ConversationSummary:
    """Builds a summary with consistent fields.

    Args:
      user: id of the user; empty if there is no user.
      at_s: start of the conversation, in seconds after `MONDAY_US`.
      types: names of its types. An affective type makes the use affective.
      use: name of its use, if no type is affective. The default is `other`.
      human_messages: number of human messages.
      opening: name of the opening type, or None.
      closing: name of the closing type, or None.
      change: sentiment change in three-hundredths of a point, 1 by default. The change is missing
        if there are fewer than six human messages.
      reasons: bit mask of pushback reasons.
      attributes: values of `ATTRIBUTES`, `unknown` by default.
    """
    names = set(types)
    is_affective = bool(names & set(AFFECTIVE_TYPES))
    values = _attributes(attributes)
    return ConversationSummary(
        started_at_us=MONDAY_US + round(at_s * SECOND_US),
        user=user_hash(user),
        breakdowns=tuple(value or "unknown" for value in values),
        human_messages=human_messages,
        assistant_messages=human_messages,
        types=sum(1 << TYPES.index(name) for name in names),
        use=USES.index("affective" if is_affective else use or "other"),
        opening_type=TYPES.index(opening) if opening else NO_INDEX,
        closing_type=TYPES.index(closing) if closing else NO_INDEX,
        sentiment_change_300ths=(1 if change is None else change) if human_messages >= 6 else None,
        pushback_reasons=reasons,
        gate_logit=20 if is_affective else -20,
    )


class PlainReader:
    """A classifier with a few simple rules that use only the sign of each message's logits.

    A conversation is affective if any of its messages is affective. Its types are all the types of
    its messages. Its opening type comes from the first three messages, its closing type from the
    last three. Two definitions apply: a conversation that is not affective has no affective type,
    and one with fewer than four human messages has no roleplay type.
    """

    version = "plain-1"
    pushback_threshold = 0

    def score(self, texts: Sequence[str], human: NDArray[np.bool_]) -> NDArray[np.int8]:
        """Scores a text by its words, which are names of types or uses, or `no` for pushback."""
        rows = np.zeros((len(texts), WIDTH), np.int8)
        for row, text, is_human in zip(rows, texts, human, strict=True):
            words = set(text.split())
            uses = [use for use in USES if use in words] or ["other"]
            if is_human:
                packed = human_scores(words & set(TYPES), uses[0])
                row[:HUMAN_WIDTH] = np.frombuffer(packed, np.int8)
                row[HUMAN_WIDTH:] = (NO_LOGIT, 0)
            else:
                row[HUMAN_WIDTH:] = (40 if "no" in words else -40, 0)
        return rows

    def judge(
        self,
        scores: NDArray[np.int8],
        starts: NDArray[np.int64],
        pushback: NDArray[np.int8],
        human_messages: NDArray[np.int64],
    ) -> Judgements:
        """Judges each conversation separately."""
        judged = [
            self._judge_one(scores[start:end], count)
            for start, end, count in zip(starts, starts[1:], human_messages.tolist(), strict=False)
        ]
        size = len(judged)
        affective = np.array([j[0] for j in judged], np.bool_)
        return Judgements(
            affective_logit=np.where(affective, 5.0, -5.0),
            type_logits=np.zeros((size, len(TYPES))),
            affective=affective,
            alert=affective,
            types=np.array([j[1] for j in judged], np.uint8),
            use=np.array([j[2] for j in judged], np.int8),
            opening_type=np.array([j[3] for j in judged], np.int8),
            closing_type=np.array([j[4] for j in judged], np.int8),
            pushback=pushback >= self.pushback_threshold,
            language=np.array([j[5] for j in judged], np.int8),
        )

    def _judge_one(
        self, rows: NDArray[np.int8], human_messages: int
    ) -> tuple[bool, int, int, int, int, int]:
        if not len(rows):
            return False, 0, USES.index("other"), NO_INDEX, NO_INDEX, 0
        is_affective = bool((rows[:, AFFECTIVE] > 0).any())
        types = self._types(rows, is_affective, human_messages)
        uses = rows[:, USE_COLUMNS].astype(np.int64).sum(axis=0)
        return (
            is_affective,
            sum(1 << index for index in types),
            0 if is_affective else 1 + int(uses.argmax()),
            min(self._types(rows[:3], is_affective, human_messages), default=NO_INDEX),
            min(self._types(rows[-3:], is_affective, human_messages), default=NO_INDEX),
            int(rows[0, LANGUAGE]),
        )

    def _types(self, rows: NDArray[np.int8], is_affective: bool, human_messages: int) -> set[int]:
        has = rows[:, TYPE_COLUMNS].max(axis=0).tolist()
        return {
            index
            for index, name in enumerate(TYPES)
            if has[index] > 0
            and (is_affective or name not in AFFECTIVE_TYPES)
            and (human_messages >= MIN_ROLEPLAY_HUMAN_MESSAGES or name not in ROLEPLAY_TYPES)
        }


def _attributes(values: dict[str, Any]) -> tuple[str | None, ...]:
    if unknown := values.keys() - set(ATTRIBUTES):
        raise ValueError(f"a message has no attribute {sorted(unknown)}; use one of {ATTRIBUTES}")
    return tuple(values.get(name) for name in ATTRIBUTES)

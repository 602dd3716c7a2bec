"""The labels of judged conversations, and the restricted tables of the sample and its labels.

The counting job writes `candidates`. The judging job chooses the day's sample from them, lets a
judge label the sampled conversations, and writes `sample` and `judgements`. No table holds text.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from schemas.labels import (
    AFFECTIVE_TYPES,
    MIN_ROLEPLAY_HUMAN_MESSAGES,
    NO_TYPE,
    PUSHBACK_REASONS,
    ROLEPLAY_TYPES,
    TYPES,
    USES,
)
from schemas.table import Column, Table

JUDGED: Final = "judged"
REFUSED: Final = "refused"
INVALID: Final = "invalid"
MISSING: Final = "missing"
STATUSES: Final = (JUDGED, REFUSED, INVALID, MISSING)
"""Values of the column `status` of `judgements`: the judge gave labels; it refused to; its answers
were not valid labels; or the conversation is no longer in the archive."""

_AFFECTIVE_USE: Final = USES[0]
_MOODS: Final = (-1.0, 1.0)


JUDGE_VERSION: Final = re.compile(r"[A-Za-z0-9._:/+@-]{1,160}")
"""A version of a judge that may be published. Analysts read it, so it must not hold any text."""

_OTHER_VERSION: Final = "other"


def judge_name(judge: str, version: str) -> str:
    """Returns the published name of a judge: the judge, a space, and its version."""
    shown = version if JUDGE_VERSION.fullmatch(version) else _OTHER_VERSION
    return f"{judge} {shown}"


class JudgedLabels(msgspec.Struct, frozen=True, kw_only=True):
    """What a judge says about one conversation; docs/metrics.md defines every label.

    Attributes:
      use: one of `labels.USES`. It is `affective` if and only if there is an affective type. A
        romantic roleplay that is too short to have its type is leisure.
      types: names of `labels.TYPES`, without repetition.
      opening_type, closing_type: the type of the first and of the last three human messages, or
        `labels.NO_TYPE`.
      pushback_reasons: names of `labels.PUSHBACK_REASONS`; empty if there was no pushback.
      mood_start, mood_end: mean mood of the first and of the last three human messages, from -1 to
        +1; None if the judge does not say.
    """

    use: str
    types: tuple[str, ...] = ()
    opening_type: str = NO_TYPE
    closing_type: str = NO_TYPE
    pushback_reasons: tuple[str, ...] = ()
    mood_start: float | None = None
    mood_end: float | None = None


def fault_of(labels: JudgedLabels, human_messages: int) -> str | None:
    """Returns a sentence that says why the labels are not valid, or None if they are.

    Args:
      labels: the labels to check.
      human_messages: how many human messages the conversation has. Roleplay needs at least four.
    """
    affective = [name for name in labels.types if name in AFFECTIVE_TYPES]
    checks: tuple[tuple[bool, str], ...] = (
        (labels.use in USES, f"use must be one of {', '.join(USES)}"),
        (_are_among(labels.types, TYPES), f"types must be different ones of {', '.join(TYPES)}"),
        (
            {labels.opening_type, labels.closing_type} <= {NO_TYPE, *TYPES},
            f"opening_type and closing_type must be {NO_TYPE} or one of {', '.join(TYPES)}",
        ),
        (
            _are_among(labels.pushback_reasons, PUSHBACK_REASONS),
            f"pushback_reasons must be different ones of {', '.join(PUSHBACK_REASONS)}",
        ),
        (
            all(_is_mood(mood) for mood in (labels.mood_start, labels.mood_end)),
            "mood_start and mood_end must be between -1 and 1, or null",
        ),
        (
            bool(affective) == (labels.use == _AFFECTIVE_USE),
            "use must be affective if and only if there is an affective type",
        ),
        (
            human_messages >= MIN_ROLEPLAY_HUMAN_MESSAGES
            or not set(labels.types) & set(ROLEPLAY_TYPES),
            f"{' and '.join(ROLEPLAY_TYPES)} need at least {MIN_ROLEPLAY_HUMAN_MESSAGES} human "
            "messages",
        ),
    )
    return next((sentence for is_met, sentence in checks if not is_met), None)


def _are_among(names: tuple[str, ...], known: tuple[str, ...]) -> bool:
    return len(set(names)) == len(names) and set(names) <= set(known)


def _is_mood(mood: float | None) -> bool:
    return mood is None or _MOODS[0] <= mood <= _MOODS[1]


class CandidatesRow(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One version of the conversations of one hour that may be sampled; a row of `CANDIDATES`.

    Attributes:
      edge: only conversations whose priority is below it are listed; None if all are.
      candidates: the conversations, as JSON; see `transforms.judging.candidates`.
      generation, snapshot, revision, origin, key_id: as in `schemas.counts.CountsRow`.
    """

    window_start_us: int
    window_end_us: int
    edge: int | None
    candidates: str
    generation: int
    snapshot: int
    revision: int
    origin: str
    key_id: str
    metrics_version: str
    classifier_version: str


class SampleRow(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One sampled conversation, and what the classifier decided about it; a row of `SAMPLE`.

    Attributes:
      conversation: keyed hash of the conversation id, 32 hex digits. It is another hash than the
        one in alerts.
      breakdowns: the values that the conversation has, as a JSON object by breakdown.
      probability: the probability with which the conversation was sampled, in (0, 1].
      gate_logit: the classifier's affective logit, in eighths, -128..127.
      types, use, opening_type, closing_type, pushback_reasons: as decided, with lists joined by
        commas.
      sentiment_change_300ths: as in `records.ConversationSummary`.
      attempt: start of the judging job, microseconds since the epoch. All rows of a day's largest
        attempt are the day's sample.
    """

    day_us: int
    conversation: str
    started_at_us: int
    breakdowns: str
    probability: float
    gate_logit: int
    human_messages: int
    assistant_messages: int
    types: str
    use: str
    opening_type: str
    closing_type: str
    pushback_reasons: str
    sentiment_change_300ths: int | None
    key_id: str
    metrics_version: str
    classifier_version: str
    attempt: int


class JudgementRow(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What one judge said about one conversation; a row of `JUDGEMENTS`.

    Attributes:
      conversation, started_at_us: the conversation, as in `SampleRow`.
      judge, judge_version: who judged, e.g. `labels` and the version of its definitions.
      status: one of `STATUSES`. All labels are None unless it is `JUDGED`.
      human_messages: how many human messages the judge saw.
      types, pushback_reasons: names joined by commas.
      cost: what the judgement cost, in the currency of the prices that were given; 0 if free.
    """

    day_us: int
    conversation: str
    started_at_us: int
    judge: str
    judge_version: str
    status: str
    human_messages: int
    use: str | None
    types: str | None
    opening_type: str | None
    closing_type: str | None
    pushback_reasons: str | None
    mood_start: float | None
    mood_end: float | None
    cost: float
    judged_at_us: int


def judgement_labels(row: JudgementRow) -> JudgedLabels | None:
    """Returns the labels of a row, or None if the conversation was not judged."""
    if row.status != JUDGED:
        return None
    return JudgedLabels(
        use=row.use or "",
        types=split_names(row.types),
        opening_type=row.opening_type or NO_TYPE,
        closing_type=row.closing_type or NO_TYPE,
        pushback_reasons=split_names(row.pushback_reasons),
        mood_start=row.mood_start,
        mood_end=row.mood_end,
    )


def joined_names(names: tuple[str, ...]) -> str:
    """Returns the names as one string, joined by commas."""
    return ",".join(names)


def split_names(text: str | None) -> tuple[str, ...]:
    """Reads what `joined_names` wrote."""
    return tuple(text.split(",")) if text else ()


_CONVERSATION: Final = (
    Column("day", "TIMESTAMP", "Start of the day on which the conversation began, UTC."),
    Column("conversation", "STRING", "Keyed hash of the conversation's id, in hex. It is not the "
           "hash that alerts show."),
    Column("started_at", "TIMESTAMP", "When the conversation began, UTC."),
)  # fmt: skip
_VERSIONS: Final = (
    Column("key_id", "STRING", "Identifies the secret of the hashes."),
    Column("metrics_version", "STRING", "Version of the definitions."),
    Column("classifier_version", "STRING", "Version of the classifier's weights."),
)

CANDIDATES: Final = Table(
    name="candidates",
    description=(
        "The conversations of one hour that may be sampled for judging, without text. Restricted. "
        "Append-only; read it through the view candidates_current."
    ),
    columns=(
        Column("window_start", "TIMESTAMP", "Start of the hour, UTC."),
        Column("window_end", "TIMESTAMP", "End of the hour, UTC; not part of it."),
        Column("edge", "INT64", "Only conversations with a priority below it are listed; null if "
               "all are.", False),
        Column("candidates", "STRING", "The conversations, as JSON: for each its keyed hash, "
               "start, breakdown values, the classifier's logit, and what it decided."),
        Column("generation", "INT64", "As in counts."),
        Column("snapshot", "INT64", "As in counts."),
        Column("revision", "INT64", "As in counts."),
        Column("origin", "STRING", "stream or batch."),
        *_VERSIONS,
    ),
    record=CandidatesRow,
    partition_by="window_start",
    cluster_by=("origin",),
)  # fmt: skip

SAMPLE: Final = Table(
    name="sample",
    description=(
        "One sampled conversation: the probability of sampling it, and what the classifier "
        "decided. Never its text. Restricted. Append-only: the rows of a day's largest attempt are "
        "its sample."
    ),
    columns=(
        *_CONVERSATION,
        Column("breakdowns", "STRING", "Values of the conversation, as a JSON object: breakdown, "
               "then value."),
        Column("probability", "FLOAT64", "The probability with which it was sampled."),
        Column("gate_logit", "INT64", "The classifier's affective logit, in eighths."),
        Column("human_messages", "INT64", "Number of human messages."),
        Column("assistant_messages", "INT64", "Number of the assistant's messages."),
        Column("types", "STRING", "The types that the classifier decided, joined by commas."),
        Column("use", "STRING", "The use that it decided."),
        Column("opening_type", "STRING", "Type of the first three human messages, or none."),
        Column("closing_type", "STRING", "Type of the last three human messages, or none."),
        Column("pushback_reasons", "STRING", "Why the assistant pushed back, joined by commas."),
        Column("sentiment_change_300ths", "INT64", "Change of mood in three-hundredths of a point; "
               "null if it is not defined.", False),
        *_VERSIONS,
        Column("attempt", "INT64", "Start of the judging job, microseconds since the epoch."),
    ),
    record=SampleRow,
    partition_by="day",
    cluster_by=("conversation",),
)  # fmt: skip

JUDGEMENTS: Final = Table(
    name="judgements",
    description=(
        "What one judge said about one sampled conversation. Never its text. Restricted. "
        "Append-only: the last row of a conversation and judge is current."
    ),
    columns=(
        *_CONVERSATION,
        Column("judge", "STRING", "Who judged, e.g. labels, accurate or llm."),
        Column("judge_version", "STRING", "Version of the judge: its model and its definitions."),
        Column("status", "STRING", f"{', '.join(STATUSES)}. Only judged rows have labels."),
        Column("human_messages", "INT64", "Number of human messages that the judge saw."),
        Column("use", "STRING", "The use.", False),
        Column("types", "STRING", "The types, joined by commas.", False),
        Column("opening_type", "STRING", "Type of the first three human messages.", False),
        Column("closing_type", "STRING", "Type of the last three human messages.", False),
        Column("pushback_reasons", "STRING", "Why the assistant pushed back, joined by commas.",
               False),
        Column("mood_start", "FLOAT64", "Mean mood of the first three human messages.", False),
        Column("mood_end", "FLOAT64", "Mean mood of the last three human messages.", False),
        Column("cost", "FLOAT64", "What the judgement cost; 0 if free."),
        Column("judged_at", "TIMESTAMP", "When it was judged, UTC."),
    ),
    record=JudgementRow,
    partition_by="day",
    cluster_by=("conversation",),
)  # fmt: skip

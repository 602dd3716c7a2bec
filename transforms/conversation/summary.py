"""Summarizes conversations: turns their states into the values that the tables count.

This module does not use Beam.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas.breakdowns import ATTRIBUTES, UNKNOWN
from schemas.labels import LANGUAGES, PUSHBACK_REASONS
from schemas.records import ConversationSummary
from transforms.classifiers.interface import (
    HUMAN_WIDTH,
    LOGIT_UNIT,
    MOOD_UNITS_PER_POINT,
    NO_LOGIT,
    SENTIMENT,
    Classifier,
    Judgements,
)
from transforms.conversation.state import ENDS, ConversationState, scores_of

LONG_OVER: Final = 50
"""A conversation is long if it has more human messages than this (the study's 50+)."""

MIN_MESSAGES_FOR_CHANGE: Final = 6
"""With fewer human messages than this, the first three and the last three would overlap."""

_LANGUAGE_ATTRIBUTE: Final = ATTRIBUTES.index("language")
_UNDETERMINED: Final = 0


def judge(
    states: Sequence[ConversationState], classifier: Classifier
) -> tuple[list[ConversationSummary], Judgements]:
    """Summarizes conversations; returns summaries and judgements in the order of the states.

    Guarantees: the summary of a state does not depend on the other states of the call.
    """
    human = [state.human_in_time_order() for state in states]
    starts = np.zeros(len(states) + 1, np.int64)
    np.cumsum([len(records) for records in human], out=starts[1:])
    packed = b"".join(scores_of(record) for records in human for record in records)
    rows = np.frombuffer(packed, np.int8).reshape(-1, HUMAN_WIDTH)
    human_messages = [state.human_messages for state in states]
    judgements = classifier.judge(
        rows,
        starts,
        np.array([max(state.pushback) + NO_LOGIT for state in states], np.int8),
        np.array(human_messages, np.int64),
    )
    # Convert whole columns, because reading an array element by element costs more than judging.
    columns = zip(
        states,
        human_messages,
        judgements.types.tolist(),
        judgements.use.tolist(),
        judgements.opening_type.tolist(),
        judgements.closing_type.tolist(),
        judgements.language.tolist(),
        _changes(rows, starts, human_messages),
        _eighths(judgements.affective_logit).tolist(),
        strict=True,
    )
    threshold = classifier.pushback_threshold
    summaries = [
        ConversationSummary(
            started_at_us=state.first_at_us,
            user=state.stated[0].value if state.stated[0] else "",
            breakdowns=_breakdowns(state, language),
            human_messages=count,
            assistant_messages=state.assistant_messages,
            types=types,
            use=use,
            opening_type=opening,
            closing_type=closing,
            sentiment_change_300ths=change,
            pushback_reasons=_pushback_reasons(state.pushback, threshold),
            gate_logit=logit,
        )
        for state, count, types, use, opening, closing, language, change, logit in columns
    ]
    return summaries, judgements


def summarize(
    states: Sequence[ConversationState], classifier: Classifier
) -> list[ConversationSummary]:
    """Summarizes conversations in the order of the states; see `judge`."""
    return judge(states, classifier)[0] if states else []


def sentiment_ends(state: ConversationState) -> tuple[float | None, float | None]:
    """Returns the mean sentiment of the first and of the last three human messages, in [-1, 1]."""
    moods = [_signed(scores_of(record)[SENTIMENT]) for record in state.human_in_time_order()]
    if not moods:
        return None, None
    return _mean_in_points(moods[:ENDS]), _mean_in_points(moods[-ENDS:])


def _mean_in_points(moods: Sequence[int]) -> float:
    return sum(moods) / (len(moods) * MOOD_UNITS_PER_POINT)


def _changes(
    rows: np.ndarray[tuple[int, int], np.dtype[np.int8]],
    starts: np.ndarray[tuple[int], np.dtype[np.int64]],
    human_messages: Sequence[int],
) -> list[int | None]:
    """Returns the sentiment change of each conversation in three-hundredths of a point.

    It is the sum of the last three moods minus the sum of the first three, so it is exact.
    It is None for a conversation that is too short.
    """
    moods = rows[:, SENTIMENT].tolist()
    bounds = starts.tolist()
    return [
        sum(moods[end - ENDS : end]) - sum(moods[start : start + ENDS])
        if count >= MIN_MESSAGES_FOR_CHANGE
        else None
        for start, end, count in zip(bounds, bounds[1:], human_messages, strict=False)
    ]


def _eighths(logits: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.clip(np.rint(logits / LOGIT_UNIT), -128, 127).astype(np.int64)


def _breakdowns(state: ConversationState, language_of_text: int) -> tuple[str, ...]:
    """Returns the values of `ATTRIBUTES`; an unstated language is detected from the text."""
    values = [stated.value if stated else UNKNOWN for stated in state.stated[1:]]
    if values[_LANGUAGE_ATTRIBUTE] == UNKNOWN and language_of_text != _UNDETERMINED:
        values[_LANGUAGE_ATTRIBUTE] = LANGUAGES[language_of_text]
    return tuple(values)


def _pushback_reasons(peaks: bytes, threshold: int) -> int:
    """Returns a bit mask of the reasons whose strongest message reaches the threshold."""
    mask = 0
    for index in range(len(PUSHBACK_REASONS)):
        if peaks[index] and peaks[index] + NO_LOGIT >= threshold:
            mask |= 1 << index
    return mask


def _signed(byte: int) -> int:
    return byte - 256 if byte > 127 else byte

"""A classifier that reads labels from texts, so that tests can expect exact results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas.labels import (
    AFFECTIVE_TYPES,
    MIN_ROLEPLAY_HUMAN_MESSAGES,
    PUSHBACK_REASONS,
    ROLEPLAY_TYPES,
    TYPES,
    USES,
)
from transforms.classifiers.interface import (
    AFFECTIVE,
    FIRST_TYPE,
    FIRST_USE,
    LOGIT_UNIT,
    MOOD_UNITS_PER_POINT,
    NO_INDEX,
    NO_LOGIT,
    PUSHBACK,
    REASON,
    SENTIMENT,
    TYPE_COLUMNS,
    USE_COLUMNS,
    WIDTH,
    Judgements,
)

SURE: Final = 100
UNSURE: Final = -100
ENDS: Final = 3


class LabelReader:
    """Reads texts such as `label:coaching:-1`, `label:reply` and `label:pushback:sexual`.

    The reader judges as `pipelines.simulator.truth` expects a perfect classifier to judge. The
    opening type is the most common type of the first three human messages; on a tie the earliest
    wins. The closing type is the most common type of the last three; on a tie the latest wins. A
    conversation has no types except these two.
    """

    version = "labels"
    pushback_threshold = 0

    def score(self, texts: Sequence[str], human: NDArray[np.bool_]) -> NDArray[np.int8]:
        """Scores messages by their labels.

        Raises:
          ValueError: if a text has no label.
        """
        rows = np.full((len(texts), WIDTH), UNSURE, np.int8)
        for row, text, is_human in zip(rows, texts, human.tolist(), strict=True):
            (_score_human if is_human else _score_assistant)(row, text)
        return rows

    def judge(
        self,
        scores: NDArray[np.int8],
        starts: NDArray[np.int64],
        pushback: NDArray[np.int8],
        human_messages: NDArray[np.int64],
    ) -> Judgements:
        """Judges conversations by the rules that `LabelReader` describes."""
        bounds = starts.tolist()
        judged = [
            _judge_one(scores[start:end], count)
            for start, end, count in zip(bounds, bounds[1:], human_messages.tolist(), strict=False)
        ]
        types = [{opening, closing} - {NO_INDEX} for opening, closing, _ in judged]
        use = np.array([use for _, _, use in judged], np.int8)
        affective = use == USES.index("affective")
        sure = SURE * LOGIT_UNIT
        return Judgements(
            affective_logit=np.where(affective, sure, -sure),
            type_logits=np.array(
                [[sure if i in kinds else -sure for i in range(len(TYPES))] for kinds in types]
            ).reshape(-1, len(TYPES)),
            affective=affective,
            alert=affective,
            types=np.array([sum(1 << i for i in kinds) for kinds in types], np.uint8),
            use=use,
            opening_type=np.array([opening for opening, _, _ in judged], np.int8),
            closing_type=np.array([closing for _, closing, _ in judged], np.int8),
            pushback=pushback >= self.pushback_threshold,
            language=np.zeros(len(judged), np.int8),
        )


def _parts(text: str, least: int) -> list[str]:
    parts = text.split(":")
    if parts[0] != "label" or len(parts) < least:
        raise ValueError("a text has no label; make the events with labelled_text=True")
    return parts


def _score_human(row: NDArray[np.int8], text: str) -> None:
    _, kind, half_points = _parts(text, 3)[:3]
    if kind in TYPES:
        row[FIRST_TYPE + TYPES.index(kind)] = SURE
    row[AFFECTIVE] = SURE if kind in AFFECTIVE_TYPES else UNSURE
    use = "leisure" if kind in ROLEPLAY_TYPES else "affective" if kind in AFFECTIVE_TYPES else kind
    if use != "affective":
        row[FIRST_USE + USES.index(use) - 1] = SURE
    row[SENTIMENT:PUSHBACK] = int(half_points) * MOOD_UNITS_PER_POINT // 2, 0
    row[PUSHBACK:] = NO_LOGIT, 0


def _score_assistant(row: NDArray[np.int8], text: str) -> None:
    _, verb, *reason = _parts(text, 2)
    row[REASON] = 0
    if verb == "pushback":
        row[PUSHBACK:] = SURE, PUSHBACK_REASONS.index(reason[0])


def _judge_one(rows: NDArray[np.int8], human_messages: int) -> tuple[int, int, int]:
    """Returns the indexes of a conversation's opening type, closing type and use."""
    types = [_sure_index(row[TYPE_COLUMNS]) for row in rows]
    opening, closing = _commonest(types[:ENDS]), _commonest(types[-ENDS:][::-1])
    if human_messages < MIN_ROLEPLAY_HUMAN_MESSAGES:
        too_short = [TYPES.index(name) for name in ROLEPLAY_TYPES]
        opening, closing = (NO_INDEX if t in too_short else t for t in (opening, closing))
    if any(0 <= end < len(AFFECTIVE_TYPES) for end in (opening, closing)):
        return opening, closing, USES.index("affective")
    votes = (rows[:, USE_COLUMNS] > 0).sum(axis=0)
    use = 1 + int(votes.argmax()) if votes.any() else USES.index("other")
    return opening, closing, use


def _commonest(indexes: Sequence[int]) -> int:
    """Returns the most common index, or the first on a tie; `NO_INDEX` if there is none."""
    return Counter(indexes).most_common(1)[0][0] if indexes else NO_INDEX


def _sure_index(logits: NDArray[np.int8]) -> int:
    sure = np.flatnonzero(logits > 0)
    return int(sure[0]) if len(sure) else NO_INDEX

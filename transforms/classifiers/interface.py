"""The interface of classifiers: a row of scores per message, and a judgement per conversation.

`score` is the last step that sees a message's text. It returns one row of `WIDTH` int8 numbers per
message, small enough to keep in a conversation's state. So `judge` needs no text. It can decide
about the whole conversation later, on another machine, and again when late messages arrive.

Layout of a row (int8; logits in units of 1/8, clipped to -128..127):

| column | what | rows |
| --- | --- | --- |
| 0 | affective gate logit | human |
| 1..6 | type logits, in the order of `labels.TYPES` | human |
| 7 | second gate logit, learned from real conversations alone | human |
| 8..14 | use logits, in the order of `labels.USES` without `affective` | human |
| 15 | mood (sentiment) in hundredths of a point, -100..100 | human |
| 16 | language, an index into `labels.LANGUAGES` | human |
| 17 | pushback logit, -128 on human rows | assistant |
| 18 | pushback reason, an index into `labels.PUSHBACK_REASONS`, 0 on human rows | assistant |

State keeps the first `HUMAN_WIDTH` columns of a human row and the last two of an assistant row. The
columns of the other role hold no information.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from schemas.labels import TYPES, USES

AFFECTIVE: Final = 0
FIRST_TYPE: Final = 1
TYPE_COLUMNS: Final = slice(FIRST_TYPE, FIRST_TYPE + len(TYPES))
SECOND_GATE: Final = TYPE_COLUMNS.stop
FIRST_USE: Final = SECOND_GATE + 1
USE_COLUMNS: Final = slice(FIRST_USE, FIRST_USE + len(USES) - 1)
SENTIMENT: Final = USE_COLUMNS.stop
LANGUAGE: Final = SENTIMENT + 1
HUMAN_WIDTH: Final = LANGUAGE + 1
PUSHBACK: Final = HUMAN_WIDTH
REASON: Final = PUSHBACK + 1
WIDTH: Final = REASON + 1

LOGIT_UNIT: Final = 0.125
"""One step of a stored logit. An int8 holds logits up to ±15.9, which is more than enough."""

MOOD_UNITS_PER_POINT: Final = 100
"""A stored mood is a whole number of hundredths of a point, on the scale from -1 to +1."""

NO_LOGIT: Final = -128
"""The stored logit if there is nothing to score.

Examples are the pushback logit of a human message and of a conversation without assistant messages.
"""

NO_INDEX: Final = -1
"""Stands for no opening type or no closing type."""


@dataclass(frozen=True)
class Judgements:
    """Holds the decisions about `b` conversations, in the order in which they were given.

    Attributes:
        affective_logit: float64 (b,); `probability` turns it into a probability.
        type_logits: float64 (b, 6), in the order of `labels.TYPES`.
        affective: bool (b,), whether the conversation counts as affective. The threshold is chosen
            so that corrected shares are precise.
        alert: bool (b,), whether the conversation is affective with enough certainty to single it
            out.
        types: uint8 (b,), bit k is set if the conversation has type k of `labels.TYPES`.
        use: int8 (b,), an index into `labels.USES`. It is 0 ("affective") if and only if
            `affective` is set.
        opening_type: int8 (b,), the type of the first three human messages, as an index into
            `labels.TYPES` or `NO_INDEX`.
        closing_type: int8 (b,), the same for the last three human messages.
        pushback: bool (b,), whether an assistant message refused, resisted or challenged the user.
        language: int8 (b,), an index into `labels.LANGUAGES`; 0 if no message has a known language.
    """

    affective_logit: NDArray[np.float64]
    type_logits: NDArray[np.float64]
    affective: NDArray[np.bool_]
    alert: NDArray[np.bool_]
    types: NDArray[np.uint8]
    use: NDArray[np.int8]
    opening_type: NDArray[np.int8]
    closing_type: NDArray[np.int8]
    pushback: NDArray[np.bool_]
    language: NDArray[np.int8]


class Classifier(Protocol):
    """Scores messages and judges conversations.

    The results are deterministic, and do not depend on the batch: each row is exactly the same as
    if its text were scored alone. So retries, other bundles and backfills give the same results.
    """

    @property
    def version(self) -> str:
        """The version of the weights. It is stated in every table row that depends on them."""
        ...

    @property
    def pushback_threshold(self) -> int:
        """The lowest stored logit at which an assistant message counts as pushback."""
        ...

    def score(self, texts: Sequence[str], human: NDArray[np.bool_]) -> NDArray[np.int8]:
        """Scores `n` messages as int8 (n, `WIDTH`), in the layout above; `human` is bool (n,)."""
        ...

    def judge(
        self,
        scores: NDArray[np.int8],
        starts: NDArray[np.int64],
        pushback: NDArray[np.int8],
        human_messages: NDArray[np.int64],
    ) -> Judgements:
        """Judges `b` conversations from the scores of their human messages.

        Args:
            scores: int8 (m, `HUMAN_WIDTH`), one conversation after the other, each in time order.
                A very long conversation may be a sample that keeps its first three and last three
                messages.
            starts: int64 (b + 1,), where each conversation's rows begin; the last entry is m.
            pushback: int8 (b,), the highest pushback logit of each conversation's assistant
                messages, `NO_LOGIT` if it has no assistant messages.
            human_messages: int64 (b,), how many human messages each conversation has, including
                those that a sample leaves out.
        """
        ...


def probability(logit: float) -> float:
    """Turns a conversation's logit into a probability for display. Decisions use the logits."""
    if logit >= 0:
        return 1.0 / (1.0 + math.exp(-logit))
    grown = math.exp(logit)
    return grown / (1.0 + grown)

"""What a classifier takes and gives: packed scores a message, judgements a conversation.

A message's text ends at `score`: what is left is one row of `WIDTH` int8 numbers, small enough to
live in a conversation's state, so that `judge` can decide about the whole conversation later,
elsewhere, and again when late messages arrive, without any text.

Layout of a row (int8; logits in units of 1/8, clipped to -128..127):

| column | what | rows |
| --- | --- | --- |
| 0 | affective gate logit | human |
| 1..6 | type logits, in the order of `labels.TYPES` | human |
| 7..14 | use logits, in the order of `labels.USES` | human |
| 15 | sentiment in half points, -2..2 | human |
| 16 | language, an index into `labels.LANGUAGES` | human |
| 17 | pushback logit, -128 on human rows | assistant |
| 18 | pushback reason, an index into `labels.PUSHBACK_REASONS`, 0 on human rows | assistant |

A human row is kept as its first `HUMAN_WIDTH` columns, an assistant row as its last two: the
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
FIRST_USE: Final = TYPE_COLUMNS.stop
USE_COLUMNS: Final = slice(FIRST_USE, FIRST_USE + len(USES))
SENTIMENT: Final = USE_COLUMNS.stop
LANGUAGE: Final = SENTIMENT + 1
HUMAN_WIDTH: Final = LANGUAGE + 1
PUSHBACK: Final = HUMAN_WIDTH
REASON: Final = PUSHBACK + 1
WIDTH: Final = REASON + 1

LOGIT_UNIT: Final = 0.125
"""One step of a stored logit; int8 then reaches ±15.9, far past any useful certainty."""

NO_LOGIT: Final = -128
"""The stored logit of what does not apply: pushback of a human, or of no assistant message."""

NO_INDEX: Final = -1
"""The opening or closing type of a conversation that has none there."""


@dataclass(frozen=True)
class Judgements:
    """Holds what was decided about `b` conversations, one entry each, in the order given.

    Attributes:
        affective_logit: float64 (b,); `probability` turns it into a share.
        type_logits: float64 (b, 6), in the order of `labels.TYPES`.
        affective: bool (b,), for counting: a threshold that makes shares precise, once corrected.
        alert: bool (b,), sure enough to point at the conversation itself.
        types: uint8 (b,), bit k set where type k of `labels.TYPES` was decided.
        use: int8 (b,), an index into `labels.USES`; `affective` exactly where `affective` is set.
        opening_type: int8 (b,), an index into `labels.TYPES` or `NO_INDEX`, from the first three.
        closing_type: int8 (b,), the same from the last three human messages.
        pushback: bool (b,), whether an assistant message refused, resisted or challenged.
        language: int8 (b,), an index into `labels.LANGUAGES`; 0 where no message had one.
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

    Guarantees: deterministic, and independent of the batch to the bit. Row i of a batch equals the
    row of its text alone, so that retries, re-bundling and backfills agree.
    """

    @property
    def version(self) -> str:
        """Names the weights; written beside every row that came of them."""
        ...

    @property
    def pushback_threshold(self) -> int:
        """The stored logit from which an assistant message counts as pushback."""
        ...

    def score(self, texts: Sequence[str], human: NDArray[np.bool_]) -> NDArray[np.int8]:
        """Scores messages: int8 (n, `WIDTH`) in the layout above; `human` is bool (n,)."""
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
            scores: int8 (m, `HUMAN_WIDTH`), the conversations one after the other, each in time
                order. Of a very long conversation these may be a sample that keeps the first and
                last three messages.
            starts: int64 (b + 1,), where each conversation's rows begin; the last entry is m.
            pushback: int8 (b,), the highest pushback logit of its assistant messages, `NO_LOGIT`
                where it has none.
            human_messages: int64 (b,), how many human messages it truly has.
        """
        ...


def probability(logit: float) -> float:
    """Turns a conversation's logit into a probability; for display, never to decide by."""
    if logit >= 0:
        return 1.0 / (1.0 + math.exp(-logit))
    grown = math.exp(logit)
    return grown / (1.0 + grown)

"""`LabelReader`, a double for the classifier that reads the simulator's codes."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.simulator.scenes import assistant_code, human_code
from schemas.labels import PUSHBACK_REASONS, TYPES, USES
from tests.doubles import SURE, LabelReader
from transforms.classifiers.interface import (
    FIRST_TYPE,
    NO_INDEX,
    NO_LOGIT,
    PUSHBACK,
    REASON,
    SENTIMENT,
)


def test_scores_match_the_code() -> None:
    """The type, sentiment and reason named by a code are scored as certain."""
    texts = [human_code("coaching", -2), assistant_code("sexual"), assistant_code(None)]
    human, pushback, reply = LabelReader().score(texts, np.array([True, False, False]))
    assert human[FIRST_TYPE + TYPES.index("coaching")] == SURE
    assert human[SENTIMENT] == -100
    assert pushback[PUSHBACK] == SURE
    assert PUSHBACK_REASONS[pushback[REASON]] == "sexual"
    assert reply[PUSHBACK] < 0


def test_prose_is_refused() -> None:
    """A text that is not a code raises an error, and the error does not quote the text."""
    with pytest.raises(ValueError, match="no label") as error:
        LabelReader().score(["I feel so alone: really"], np.array([True]))
    assert "alone" not in str(error.value)


def test_judging_does_not_depend_on_the_batch() -> None:
    """A conversation has the same labels alone and in a batch; one without messages is `other`."""
    reader = LabelReader()
    texts = [human_code("technical", 0), human_code("coaching", 0)]
    rows = reader.score(texts, np.array([True, True]))[:, :PUSHBACK]
    none = np.array([NO_LOGIT] * 3, np.int8)
    judged = reader.judge(rows, np.array([0, 1, 1, 2]), none, np.array([1, 0, 1]))
    assert [USES[i] for i in judged.use] == ["technical", "other", "affective"]
    assert judged.opening_type.tolist() == [NO_INDEX, NO_INDEX, TYPES.index("coaching")]
    assert judged.types.tolist() == [0, 0, 1 << TYPES.index("coaching")]
    assert not judged.pushback.any()

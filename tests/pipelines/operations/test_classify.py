"""Classifying single conversations, with a stand-in classifier that has fixed outputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from pipelines.operations.classify import Conversation, classify
from pipelines.operations.prior import prior_shifts
from schemas.failures import InputError
from schemas.labels import LANGUAGES, TYPES, USES
from transforms.classifiers.head import PRIOR
from transforms.classifiers.interface import (
    LANGUAGE,
    NO_INDEX,
    NO_LOGIT,
    PUSHBACK,
    WIDTH,
    Judgements,
)

COACHING_AND_ROLEPLAY = 1 << TYPES.index("coaching") | 1 << TYPES.index("roleplay")


@dataclass(frozen=True)
class Fixed:
    """Gives all conversations the same scores.

    The text of a human message is the code of its language.
    """

    logit: float = 0.0
    alert: bool = False
    version: str = "fixed"
    pushback_threshold: int = 0

    def score(self, texts: Sequence[str], human: NDArray[np.bool_]) -> NDArray[np.int8]:
        rows = np.zeros((len(texts), WIDTH), np.int8)
        rows[:, LANGUAGE] = [LANGUAGES.index(text) for text in texts]
        rows[human, PUSHBACK] = NO_LOGIT
        return rows

    def judge(
        self,
        scores: NDArray[np.int8],
        starts: NDArray[np.int64],
        pushback: NDArray[np.int8],
        human_messages: NDArray[np.int64],
    ) -> Judgements:
        count = len(human_messages)
        edge = np.full(count, NO_INDEX, np.int8)
        return Judgements(
            affective_logit=np.full(count, self.logit),
            type_logits=np.zeros((count, len(TYPES))),
            affective=np.ones(count, np.bool_),
            alert=np.full(count, self.alert),
            types=np.full(count, COACHING_AND_ROLEPLAY, np.uint8),
            use=np.full(count, USES.index("affective"), np.int8),
            opening_type=edge,
            closing_type=edge,
            pushback=pushback >= self.pushback_threshold,
            language=scores[starts[:-1], LANGUAGE],
        )


def said_in(*languages: str) -> list[Conversation]:
    """Returns one conversation per language, each with a single message."""
    return [
        msgspec.convert({"id": code, "turns": [{"role": "human", "text": code}]}, Conversation)
        for code in languages
    ]


def answers(classifier: Fixed, *languages: str, prior: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Classifies one conversation per language with this prior."""
    return list(classify(said_in(*languages), classifier, prior_shifts(prior)))


def odds(share: float) -> float:
    """Returns the odds that correspond to a share."""
    return share / (1 - share)


@pytest.mark.parametrize("alert", [False, True])
def test_alert_is_the_classifiers_decision(alert: bool) -> None:
    """`alert` is the classifier's decision, and `affective` is a probability."""
    (answer,) = answers(Fixed(alert=alert), "en")
    assert answer["alert"] is alert
    assert answer["affective"] == 0.5


def test_no_prior_leaves_the_probability() -> None:
    """Without a prior, `affective` is the probability that the logit gives.

    The prior of the calibration gives the same probability.
    """
    plain = list(classify(said_in("en"), Fixed(logit=1.0)))
    assert plain[0]["affective"] == 0.7311
    assert answers(Fixed(logit=1.0), "en", prior=[str(PRIOR)]) == plain


def test_a_prior_shifts_the_odds() -> None:
    """A prior multiplies the odds of affective use by a factor.

    The factor is the odds of this prior divided by the odds of the calibration's prior.
    """
    (answer,) = answers(Fixed(logit=0.0), "en", prior=["0.01"])
    expected = odds(0.01) / odds(PRIOR)
    assert answer["affective"] == pytest.approx(expected / (1 + expected), abs=5e-5)


def test_a_prior_changes_affective_types_only() -> None:
    """A prior changes affective types in line with the probability of affective use.

    The share of roleplay does not change.
    """
    (answer,) = answers(Fixed(logit=0.0), "en", prior=["0.2"])
    assert answer["types"].pop("roleplay") == 0.5
    expected = pytest.approx(answer["affective"] / 2, abs=1e-4)
    assert answer["affective"] > 0.8
    assert all(share == expected for share in answer["types"].values())


def test_a_prior_changes_no_decision() -> None:
    """Labels, use and alert are the same with any prior."""
    decided = ("labels", "use", "alert", "opening_type", "closing_type")
    for alert in (False, True):
        low, high = (answers(Fixed(alert=alert), "en", prior=[p])[0] for p in ("1e-9", "0.999"))
        assert low["affective"] < 0.001
        assert high["affective"] > 0.99
        assert [low[key] for key in decided] == [high[key] for key in decided]
        assert low["labels"] == ["coaching", "roleplay"]


@pytest.mark.parametrize("prior", [["zh=0.005", "0.3"], ["0.3", "zh=0.005"]])
def test_a_language_has_its_own_prior(prior: Sequence[str]) -> None:
    """In either order, a language's own prior overrides the general one for that language only."""
    shares = [answer["affective"] for answer in answers(Fixed(), "en", "zh", "und", prior=prior)]
    low, high = odds(0.005) / odds(PRIOR), odds(0.3) / odds(PRIOR)
    expected = [ratio / (1 + ratio) for ratio in (high, low, high)]
    assert shares == pytest.approx(expected, abs=5e-5)


def test_a_language_without_a_prior_does_not_change() -> None:
    """A prior for one language does not change the results in others."""
    english, chinese = answers(Fixed(logit=1.0), "en", "zh", prior=["zh=0.005"])
    assert english["affective"] == 0.7311 > chinese["affective"]


@pytest.mark.parametrize("word", ["0", "1", "-0.1", "3%", "nan", "inf", "", "zh=", "zh=2", "zh"])
def test_a_prior_must_be_a_share(word: str) -> None:
    """A prior that is not between 0 and 1 is refused, and the error shows the value."""
    with pytest.raises(InputError, match=f"between 0 and 1, got {word}; use e.g. 0.01"):
        prior_shifts([word])


@pytest.mark.parametrize("word", ["klingon=0.1", "=0.1", "ZH=0.1", "zh=en=0.1"])
def test_a_prior_names_a_known_language(word: str) -> None:
    """A prior for an unknown language is refused, and the error lists the known languages."""
    with pytest.raises(
        InputError, match=f"{word} does not name a known language; use one of und, en"
    ):
        prior_shifts([word])


@pytest.mark.parametrize("words", [["0.1", "0.2"], ["zh=0.1", "en=0.1", "zh=0.1"]])
def test_two_priors_of_one_language_are_refused(words: Sequence[str]) -> None:
    """Two priors for one language are refused, because it is unclear which should apply."""
    with pytest.raises(InputError, match="is the second prior for"):
        prior_shifts(words)

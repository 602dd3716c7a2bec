"""The prior: the expected share of affective conversations among all classified conversations."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from schemas.failures import InputError
from schemas.labels import LANGUAGES
from transforms.classifiers.head import PRIOR


def prior_shifts(stated: Sequence[str]) -> NDArray[np.float64]:
    """Returns the amount that a stated prior adds to the affective logit of a conversation.

    Args:
      stated: shares of affective conversations as the user writes them: `0.01` for all languages,
        `zh=0.005` for one language. A share for one language overrides the share for all, in any
        order.

    Returns:
      float64 (languages,), in the order of `labels.LANGUAGES`: the logit of the stated prior minus
      the logit of `PRIOR`, for which the classifier is calibrated. A language to which no
      stated prior applies gets 0.

    Raises:
      InputError: if a value is not a share or names an unknown language, or if a share for
        one language or for all languages is given twice.
    """
    priors: dict[str, float] = {}
    for word in stated:
        language, prior = _read(word)
        if language in priors:
            raise InputError(
                f"--prior {word} is the second prior for {language or 'all languages'}; "
                "give only one"
            )
        priors[language] = prior
    for_all = priors.get("", PRIOR)
    return np.array([_logit(priors.get(name, for_all)) - _logit(PRIOR) for name in LANGUAGES])


def _read(word: str) -> tuple[str, float]:
    """Parses a language (empty for all languages) and a share."""
    language, equals, share = word.rpartition("=")
    if equals and language not in LANGUAGES:
        raise InputError(
            f"--prior {word} does not name a known language; use one of {', '.join(LANGUAGES)}"
        )
    try:
        prior = float(share)
    except ValueError:
        prior = math.nan
    if not 0 < prior < 1:
        raise InputError(
            f"--prior must be a share between 0 and 1, got {word}; use e.g. 0.01 or zh=0.005"
        )
    return language, prior


def _logit(share: float) -> float:
    return math.log(share) - math.log1p(-share)

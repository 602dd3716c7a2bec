"""Tests what the measured rates say about recall and false alarms."""

from __future__ import annotations

import pytest

from schemas.published import FALSE_ALARMS, RECALL
from transforms.estimation.rates import Rate, Rates
from transforms.facets.registry import Slice
from transforms.watching.card import Measured, card_of

AFFECTIVE = Slice("use", "affective")


def card(spread: float = 0.0, language: str = "all") -> dict[tuple[Slice, str], Measured]:
    """Returns the card of a classifier that was measured on 141 affective conversations."""
    rate = Rate(language, "use", "affective", 96, 141, 26, 1517, spread)
    return dict(card_of(Rates("c", (rate,))))


def test_the_card_has_wilson_intervals() -> None:
    """Recall and false alarms have Wilson's intervals of the counts."""
    found = card()
    assert found[AFFECTIVE, RECALL] == pytest.approx((96 / 141, 0.600, 0.752), abs=1e-3)
    assert found[AFFECTIVE, FALSE_ALARMS] == pytest.approx((26 / 1517, 0.0117, 0.025), abs=1e-4)


def test_a_spread_between_platforms_widens_the_false_alarms() -> None:
    """If platforms differ by 3.5 points, 7 % false alarms are what the card says."""
    found = card(spread=0.035)
    assert found[AFFECTIVE, RECALL] == card()[AFFECTIVE, RECALL]
    assert found[AFFECTIVE, FALSE_ALARMS].low == 0
    assert found[AFFECTIVE, FALSE_ALARMS].high == pytest.approx(0.0861, abs=1e-3)
    assert not found[AFFECTIVE, FALSE_ALARMS].is_apart(0.06, 0.08)
    assert card()[AFFECTIVE, FALSE_ALARMS].is_apart(0.06, 0.08)


def test_only_rates_of_all_languages_are_on_the_card() -> None:
    """A language's own rates are not compared with rates over all languages."""
    assert card(language="en") == {}
    assert card_of(None) == {}

"""Counts the classifier's errors, so that the views can correct shares."""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from schemas.labels import TYPES, USES
from training.calibrate import NATURAL
from training.measures.decisions import Facts
from training.measures.labels import true_types
from training.measures.messages import Pushed, any_pushback
from transforms.estimation.rates import MIN_OF_USE, Drift, Rate, Rates

FEWEST: Final = 30
"""A platform with fewer conversations than this does not count towards the spread."""

READ_WHOLE: Final = (NATURAL, "hh_harmless")
"""The sets of which every conversation was read, so that no scorer chose what was read."""


def measure_rates(version: str, facts: Facts, pushed: Pushed) -> Rates:
    """Counts everything by which the views and the report correct and judge their figures."""
    return Rates(version, tuple(rates_of(facts, pushed)), use_confusion_of(facts), drift_of(facts))


def rates_of(facts: Facts, pushed: Pushed) -> list[Rate]:
    """Counts hits and false alarms for all decisions that the views correct.

    The negatives are real: those of the natural set. The gate's positives come from the sets that
    were read whole. The positives of a type are real or written, and are counted if the gate let
    them pass. For pushback, the positives are written and the negatives real. The spread between
    platforms is that of all sources of real conversations.
    """
    natural = facts.dataset == NATURAL
    whole = np.isin(facts.dataset, READ_WHOLE)
    affective = facts.is_affective
    gate = _rate("use", "affective", facts.affective, whole & affective, natural & ~affective)
    spread = spread_of(facts, facts.affective, ~affective)
    rates = [msgspec.structs.replace(gate, spread=spread)]
    truth = np.array([true_types(row) for row in facts.conversations])
    for i, name in enumerate(TYPES):
        hits = (facts.is_written | facts.is_read) & truth[:, i]
        rate = _rate("type", name, facts.types[:, i], hits, natural & ~truth[:, i])
        spread = spread_of(facts, facts.types[:, i], ~truth[:, i])
        rates.append(msgspec.structs.replace(rate, spread=spread))
    written = np.array([any(turn.pushback for turn in row.turns) for row in facts.conversations])
    said = any_pushback(facts)[facts.is_written & written]
    rates.append(
        Rate(
            "all",
            "pushback",
            "all",
            int(said.sum()),
            len(said),
            int(pushed.said[~pushed.truth].sum()),
            int((~pushed.truth).sum()),
        )
    )
    return rates


def spread_of(facts: Facts, said: NDArray[np.bool_], negative: NDArray[np.bool_]) -> float:
    """Returns how far the false positive rates of platforms lie apart, as a standard deviation.

    Only conversations that were read for no reason count. What chance alone would do is taken away.
    """
    drawn = np.array([row.probability > 0 for row in facts.conversations]) & negative
    rates, chances = [], []
    for name in sorted({*facts.source[drawn].tolist()}):
        flags = said[drawn & (facts.source == name)]
        if len(flags) >= FEWEST:
            rates.append(flags.mean())
            chances.append(flags.mean() * (1 - flags.mean()) / len(flags))
    if len(rates) < 2:
        return 0.0
    return round(float(max(np.var(rates, ddof=1) - np.mean(chances), 0) ** 0.5), 4)


def use_confusion_of(facts: Facts) -> tuple[tuple[int, ...], ...]:
    """Counts true uses (rows) by given uses (columns), both in the order of USES.

    The conversations are real. A use that readers found too rarely is counted in written
    conversations too.
    """
    counts = np.zeros((len(USES), len(USES)), np.int64)
    for place, use in enumerate(USES):
        rows = facts.is_read & (facts.true_use == use)
        if rows.sum() < MIN_OF_USE:
            rows = (facts.is_read | facts.is_written) & (facts.true_use == use)
        counts[place] = np.bincount(facts.use[rows], minlength=len(USES))
    return tuple(tuple(row) for row in counts.tolist())


def drift_of(facts: Facts) -> Drift:
    """Counts the written conversations that were said to drift, and those of them that do."""
    truth = np.array(
        [
            row.labels is not None and row.labels.opening_type != row.labels.closing_type
            for row in facts.conversations
        ],
        np.bool_,
    )
    said = facts.is_written & (facts.opening != facts.closing)
    return Drift(int((said & truth).sum()), int(said.sum()), int(facts.is_written.sum()))


def _rate(
    facet: str,
    value: str,
    said: NDArray[np.bool_],
    positive: NDArray[np.bool_],
    negative: NDArray[np.bool_],
) -> Rate:
    return Rate(
        "all",
        facet,
        value,
        int(said[positive].sum()),
        int(positive.sum()),
        int(said[negative].sum()),
        int(negative.sum()),
    )

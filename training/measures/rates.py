"""Counts the classifier's errors, so that the views can correct shares."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas.labels import TYPES, USES
from training.calibrate import NATURAL
from training.measures.decisions import Facts
from training.measures.labels import true_types
from training.measures.messages import Pushed, any_pushback
from transforms.estimation.rates import Rate

READ_WHOLE: Final = (NATURAL, "hh_harmless")
"""The sets of which every conversation was read, so that no scorer chose what was read."""


def rates_of(facts: Facts, pushed: Pushed) -> list[Rate]:
    """Counts hits and false alarms for all decisions that the views correct.

    The negatives are real: those of the natural set. The gate's positives come from the sets that
    were read whole. The positives of a type are real or written, and are counted if the gate let
    them pass. For pushback, the positives are written and the negatives real.
    """
    natural = facts.dataset == NATURAL
    whole = np.isin(facts.dataset, READ_WHOLE)
    affective = facts.is_affective
    rates = [_rate("use", "affective", facts.affective, whole & affective, natural & ~affective)]
    truth = np.array([true_types(row) for row in facts.conversations])
    for i, name in enumerate(TYPES):
        hits = (facts.is_written | facts.is_read) & truth[:, i]
        rates.append(_rate("type", name, facts.types[:, i], hits, natural & ~truth[:, i]))
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


def confuse_uses(facts: Facts) -> tuple[tuple[int, ...], ...]:
    """Counts said uses (columns) of the natural set's conversations of each true use (rows)."""
    counts = np.zeros((len(USES), len(USES)), np.int64)
    rows = np.flatnonzero((facts.dataset == NATURAL) & facts.is_read)
    true = [USES.index(use) for use in facts.true_use[rows].tolist()]
    np.add.at(counts, (np.array(true), facts.use[rows]), 1)
    return tuple(map(tuple, counts.tolist()))


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

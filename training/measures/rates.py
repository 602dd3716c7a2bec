"""Counts the classifier's errors, so that the views can correct shares."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from schemas.labels import TYPES, USES
from training.measures.decisions import Facts
from training.measures.labels import REAL_TYPES, true_types
from training.measures.messages import any_pushback
from transforms.estimation.rates import Drift, Rate, Rates


def measure_rates(version: str, facts: Facts) -> Rates:
    """Counts everything by which the views and the report correct and judge their figures."""
    return Rates(version, tuple(rates_of(facts)), use_confusion_of(facts), drift_of(facts))


def rates_of(facts: Facts) -> list[Rate]:
    """Counts hits and false alarms for all decisions that the views correct.

    The gate's negatives are real. Its positives come from two sources of equal total weight. One
    half is the few real positives. The other half is the written English positives, weighted down
    to the number of the real ones. The recall of the written positives is far higher than that of
    the real ones, and neither source alone resembles real traffic. Because of this uncertainty the
    positives count as few, which makes the interval wide. For types, the positives are written and
    real, and the negatives are real. For uses and pushback, all cases are written.
    """
    real, written = facts.is_real, facts.is_written
    gate = real & facts.is_affective
    rates = [_gate_rate(facts, gate, real & ~gate)]
    truth = np.array([true_types(row) for row in facts.conversations])
    for i, name in enumerate(TYPES):
        kinds = [kind for kind, own in REAL_TYPES.items() if own == name]
        hits = (written | real) & truth[:, i]
        rest = real & ~np.isin(facts.label, kinds)
        rates.append(_rate("type", name, facts.types[:, i], hits, rest))
    for i, name in enumerate(USES[1:], 1):
        own = facts.written_use == name
        rates.append(_rate("use", name, facts.use == i, written & own, written & ~own))
    pushed = np.array([any(turn.pushback for turn in row.turns) for row in facts.conversations])
    said = any_pushback(facts)
    rates.append(_rate("pushback", "all", said, written & pushed, written & ~pushed))
    return rates


def use_confusion_of(facts: Facts) -> tuple[tuple[int, ...], ...]:
    """Counts true uses (rows) by given uses (columns), both in the order of USES.

    The true use is known for written conversations, and for real ones that are affective.
    """
    truth = [facts.is_written & (facts.written_use == use) for use in USES]
    truth[USES.index("affective")] |= facts.is_real & facts.is_affective
    counts = [np.bincount(facts.use[rows], minlength=len(USES)) for rows in truth]
    return tuple(tuple(row.tolist()) for row in counts)


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


def _gate_rate(facts: Facts, gate: NDArray[np.bool_], negative: NDArray[np.bool_]) -> Rate:
    plain = _rate("use", "affective", facts.affective, gate, negative)
    written = facts.is_written & facts.is_affective & (facts.language == "en")
    more = round(float(facts.affective[written].mean()) * plain.positives)
    return Rate(
        plain.language,
        plain.facet,
        plain.facet_value,
        plain.true_positives + more,
        2 * plain.positives,
        plain.false_positives,
        plain.negatives,
    )


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

"""Measures the gate, which decides whether a conversation is affective."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from schemas.labels import AFFECTIVE_TYPES, LANGUAGES, USES
from training.calibrate import NATURAL
from training.measures.accuracy import auc, share_of
from training.measures.decisions import Facts
from training.measures.labels import true_types
from training.measures.messages import any_pushback
from training.measures.rates import READ_WHOLE
from training.prevalence import resample, transfer
from training.sources import SEED, TOOLS
from transforms.estimation.rates import Rate

SHORT: Final = 100
"""A conversation with fewer characters of human text than this is short."""

HIGHEST: Final = 30
TRUE_SHARES: Final = (0.01, 0.03, 0.1)
BINS: Final = (0.0, 0.01, 0.03, 0.1, 0.3, 0.6, 0.8, 1.0)


def measure_real(facts: Facts) -> dict[str, Any]:
    """Measures the gate on the natural set, then on the other sets of real conversations."""
    natural = facts.dataset == NATURAL
    found = measure_set(facts, natural)
    positive, negative = natural & facts.is_affective, natural & ~facts.is_affective
    types = np.array([true_types(row) for row in facts.conversations])
    short = np.array([sum(map(len, row.human)) < SHORT for row in facts.conversations])
    read = facts.is_read & facts.is_affective
    return found | {
        "alert": {
            "recall": share_of(facts.alert[positive]),
            "false_positives": share_of(facts.alert[negative]),
        },
        "recall_by_type": {
            name: share_of(facts.affective[read & types[:, i]])
            for i, name in enumerate(AFFECTIVE_TYPES)
        },
        "recall_of_short": share_of(facts.affective[read & short]),
        "by_set": {
            name: measure_set(facts, (facts.dataset == name) & facts.is_read)
            for name in sorted({*facts.dataset.tolist()} - {"", NATURAL})
        },
        "pushback_share": share_of(any_pushback(facts)[natural]),
    }


def measure_set(facts: Facts, rows: NDArray[np.bool_]) -> dict[str, Any]:
    """Measures the gate on some conversations; those without labels count as not affective."""
    positive, negative = rows & facts.is_affective, rows & ~facts.is_affective
    return {
        "conversations": int(rows.sum()),
        "recall": share_of(facts.affective[positive]),
        "recall_of_sure": share_of(facts.affective[positive & facts.is_sure]),
        "false_positives": share_of(facts.affective[negative]),
        "recall_at_false_positives": {
            f"{rate:.0%}": share_of(
                facts.logit[positive] > np.quantile(facts.logit[negative], 1 - rate)
            )
            for rate in (0.01, 0.02, 0.05)
        },
        "auc": auc(facts.logit[rows], facts.is_affective[rows]),
    }


def measure_unseen(facts: Facts) -> dict[str, Any]:
    """Measures the gate on the platform that no weight, threshold or choice has seen."""
    every = np.ones(len(facts.conversations), np.bool_)
    highest = np.argsort(-facts.logit)[:HIGHEST]
    drawn = np.array([0 < row.probability < 1 for row in facts.conversations])
    pushed = any_pushback(facts)
    return measure_set(facts, every) | {
        "affective_among_highest": share_of(facts.is_affective[highest]),
        "read_among_highest": int(facts.is_read[highest].sum()),
        "drawn_at_random": share_of(facts.is_affective[drawn]),
        "said_at_random": share_of(facts.affective[drawn]),
        "pushback_share": share_of(pushed),
        "use_right": share_of((np.array(USES)[facts.use] == facts.true_use)[drawn & facts.is_read]),
    }


def measure_written(facts: Facts) -> dict[str, Any]:
    """Measures the gate on written conversations, by language, by author and by use."""
    written, truth = facts.is_written, facts.is_affective
    groups = {"all": written}
    groups |= {code: written & (facts.language == code) for code in LANGUAGES[1:]}
    authors = sorted({*facts.author[written].tolist()})
    groups |= {author: written & (facts.author == author) for author in authors}
    found = {
        name: {
            "conversations": int(rows.sum()),
            "auc": auc(facts.logit[rows], truth[rows]),
            "recall": share_of(facts.affective[rows & truth]),
            "false_positives": share_of(facts.affective[rows & ~truth]),
        }
        for name, rows in groups.items()
    }
    by_use = {use: share_of(facts.affective[written & (facts.true_use == use)]) for use in USES[1:]}
    return {"groups": found, "false_positives_by_use": by_use}


def measure_tools(facts: Facts) -> dict[str, Any]:
    """Returns the false positives of each tool set. The judging model saw none of that set."""
    return {name: share_of(facts.affective[facts.source == name]) for name in TOOLS}


def measure_calibration(facts: Facts) -> list[dict[str, Any]]:
    """Compares the predicted and observed shares of affective real conversations, in bins."""
    said = 1 / (1 + np.exp(-facts.logit))
    found = []
    for low, high in pairwise(BINS):
        rows = (facts.dataset == NATURAL) & (said >= low) & ((said < high) | (high == 1))
        if rows.any():
            said_here = round(float(said[rows].mean()), 4)
            found.append({"said": said_here} | share_of(facts.is_affective[rows]))
    return found


def measure_prevalence(facts: Facts) -> dict[str, Any]:
    """Measures how well the correction recovers known shares from resampled conversations."""
    natural = facts.dataset == NATURAL
    positive = facts.affective[np.isin(facts.dataset, READ_WHOLE) & facts.is_affective]
    return resample(positive, facts.affective[natural & ~facts.is_affective], TRUE_SHARES, SEED)


def measure_transfer(unseen: Facts, rate: Rate) -> dict[str, Any]:
    """Measures how well the shipped rate corrects shares of the platform that nothing has seen."""
    positive = unseen.affective[unseen.is_affective]
    negative = unseen.affective[~unseen.is_affective]
    return transfer(positive, negative, rate, TRUE_SHARES, SEED)

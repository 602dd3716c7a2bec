"""Measures the gate, which decides whether a conversation is affective."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Final

import numpy as np

from schemas.labels import LANGUAGES, USES
from training.measures.accuracy import auc, share_of
from training.measures.decisions import Facts
from training.measures.labels import AFFECTIVE_LABELS
from training.measures.messages import any_pushback
from training.prevalence import resample
from training.sources import SEED, TOOLS

TRUE_SHARES: Final = (0.01, 0.03, 0.1)
BINS: Final = (0.0, 0.01, 0.03, 0.1, 0.3, 0.6, 0.8, 1.0)


def measure_real(facts: Facts) -> dict[str, Any]:
    """Measures the gate on real conversations, without near-duplicates."""
    real, label = facts.is_real, facts.label
    positive = real & facts.is_affective
    unread = real & (label == "unread")
    negative = real & ~positive
    none = negative & ~unread
    return {
        "conversations": int(real.sum()),
        "recall": share_of(facts.affective[positive]),
        "recall_by_label": {
            name: share_of(facts.affective[positive & (label == name)]) for name in AFFECTIVE_LABELS
        },
        "false_positives": share_of(facts.affective[negative]),
        "false_positives_on_none": share_of(facts.affective[none]),
        "false_positives_on_unread": share_of(facts.affective[unread]),
        "recall_at_false_positives": {
            f"{rate:.0%}": share_of(
                facts.logit[positive] > np.quantile(facts.logit[negative], 1 - rate)
            )
            for rate in (0.01, 0.02, 0.05)
        },
        "alert": {
            "recall": share_of(facts.alert[positive]),
            "false_positives": share_of(facts.alert[negative]),
        },
        "auc": {
            "none": auc(facts.logit[positive | none], positive[positive | none]),
            "unread": auc(facts.logit[positive | unread], positive[positive | unread]),
            "both": auc(facts.logit[real], positive[real]),
        },
        "by_source": {
            name: {
                "recall": share_of(facts.affective[positive & (facts.source == name)]),
                "false_positives": share_of(facts.affective[negative & (facts.source == name)]),
            }
            for name in ("real_arena", "real_wildchat", "real_oasst")
        },
        "pushback_share": share_of(any_pushback(facts)[real]),
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
    by_use = {
        use: share_of(facts.affective[written & (facts.written_use == use)]) for use in USES[1:]
    }
    return {"groups": found, "false_positives_by_use": by_use}


def measure_tools(facts: Facts) -> dict[str, Any]:
    """Returns the false positives of each tool set. The judging model saw none of that set."""
    return {name: share_of(facts.affective[facts.source == name]) for name in TOOLS}


def measure_calibration(facts: Facts) -> list[dict[str, Any]]:
    """Compares the predicted and observed shares of affective real conversations, in bins."""
    said = 1 / (1 + np.exp(-facts.logit))
    found = []
    for low, high in pairwise(BINS):
        rows = facts.is_real & (said >= low) & ((said < high) | (high == 1))
        if rows.any():
            said_here = round(float(said[rows].mean()), 4)
            found.append({"said": said_here} | share_of(facts.is_affective[rows]))
    return found


def measure_prevalence(facts: Facts) -> dict[str, Any]:
    """Measures how well the correction recovers known shares from resampled conversations."""
    read = facts.is_real & facts.is_affective
    negative = facts.is_real & ~facts.is_affective
    written = facts.is_written & facts.is_affective & (facts.language == "en")
    return {
        name: resample(facts.affective[rows], facts.affective[negative], TRUE_SHARES, SEED)
        for name, rows in (("real", read), ("real and written", read | written))
    }

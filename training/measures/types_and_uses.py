"""Measures the decisions on the kind of conversation: types, edge types and uses."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from schemas.labels import AFFECTIVE_TYPES, LANGUAGES, NO_TYPE, TYPES, USES
from training.calibrate import NATURAL
from training.measures.accuracy import f1, share_of
from training.measures.decisions import Facts
from training.measures.labels import true_types
from transforms.classifiers.head import EDGE_MESSAGES
from transforms.classifiers.interface import NO_INDEX

HEADLINE_FROM: Final = ("coaching", "counseling")
HEADLINE_TO: Final = "companionship"
"""The headline drift goes from one of these opening types to this closing type."""


def measure_types(facts: Facts) -> dict[str, Any]:
    """Measures all six types on written conversations alone, then on written and real ones."""
    truth = np.array([true_types(row) for row in facts.conversations])
    real = facts.is_read
    groups = {"written": facts.is_written, "written and real": facts.is_written | real}
    found = facts.affective & truth[:, : len(AFFECTIVE_TYPES)].any(axis=1)
    named = np.flatnonzero(found & real)
    return {
        **{name: _type_f1(facts, truth, rows) for name, rows in groups.items()},
        "confusion": _confuse(facts, truth, found & facts.is_written).tolist(),
        "right_on_real_found": share_of((facts.types & truth)[named].any(axis=1)),
        "by_language": {
            code: _type_f1(facts, truth, facts.is_written & (facts.language == code))["macro_f1"]
            for code in LANGUAGES[1:]
        },
    }


def _type_f1(facts: Facts, truth: NDArray[np.bool_], rows: NDArray[np.bool_]) -> dict[str, float]:
    by_type = {kind: f1(facts.types[rows, i], truth[rows, i]) for i, kind in enumerate(TYPES)}
    return by_type | {"macro_f1": round(float(np.mean(list(by_type.values()))), 4)}


def _confuse(facts: Facts, truth: NDArray[np.bool_], rows: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Counts given types (columns) of conversations that truly have one affective type (rows)."""
    confusion = np.zeros((len(AFFECTIVE_TYPES), len(AFFECTIVE_TYPES)), np.int64)
    for row in np.flatnonzero(rows).tolist():
        true = truth[row, : len(AFFECTIVE_TYPES)]
        if true.sum() == 1:
            confusion[true.argmax()] += facts.types[row, : len(AFFECTIVE_TYPES)]
    return confusion


def measure_edges(facts: Facts) -> dict[str, Any]:
    """Measures opening and closing types of affective conversations of more than three messages."""
    found: dict[str, Any] = {}
    rows = [
        row
        for row, conversation in enumerate(facts.conversations)
        if conversation.source == "written"
        and conversation.labels
        and conversation.labels.affective
        and facts.affective[row]
        and len(conversation.human) > EDGE_MESSAGES
    ]
    right = {}
    for edge, said in (("opening", facts.opening), ("closing", facts.closing)):
        kinds = [getattr(facts.conversations[row].labels, f"{edge}_type") for row in rows]
        names = [TYPES[said[row]] if said[row] != NO_INDEX else NO_TYPE for row in rows]
        right[edge] = np.array([a == b for a, b in zip(kinds, names, strict=True)])
        found[edge] = share_of(right[edge])
    headline = {
        place: [(opening in HEADLINE_FROM) and closing == HEADLINE_TO for opening, closing in pairs]
        for place, pairs in (
            (
                "true",
                [
                    (own.opening_type, own.closing_type)
                    for own in (facts.conversations[row].labels for row in rows)
                    if own
                ],
            ),
            ("said", [(_name(facts.opening[row]), _name(facts.closing[row])) for row in rows]),
        )
    }
    drifts = np.array(
        [
            labels.opening_type != labels.closing_type
            for labels in (facts.conversations[row].labels for row in rows)
            if labels
        ]
    )
    said_drift = np.array([facts.opening[row] != facts.closing[row] for row in rows])
    true, said = np.array(headline["true"]), np.array(headline["said"])
    return found | {
        "drift_f1": f1(said_drift, drifts),
        "drifts": int(drifts.sum()),
        "drift_precision": share_of(drifts[said_drift]),
        "headline_recall": share_of(said[true]),
        "headline_precision": share_of(true[said]),
    }


def _name(kind: int) -> str:
    return TYPES[kind] if kind != NO_INDEX else NO_TYPE


def measure_uses(facts: Facts) -> dict[str, Any]:
    """Measures the eight uses on written conversations, and on the natural set."""
    truth = facts.true_use[facts.is_written]
    right = np.array(USES)[facts.use] == facts.true_use
    natural = right[(facts.dataset == NATURAL) & facts.is_read]
    right = right[facts.is_written]
    return {
        "natural": share_of(natural),
        "all": share_of(right),
        "of_those_not_affective": share_of(right[truth != "affective"]),
        "by_use": {use: share_of(right[truth == use]) for use in USES},
    }

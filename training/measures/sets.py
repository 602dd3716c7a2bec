"""Measures the shipped model on texts that no model learns from."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np

from schemas.labels import AFFECTIVE_TYPES
from training.lines import read_lines
from training.measures.accuracy import auc, share_of
from training.measures.decisions import judge
from training.measures.messages import pushback_figures
from training.sources import (
    Conversation,
    Turn,
    drop_near_duplicates,
    read_conversations,
)
from transforms.classifiers.interface import PUSHBACK, Classifier

SCENES: Final = Path(__file__).parents[2] / "pipelines" / "simulator"
EVALUATION_SETS: Final = ("cpsycoun_zh", "empathetic", "synth_es", "alpaca_en", "alpaca_zh")


def measure_sets(classifier: Classifier, data: Path) -> dict[str, Any]:
    """Returns the affective share of each data set that is only for evaluation."""
    found = {}
    for name in EVALUATION_SETS:
        rows = drop_near_duplicates(read_conversations(data / "eval" / f"{name}.jsonl.gz"))
        found[name] = share_of(judge(classifier, rows).found.affective)
    prompts = list(read_lines(data / "eval" / "coconot_pref.jsonl.gz"))
    asked = [
        Conversation(str(place), "coconot", (Turn(True, row["prompt"]),))
        for place, row in enumerate(prompts)
    ]
    found["coconot prompts"] = share_of(judge(classifier, asked).found.affective)
    for kind in ("chosen", "rejected"):
        texts = [row[kind] for row in prompts]
        scores = classifier.score(texts, np.zeros(len(texts), np.bool_))
        said = scores[:, PUSHBACK] >= classifier.pushback_threshold
        found[f"coconot {kind}: pushback"] = share_of(said)
    return found


def measure_scenes(classifier: Classifier) -> dict[str, Any]:
    """Measures the simulator's lines, which other authors wrote and from which no model learns."""
    found: dict[str, Any] = {}
    for path in sorted(SCENES.glob("scenes_*.jsonl")):
        rows = list(read_lines(path))
        said = [row for row in rows if row["role"] == "human"]
        asked = [
            Conversation(str(i), "s", (Turn(True, row["text"]),)) for i, row in enumerate(said)
        ]
        judged = judge(classifier, asked).found
        truth = np.array([row["kind"] in AFFECTIVE_TYPES for row in said])
        kinds = np.array([row["kind"] for row in said])
        replies = [row for row in rows if row["role"] != "human"]
        scores = classifier.score([r["text"] for r in replies], np.zeros(len(replies), np.bool_))
        pushed = np.array([row["pushback_reason"] is not None for row in replies])
        found[path.stem] = {
            "auc": auc(judged.affective_logit, truth),
            "affective": {
                kind: share_of(judged.affective[kinds == kind]) for kind in sorted({*kinds})
            },
            "pushback": pushback_figures(
                scores[:, PUSHBACK] >= classifier.pushback_threshold, pushed
            ),
        }
    return found

"""Measures the model and writes the model card: `python -m training.evaluate [--data FOLDER]`.

Trains first, so that every figure on written messages and on real conversations comes of a fold's
model that did not see them, and writes the model that the figures are about. The labels of real
conversations are read here and nowhere else.
"""

from __future__ import annotations

import argparse
import io
import json
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from schemas.labels import AFFECTIVE_TYPES, LANGUAGES, PUSHBACK_REASONS, TYPES, USES
from training.card import write_card
from training.sources import (
    Conversation,
    fold_of,
    opening_of,
    read_conversations,
    read_lines,
)
from training.train import Trained, add_options, data_folder, train
from transforms.classifiers.interface import (
    AFFECTIVE,
    FIRST_TYPE,
    HUMAN_WIDTH,
    NO_LOGIT,
    PUSHBACK,
    REASON,
    SENTIMENT,
    TYPE_COLUMNS,
    USE_COLUMNS,
    Judgements,
)
from transforms.classifiers.linear import LinearClassifier, load

ROOT: Final = Path(__file__).parents[1]
METRICS: Final = Path(__file__).with_name("metrics.json")
CARD: Final = ROOT / "MODEL_CARD.md"

LABELS: Final = {
    "interpersonal": "interpersonal_advice",
    "romantic": "romantic_roleplay",
    "companionship": "companionship",
    "counseling": "counseling",
    "coaching": "coaching",
}
"""How the affective labels of the real conversations are called here."""

STEP_CUTS: Final = np.array([-1.5, -0.5, 0.5, 1.5])
"""Cuts between stored sentiment steps, which are already cut."""

Z: Final = 1.96


def wilson(hits: int, count: int) -> dict[str, Any]:
    """Gives a share with its 95 % Wilson interval."""
    if count == 0:
        return {"hits": 0, "of": 0}
    share = hits / count
    middle = (share + Z * Z / (2 * count)) / (1 + Z * Z / count)
    half = Z / (1 + Z * Z / count)
    half *= (share * (1 - share) / count + Z * Z / (4 * count * count)) ** 0.5
    return {
        "hits": hits,
        "of": count,
        "share": round(share, 4),
        "low": round(max(middle - half, 0), 4),
        "high": round(min(middle + half, 1), 4),
    }


def share_of(flags: NDArray[np.bool_]) -> dict[str, Any]:
    """Gives the share of set flags with its interval."""
    return wilson(int(flags.sum()), len(flags))


def auc(scores: NDArray[Any], positive: NDArray[np.bool_]) -> float:
    """Gives the chance that a positive scores above a negative; ties count half."""
    negatives = np.sort(scores[~positive])
    below = np.searchsorted(negatives, scores[positive], "left")
    up_to = np.searchsorted(negatives, scores[positive], "right")
    return round(float((below + up_to).mean() / 2 / len(negatives)), 4)


def judge(classifier: LinearClassifier, conversations: Sequence[Conversation]) -> Judgements:
    """Judges whole conversations, as the pipeline would."""
    turns = [(row, role, text) for row, c in enumerate(conversations) for role, text in c.turns]
    turns = [turn for turn in turns if turn[1] != "system"]
    human = np.array([role == "human" for _, role, _ in turns])
    owner = np.array([row for row, _, _ in turns])
    scores = classifier.score([text for _, _, text in turns], human)
    pushback = np.full(len(conversations), NO_LOGIT, np.int8)
    np.maximum.at(pushback, owner[~human], scores[~human, PUSHBACK])
    counts = np.bincount(owner[human], minlength=len(conversations)).astype(np.int64)
    starts = np.concatenate(([0], np.cumsum(counts)))
    return classifier.judge(scores[human, :HUMAN_WIDTH], starts, pushback, counts)


def opened(stored: bytes) -> LinearClassifier:
    """Loads a model from the bytes of its file, quantised like the shipped one."""
    return load(io.BytesIO(stored))


def measure_real(trained: Trained) -> dict[str, Any]:
    """Measures on the real conversations, each judged by the model that did not see it."""
    conversations = trained.conversations
    folds = np.array([fold_of(opening_of(row)) for row in conversations])
    logit = np.zeros(len(conversations))
    affective = np.zeros(len(conversations), np.bool_)
    types = np.zeros(len(conversations), np.uint8)
    pushback = np.zeros(len(conversations), np.bool_)
    for fold, model in enumerate(trained.folds):
        rows = np.flatnonzero(folds == fold)
        judged = judge(opened(model.to_bytes()), [conversations[row] for row in rows])
        logit[rows], affective[rows] = judged.affective_logit, judged.affective
        types[rows], pushback[rows] = judged.types, judged.pushback
    label = np.array([row.label or "unread" for row in conversations])
    source = np.array([row.source for row in conversations])
    positive = np.isin(label, list(LABELS))
    against = {name: label == name for name in ("none", "unread")}
    return {
        "raw_affective_share": share_of(affective),
        "false_positive_rate_on_none": share_of(affective[label == "none"]),
        "share_of_unread": share_of(affective[label == "unread"]),
        "recall_on_affective": share_of(affective[positive]),
        "recall_by_label": {name: share_of(affective[label == name]) for name in LABELS},
        "auc": {
            f"affective against {name}": auc(logit[positive | rows], positive[positive | rows])
            for name, rows in against.items()
        },
        "type_right_where_affective": share_of(_types_right(types, label)[positive & affective]),
        "roleplay_share": share_of(types >> TYPES.index("roleplay") & 1 == 1),
        "pushback_share": share_of(pushback),
        "by_source": {
            name: {
                "raw_affective_share": share_of(affective[source == name]),
                "false_positive_rate_on_none": share_of(
                    affective[(source == name) & (label == "none")]
                ),
            }
            for name in sorted({*source.tolist()})
        },
    }


def _types_right(types: NDArray[np.uint8], label: NDArray[np.str_]) -> NDArray[np.bool_]:
    bits = [TYPES.index(LABELS[name]) if name in LABELS else len(TYPES) for name in label.tolist()]
    right: NDArray[np.bool_] = types >> np.array(bits, np.uint8) & 1 == 1
    return right


def measure_sets(classifier: LinearClassifier, data: Path) -> dict[str, Any]:
    """Gives the affective share of each set that is for evaluation only."""
    names = ("cpsycoun_zh", "empathetic", "synth_es", "alpaca_en", "alpaca_zh")
    return {
        name: share_of(
            judge(classifier, read_conversations(data / "eval" / f"{name}.jsonl.gz")).affective
        )
        for name in names
    }


def measure_written(trained: Trained) -> dict[str, Any]:
    """Measures single written messages, held out by fold, by file and by stage."""
    human = trained.human
    rows = np.flatnonzero(human.written)
    wanted = human.wanted[rows]
    logits = human.fitted.logits[rows]
    cuts = trained.model.sentiment_cuts
    source = np.array([human.examples[row].source for row in rows])
    stage = np.array([human.examples[row].stage for row in rows])
    groups = {name: source == name for name in sorted({*source.tolist()})}
    groups |= {name: stage == name for name in ("opening", "middle", "closing")}
    return {
        name: measure_messages(logits[mask], wanted[mask], cuts) for name, mask in groups.items()
    } | {"all": measure_messages(logits, wanted, cuts)}


def measure_messages(
    logits: NDArray[Any], wanted: NDArray[Any], cuts: NDArray[np.float64]
) -> dict[str, Any]:
    """Measures gate, types, use and sentiment of single messages."""
    affective = wanted[:, AFFECTIVE] > 0
    tasks, kinds = ~affective, range(len(TYPES))
    use = logits[:, USE_COLUMNS][:, 1:].argmax(axis=1)
    right = wanted[:, USE_COLUMNS][:, 1:].argmax(axis=1)
    steps = (np.searchsorted(cuts, logits[:, SENTIMENT], "right") - 2) / 2
    rows = logits[affective][:, TYPE_COLUMNS][:, : len(AFFECTIVE_TYPES)]
    best = rows.argmax(axis=1)
    truth = wanted[affective][:, TYPE_COLUMNS]
    found: dict[str, Any] = {
        "messages": len(wanted),
        "type_right_among_affective": share_of(truth[np.arange(len(best)), best] > 0),
        "use_right_among_tasks": share_of((use == right)[tasks]),
        "sentiment_error": round(float(np.abs(steps - wanted[:, SENTIMENT]).mean()), 3),
        "sentiment_correlation": round(float(np.corrcoef(steps, wanted[:, SENTIMENT])[0, 1]), 3),
    }
    if affective.any() and tasks.any():
        found["gate_auc"] = auc(logits[:, AFFECTIVE], affective)
        columns = [(kind, FIRST_TYPE + kind) for kind in kinds]
        found["type_auc"] = {
            TYPES[kind]: auc(logits[:, column], wanted[:, column] > 0)
            for kind, column in columns
            if 0 < (wanted[:, column] > 0).sum() < len(wanted)
        }
    return found


def measure_pushback(trained: Trained, classifier: LinearClassifier, data: Path) -> dict[str, Any]:
    """Measures pushback on held-out replies, and on CoCoNot's, which no weight has seen."""
    examples = trained.assistant.examples
    logits = trained.assistant.fitted.logits
    shift = trained.model.pushback_shift
    found: dict[str, Any] = {}
    for source in ("assistant_en", "assistant_zh", "xstest"):
        rows = np.array([row for row, e in enumerate(examples) if e.source == source])
        truth = np.array([examples[row].pushback for row in rows])
        language = "zh" if source == "assistant_zh" else "en"
        said = logits[rows, 0] + shift[LANGUAGES.index(language)] >= 0
        reasons = [row for row in rows if examples[row].reason]
        right = [
            PUSHBACK_REASONS[logits[row, 1:].argmax()] == examples[row].reason for row in reasons
        ]
        found[source] = {
            "auc": auc(logits[rows, 0], truth),
            "recall": share_of(said[truth]),
            "false_positive_rate": share_of(said[~truth]),
            "reason_right": share_of(np.array(right, np.bool_)),
        }
    answers = list(read_lines(data / "eval" / "coconot_pref.jsonl.gz"))
    for kind in ("chosen", "rejected"):
        texts = [row[kind] for row in answers]
        rows = classifier.score(texts, np.zeros(len(texts), np.bool_))
        found[f"coconot_{kind}"] = {
            "pushback_share": share_of(rows[:, PUSHBACK] >= trained.model.pushback_threshold)
        }
    return found


def measure_scenes(classifier: LinearClassifier) -> dict[str, Any]:
    """Measures on the simulator's lines, written by others and never trained on."""
    found: dict[str, Any] = {}
    for path in sorted((ROOT / "pipelines" / "simulator").glob("scenes_*.jsonl")):
        rows = list(read_lines(path))
        human = np.array([row["role"] == "human" for row in rows])
        scores = classifier.score([row["text"] for row in rows], human)
        said = [row for row in rows if row["role"] == "human"]
        found[path.stem] = measure_messages(
            scores[human, : SENTIMENT + 1],
            _scene_targets(said),
            STEP_CUTS,
        ) | _scene_replies(classifier, scores[~human], [r for r in rows if r["role"] != "human"])
    return found


def _scene_targets(rows: Sequence[Any]) -> NDArray[np.float32]:
    """Lays a scene's labels out as targets; its `kind` is a type or a use."""
    wanted = np.zeros((len(rows), SENTIMENT + 1), np.float32)
    for place, row in enumerate(rows):
        kind = row["kind"]
        use = kind if kind in USES else "leisure" if kind == "roleplay" else "affective"
        wanted[place, AFFECTIVE] = kind in AFFECTIVE_TYPES
        wanted[place, USE_COLUMNS.start + USES.index(use)] = 1
        wanted[place, SENTIMENT] = row["sentiment"]
        if kind in TYPES:
            wanted[place, FIRST_TYPE + TYPES.index(kind)] = 1
    return wanted


def _scene_replies(
    classifier: LinearClassifier, scores: NDArray[np.int8], rows: Sequence[Any]
) -> dict[str, Any]:
    truth = np.array([row["pushback_reason"] is not None for row in rows])
    said = scores[:, PUSHBACK] >= classifier.pushback_threshold
    right = [
        PUSHBACK_REASONS[score[REASON]] == row["pushback_reason"]
        for score, row in zip(scores, rows, strict=True)
        if row["pushback_reason"] is not None
    ]
    return {
        "pushback_recall": share_of(said[truth]),
        "pushback_false_positive_rate": share_of(said[~truth]),
        "pushback_reason_right": share_of(np.array(right, np.bool_)),
    }


def measure_speed(
    classifier: LinearClassifier,
    conversations: Iterable[Conversation],
    clock: Callable[[], float] = time.process_time,
) -> dict[str, Any]:
    """Times batches of 1,000 real messages, cut to 200 characters, in seconds of one core."""
    turns = [turn for row in conversations for turn in row.turns]
    texts = [text[:200] for _, text in turns]
    human = np.array([role == "human" for role, _ in turns])
    best = float("inf")
    for _ in range(3):
        begun = clock()
        for place in range(0, len(texts), 1000):
            classifier.score(texts[place : place + 1000], human[place : place + 1000])
        best = min(best, clock() - begun)
    return {
        "messages_per_second": round(len(texts) / best),
        "mean_characters": round(sum(map(len, texts)) / len(texts)),
    }


def measure(trained: Trained, data: Path) -> dict[str, Any]:
    """Measures everything that the card reports."""
    stored = trained.model.to_bytes()
    classifier = opened(stored)
    return {
        "version": classifier.version,
        "bytes": len(stored),
        "languages": list(LANGUAGES),
        "real": measure_real(trained),
        "sets": measure_sets(classifier, data),
        "written": measure_written(trained),
        "pushback": measure_pushback(trained, classifier, data),
        "scenes": measure_scenes(classifier),
        "speed": measure_speed(classifier, trained.conversations),
    }


def main() -> None:
    """Measures, and writes the metrics and the card."""
    parser = argparse.ArgumentParser(description="Measure the model and write its card.")
    add_options(parser)
    options = parser.parse_args()
    data = data_folder(options.data)
    trained = train(data, options.cache)
    trained.model.write(options.model)
    metrics = measure(trained, data)
    METRICS.write_text(json.dumps(metrics, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    write_card(metrics, CARD)
    print(json.dumps(metrics["real"], indent=1))


if __name__ == "__main__":
    main()

"""Trains the shipped model: `python -m training.train [--data FOLDER] [--out FILE]`.

Labels and embeddings make a teacher, the teacher scores a hundred thousand short texts, and the
n-gram model learns those scores, mixed with the labels where there are any. Every score that a
threshold, a cut or the conversation head is set by comes of a teacher and a model that did not see
the message (folds by written message and by real conversation); the labels of real conversations
are never read. Then one model is fitted on everything and written.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas.labels import LANGUAGES, PUSHBACK_REASONS, SENTIMENT_STEPS, TYPES, USES
from training.conversations import Pooled, compose, fit_head
from training.fit import Fitted, read_design
from training.model_file import Model
from training.sources import (
    FOLDS,
    MAX_TURNS,
    SEED,
    AssistantExample,
    Conversation,
    HumanExample,
    compliant_assistants,
    feelings,
    fold_of,
    fragments_of,
    read_conversations,
    real_humans,
    refusals,
    scraped_humans,
    written_assistants,
    written_humans,
)
from training.teacher import embed, fit_linear, fit_logistic
from transforms.classifiers.interface import (
    AFFECTIVE,
    FIRST_TYPE,
    FIRST_USE,
    HUMAN_WIDTH,
    LOGIT_UNIT,
    SENTIMENT,
    TYPE_COLUMNS,
    USE_COLUMNS,
)

MODEL: Final = Path(__file__).parents[1] / "transforms" / "classifiers" / "model.npz"
DATA: Final = Path(__file__).parents[2] / "shared" / "data"
CACHE: Final = Path(tempfile.gettempdir()) / "undertone-training"

SURE: Final = 4.0
"""The logit that stands for a label."""

TRUST: Final = 0.5
"""How much of the wanted logit is the label where there is one; the rest is the teacher's."""

OWN_WEIGHT: Final = 3.0
LABELLED_WEIGHT: Final = 6.0
"""How much more than a scraped text a written or real one, and a labelled one, counts for the
n-gram model: they are what it will meet."""

FARTHEST: Final = 8.0
"""Where the teacher's logits are clipped: past it they tell only of distance."""

HELD_OUT_PUSHBACK: Final = 0.05
"""Share of held-out written replies without pushback that count as pushback all the same. They were
written to look like it; of everyday replies far fewer do."""

CJK: Final = frozenset({"zh", "ja", "ko"})

Teach = Callable[[NDArray[np.bool_]], NDArray[np.float32]]
"""Fits a teacher on the texts marked and gives its logits of all texts."""


@dataclass(frozen=True)
class Crossfit:
    """Holds the final heads, each fold's, and for each text the logits of its fold's."""

    final: Fitted
    folds: tuple[Fitted, ...]
    logits: NDArray[np.float32]


def crossfit(
    texts: Sequence[str],
    groups: Sequence[str],
    wanted: NDArray[np.float32],
    labelled: NDArray[np.bool_],
    teach: Teach,
) -> Crossfit:
    """Fits heads on all texts, and for each fold heads that never saw its texts.

    Args:
        texts: n texts; what they have in common is unlabelled, so all count for feature rarity.
        groups: n groups; `fold_of` tells the fold, and texts of none are always trained on.
        wanted: float32 (n, heads), the logits that stand for the labels.
        labelled: bool (n, heads), where `wanted` is to be trusted.
        teach: scores the texts, having seen only those marked.
    """
    design = read_design(texts)
    folds = np.array([fold_of(group) for group in groups])
    own = np.where(folds >= 0, OWN_WEIGHT, 1.0)
    weight = np.where(labelled[:, 0], LABELLED_WEIGHT, own).astype(np.float32)
    logits = np.zeros(wanted.shape, np.float32)

    def fit(seen: NDArray[np.bool_]) -> Fitted:
        taught = np.clip(teach(seen), -FARTHEST, FARTHEST)
        mixed = TRUST * wanted + (1 - TRUST) * taught
        return design.fit(np.where(labelled, mixed, taught), weight * seen)

    fitted = []
    for fold in range(FOLDS):
        fitted.append(fit(folds != fold))
        rows = folds == fold
        logits[rows] = design.logits(fitted[-1])[rows]
    return Crossfit(fit(folds != FOLDS), tuple(fitted), logits)


@dataclass(frozen=True)
class Human:
    """Holds the human examples, what was fitted on them, and which are written and real."""

    examples: list[HumanExample]
    wanted: NDArray[np.float32]
    fitted: Crossfit
    written: NDArray[np.bool_]
    real: NDArray[np.bool_]


def train_human(data: Path, conversations: Sequence[Conversation], cache: Path) -> Human:
    """Fits the gate, the types, the uses and the sentiment."""
    written, real = written_humans(), real_humans(conversations)
    train = data / "train"
    examples = [*written, *real, *fragments_of([*written, *real])]
    examples += [*scraped_humans(train), *feelings(train)]
    texts = [example.text for example in examples]
    vectors = embed(texts, cache)
    wanted = human_labels(examples)
    weight = np.array([example.weight for example in examples], np.float32)
    felt = np.array([example.sentiment_weight for example in examples], np.float32)
    is_written = np.array([bool(example.stage) for example in examples])

    def teach(seen: NDArray[np.bool_]) -> NDArray[np.float32]:
        own = np.flatnonzero(seen & is_written)
        told, heard = np.flatnonzero(seen & (weight > 0)), np.flatnonzero(seen & (felt > 0))
        gate = fit_logistic(vectors[told], wanted[told, : TYPE_COLUMNS.stop], weight[told])
        use = fit_logistic(vectors[own], wanted[own, USE_COLUMNS], weight[own])
        mood = fit_linear(vectors[heard], wanted[heard, SENTIMENT:], felt[heard])
        found = [teacher.logits(vectors) for teacher in (gate, use, mood)]
        found[-1] *= SURE
        return np.concatenate(found, axis=1)

    sure = np.where(wanted > 0, SURE, -SURE).astype(np.float32)
    sure[:, SENTIMENT] = wanted[:, SENTIMENT] * SURE
    groups = [example.group for example in examples]
    labelled = np.repeat(is_written[:, None], wanted.shape[1], axis=1)
    fitted = crossfit(texts, groups, sure, labelled, teach)
    place = np.arange(len(examples)) - len(written)
    return Human(examples, wanted, fitted, is_written, (place >= 0) & (place < len(real)))


def human_labels(examples: Sequence[HumanExample]) -> NDArray[np.float32]:
    """Lays out the labels, 0 or 1 and the sentiment; float32 (n, 16)."""
    wanted = np.zeros((len(examples), SENTIMENT + 1), np.float32)
    for row, example in enumerate(examples):
        wanted[row, AFFECTIVE] = example.affective
        wanted[row, [FIRST_TYPE + TYPES.index(name) for name in example.types]] = 1
        wanted[row, SENTIMENT] = example.sentiment
        if example.use is not None:
            wanted[row, FIRST_USE + USES.index(example.use)] = 1
    return wanted


@dataclass(frozen=True)
class Assistant:
    """Holds the assistant examples and what was fitted on them."""

    examples: list[AssistantExample]
    fitted: Crossfit


def train_assistant(data: Path, cache: Path) -> Assistant:
    """Fits pushback and its reasons."""
    train = data / "train"
    examples = [*written_assistants(), *refusals(train), *compliant_assistants(train)]
    texts = [example.text for example in examples]
    vectors = embed(texts, cache)
    wanted = np.zeros((len(examples), 1 + len(PUSHBACK_REASONS)), np.float32)
    for row, example in enumerate(examples):
        wanted[row, 0] = example.pushback
        if example.reason is not None:
            wanted[row, 1 + PUSHBACK_REASONS.index(example.reason)] = 1
    weight = np.array([example.weight for example in examples], np.float32)
    reasoned = np.array([example.reason is not None for example in examples])

    def teach(seen: NDArray[np.bool_]) -> NDArray[np.float32]:
        why = np.flatnonzero(seen & reasoned)
        told = np.flatnonzero(seen)
        pushback = fit_logistic(vectors[told], wanted[told, :1], weight[told])
        reasons = fit_logistic(vectors[why], wanted[why, 1:], weight[why])
        return np.concatenate([pushback.logits(vectors), reasons.logits(vectors)], axis=1)

    sure = np.where(wanted > 0, SURE, -SURE).astype(np.float32)
    labelled = np.repeat(reasoned[:, None], wanted.shape[1], axis=1)
    labelled[:, 0] = True
    groups = [example.group for example in examples]
    return Assistant(examples, crossfit(texts, groups, sure, labelled, teach))


def pack_rows(logits: NDArray[np.float32]) -> NDArray[np.int8]:
    """Lays human logits out as `score` does, without sentiment and language."""
    rows = np.zeros((len(logits), HUMAN_WIDTH), np.int8)
    rounded = np.rint(logits[:, :SENTIMENT] / LOGIT_UNIT)
    rows[:, :SENTIMENT] = np.clip(rounded, -128, 127)
    return rows


def real_pooled(logits: NDArray[np.float32], conversations: Sequence[Conversation]) -> Pooled:
    """Groups the rows of real human turns by conversation, in the order they were read."""
    sizes = [min(len(row.human), MAX_TURNS) for row in conversations]
    return Pooled(pack_rows(logits), np.cumsum([0, *sizes]), np.full(len(sizes), -1))


def sentiment_cuts(logits: NDArray[np.float32], wanted: NDArray[np.float32]) -> NDArray[np.float64]:
    """Sets cuts so that held-out messages fall on the steps as often as they were labelled."""
    below = [float((wanted < step - 0.1).mean()) for step in SENTIMENT_STEPS[1:]]
    return np.quantile(logits, below).astype(np.float64)


def pushback_shift(assistant: Assistant) -> NDArray[np.float64]:
    """Sets, by language, what brings the level that few quiet held-out replies reach to 0.

    Languages without written replies take the shift of the written one nearest in script.
    """
    shift = dict.fromkeys(LANGUAGES, 0.0)
    for written, alike in (("en", set(LANGUAGES) - CJK), ("zh", CJK)):
        quiet = [
            row
            for row, example in enumerate(assistant.examples)
            if example.source == f"assistant_{written}" and not example.pushback
        ]
        level = np.quantile(assistant.fitted.logits[quiet, 0], 1 - HELD_OUT_PUSHBACK)
        shift |= dict.fromkeys(alike, -float(level))
    return np.array([shift[language] for language in LANGUAGES])


@dataclass(frozen=True)
class Trained:
    """Holds the shipped model, and for each fold one that did not see it, all with one head."""

    model: Model
    folds: tuple[Model, ...]
    conversations: list[Conversation]
    human: Human
    assistant: Assistant


def train(data: Path, cache: Path) -> Trained:
    """Trains on the data folder's sets and the written corpora."""
    conversations = read_conversations(data / "real" / "dev.jsonl.gz")
    human = train_human(data, conversations, cache)
    assistant = train_assistant(data, cache)
    logits = human.fitted.logits
    written = [example for example in human.examples if example.stage]
    weights, thresholds = fit_head(
        compose(written, pack_rows(logits[human.written]), SEED),
        real_pooled(logits[human.real], conversations),
    )
    model = Model(
        human=human.fitted.final,
        assistant=assistant.fitted.final,
        sentiment_cuts=sentiment_cuts(
            logits[human.written, SENTIMENT], human.wanted[human.written, SENTIMENT]
        ),
        head_weights=weights,
        head_thresholds=thresholds,
        pushback_shift=pushback_shift(assistant),
        pushback_threshold=0,
    )
    pairs = zip(human.fitted.folds, assistant.fitted.folds, strict=True)
    folds = tuple(replace(model, human=one, assistant=other) for one, other in pairs)
    return Trained(model, folds, conversations, human, assistant)


def data_folder(given: str | None) -> Path:
    """Finds the data folder; leaves with one sentence where there is none."""
    path = Path(given or os.environ.get("UNDERTONE_DATA") or DATA)
    if not (path / "train").is_dir():
        sys.exit(f"There is no train/ in the data folder {path}; name the folder with --data.")
    return path


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options that training and evaluation share."""
    parser.add_argument("--data", help="the data folder (default: $UNDERTONE_DATA)")
    parser.add_argument("--cache", type=Path, default=CACHE, help="where embeddings are kept")
    parser.add_argument("--model", type=Path, default=MODEL, help="the model file to write")


def main() -> None:
    """Trains and writes the model."""
    parser = argparse.ArgumentParser(description="Train the model that the pipeline ships.")
    add_options(parser)
    options = parser.parse_args()
    model = train(data_folder(options.data), options.cache).model
    model.write(options.model)
    print(f"Wrote {options.model.name}, {options.model.stat().st_size:,} bytes.")


if __name__ == "__main__":
    main()

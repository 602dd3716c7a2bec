"""Trains the shipped model: `python -m training.train [--data FOLDER]`.

Training has four steps. The first fits the accurate network, which reads the vectors of a sentence
encoder, to labelled conversations, real and written. The second fits the n-gram table to what the
sentence encoder and the accurate network say about several hundred thousand texts without labels.
The third teaches the default network, which reads the table's vectors, what the accurate one says.
The fourth sets the scale and the thresholds that turn scores into decisions.

All steps run once for each fold, on all texts outside the fold, and once more on everything. The
fourth step uses only scores from models that did not see the scored texts. No conversation of an
evaluation set is ever read.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training import calibrate, encoder, network
from training.calibrate import Scored, Seen
from training.distil import UNIT, distil
from training.layers import Weights
from training.material import ALL, Material, gather
from training.model_file import Arrays, network_arrays, table_arrays, write
from training.open_model import Remembered, open_accurate, open_default
from training.options import add_options, data_folder
from training.replies import fit_column, fit_replies
from training.second_gate import fit_second_gate
from training.sources import FOLDS, Conversation
from transforms.classifiers.accurate.classifier import clip, whole_numbers
from transforms.classifiers.interface import HUMAN_WIDTH, SENTIMENT, Classifier
from transforms.classifiers.ngram.classifier import read_network


@dataclass(frozen=True)
class Learned:
    """Holds an uncalibrated model: its arrays and the fitted heads."""

    arrays: Arrays
    human: Weights
    accurate: Weights


@dataclass(frozen=True)
class Trained:
    """Holds the shipped model, each fold's model, and the training material.

    `folds` are the arrays of the folds' models. A fold's model did not see any text of that fold,
    and was calibrated on the other folds.
    """

    arrays: Arrays
    folds: tuple[Arrays, ...]
    material: Material


def learn(material: Material, without: int | None) -> Learned:
    """Fits one model to all texts outside the fold `without`, or to all texts."""
    left_out = FOLDS if without is None else without
    rows = np.flatnonzero(material.fold != left_out)
    mine = np.flatnonzero(material.reply_fold != left_out)
    words, replies = material.words, material.replies
    said = [reply.text for reply in replies]
    accurate = _learn_accurate(material, rows)
    logits = network.message_logits(accurate, whole_numbers(words.vectors))
    column = fit_column(material.reply_design, replies, mine)
    table = words.fit(without, logits, column, said)
    vectors = table.encode(words.texts)
    weight = np.where(words.word, 0, words.weight_without(without)).astype(np.float32)
    human = distil(vectors, logits, weight) | {"figures": accurate["figures"]}
    heard = table.encode(said)
    more = ~words.own & ~words.word
    human = calibrate.align(human, network.message_logits(human, vectors[more], UNIT))
    accurate = calibrate.align(accurate, logits[more])
    arrays = {
        **table_arrays(table),
        **network_arrays("human", human, vectors[words.own], UNIT),
        **network_arrays("assistant", fit_replies(heard, replies, mine), heard, UNIT),
        **network_arrays("accurate", accurate, material.precise, network.UNIT),
    }
    return Learned(arrays, human, accurate)


def _learn_accurate(material: Material, rows: NDArray[np.int64]) -> Weights:
    """Fits the network that reads sentence vectors, and adds the second gate to it."""
    taught = network.fit(material.precise, material.lessons, rows)
    gate = fit_second_gate(material.conversations, material.means, rows)
    real = [row for row in rows.tolist() if material.conversations[row].is_real]
    return network.add_second_gate(taught, gate, material.means[real])


@dataclass(frozen=True)
class Scores:
    """Holds the scores of models that did not see the texts, by conversation and by reply.

    `level` and `accurate_level` say how far the logits of each fold's head lie above the mean
    over the folds.
    """

    default: Seen
    accurate: Seen
    level: list[NDArray[np.float64]]
    accurate_level: list[NDArray[np.float64]]
    moods: NDArray[np.float64]
    precise_moods: NDArray[np.float64]
    wanted_moods: NDArray[np.float64]
    mood_fold: NDArray[np.int64]
    pushback: NDArray[np.float64]


def score_humans(classifier: Classifier, conversations: Sequence[Conversation]) -> Scored:
    """Scores all human messages of the conversations."""
    texts = [text for row in conversations for text in row.human]
    scores = classifier.score(texts, np.ones(len(texts), np.bool_))[:, :HUMAN_WIDTH]
    return Scored(conversations, scores, np.cumsum([0, *(len(row.human) for row in conversations)]))


def score_apart(material: Material, folds: Sequence[Learned], cache: Path) -> Scores:
    """Scores each text with its fold's model, which did not see it."""
    order = [np.flatnonzero(material.fold == fold) for fold in range(FOLDS)]
    known = Remembered([text for row in material.conversations for text in row.human], cache)
    opened = [open_default(_uncalibrated(one)) for one in folds]
    default = [
        score_humans(classifier, [material.conversations[row] for row in rows.tolist()])
        for classifier, rows in zip(opened, order, strict=True)
    ]
    accurate = [
        score_humans(
            open_accurate(_uncalibrated(one), known),
            [material.conversations[row] for row in rows.tolist()],
        )
        for one, rows in zip(folds, order, strict=True)
    ]
    moods, precise_moods, wanted, mood_fold = [], [], [], []
    for fold, (one, rows) in enumerate(zip(folds, order, strict=True)):
        classifier = opened[fold]
        texts, steps = _moods([material.conversations[row] for row in rows.tolist()])
        vectors = encoder.encode_with(texts, classifier.encoder)
        moods.append(classifier.human.logits(vectors)[:, SENTIMENT])
        precise = whole_numbers(np.stack([known.encode(clip(text)) for text in texts]))
        precise_moods.append(read_network(one.arrays, "accurate").logits(precise)[:, SENTIMENT])
        wanted.append(steps)
        mood_fold.append(np.full(len(steps), fold))
    pushback = np.zeros(len(material.replies))
    for fold, classifier in enumerate(opened):
        rows = np.flatnonzero(material.reply_fold == fold)
        vectors = encoder.encode_with(
            [material.replies[row].text for row in rows.tolist()], classifier.encoder
        )
        pushback[rows] = classifier.assistant.logits(vectors)[:, 0]
    default_seen, level = _level([one.human for one in folds], default)
    accurate_seen, accurate_level = _level([one.accurate for one in folds], accurate)
    return Scores(
        default=default_seen,
        accurate=accurate_seen,
        level=level,
        accurate_level=accurate_level,
        moods=np.concatenate(moods),
        precise_moods=np.concatenate(precise_moods),
        wanted_moods=np.concatenate(wanted),
        mood_fold=np.concatenate(mood_fold),
        pushback=pushback,
    )


def _moods(conversations: Sequence[Conversation]) -> tuple[list[str], NDArray[np.float64]]:
    texts = [text for row in conversations if row.author for text in row.human]
    labels = [row.labels for row in conversations if row.author]
    steps = [step for own in labels if own for step in own.sentiment]
    return texts, np.array(steps)


def _level(
    weights: Sequence[Weights], parts: Sequence[Scored]
) -> tuple[Seen, list[NDArray[np.float64]]]:
    """Applies each fold's head after lowering it to the mean level of all folds; uses no labels."""
    seen = [
        calibrate.look(calibrate.begin(own), part) for own, part in zip(weights, parts, strict=True)
    ]
    levels = [part.level() for part in seen]
    above = [level - np.mean(levels, axis=0) for level in levels]
    lowered = [part.lowered(by) for part, by in zip(seen, above, strict=True)]
    return calibrate.join(lowered), above


def _uncalibrated(learned: Learned) -> Arrays:
    """Returns the arrays of a model whose thresholds are all 0. Its mood lines are never used."""
    line = np.array([0.5, 0.0])
    return {
        **learned.arrays,
        "mood": line,
        "accurate_mood": line,
        "pushback_shift": np.zeros(calibrate.LANGUAGE_COUNT),
        "pushback_threshold": np.array(0),
        **calibrate.head_arrays("head", calibrate.begin(learned.human)),
        **calibrate.head_arrays("accurate_head", calibrate.begin(learned.accurate)),
    }


def finish(learned: Learned, material: Material, scores: Scores, without: int) -> Arrays:
    """Calibrates a model on the scores of all folds except `without`."""
    fold_of = dict(
        zip((row.id for row in material.conversations), material.fold.tolist(), strict=True)
    )
    human, accurate = learned.human, learned.accurate
    if without != ALL:
        human = calibrate.lower(human, scores.level[without])
        accurate = calibrate.lower(accurate, scores.accurate_level[without])
    heads: Arrays = {}
    for name, weights, seen in (
        ("head", human, scores.default),
        ("accurate_head", accurate, scores.accurate),
    ):
        folds = np.array([fold_of[row.id] for row in seen.conversations])
        rows = np.flatnonzero(folds != without)
        head = calibrate.calibrate(calibrate.begin(weights), seen.take(rows))
        heads |= calibrate.head_arrays(name, head)
    felt = scores.mood_fold != without
    heard = np.flatnonzero((material.reply_fold != without) & (material.reply_fold != ALL))
    replies = [material.replies[row] for row in heard.tolist()]
    return {
        **_uncalibrated(learned),
        "mood": calibrate.mood_line(scores.moods[felt], scores.wanted_moods[felt]),
        "accurate_mood": calibrate.mood_line(scores.precise_moods[felt], scores.wanted_moods[felt]),
        "pushback_shift": calibrate.pushback_shift(replies, scores.pushback[heard]),
        **heads,
    }


def train(data: Path, cache: Path) -> Trained:
    """Trains the models on the sets in the data folder and on the written corpora."""
    material = gather(data, cache)
    folds = [learn(material, fold) for fold in range(FOLDS)]
    scores = score_apart(material, folds, cache)
    return Trained(
        arrays=finish(learn(material, None), material, scores, without=ALL),
        folds=tuple(finish(one, material, scores, fold) for fold, one in enumerate(folds)),
        material=material,
    )


def main() -> None:
    """Trains the model, and writes its file."""
    parser = argparse.ArgumentParser(description="Train the model that the pipeline ships.")
    add_options(parser)
    options = parser.parse_args()
    write(train(data_folder(options.data), options.cache).arrays, options.model)
    print(f"Wrote {options.model.name}, {options.model.stat().st_size:,} bytes.")


if __name__ == "__main__":
    main()

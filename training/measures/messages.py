"""Measures the decisions about single messages: sentiment, language and pushback."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from schemas.labels import LANGUAGES, PUSHBACK_REASONS
from training.measures.accuracy import f1, share_of
from training.measures.decisions import Facts
from training.open_model import open_default
from training.real_labels import key_of, read_pushback
from training.sources import FOLDS
from training.train import Trained
from training.words import common_words
from transforms.classifiers.head import EDGE_MESSAGES
from transforms.classifiers.interface import PUSHBACK
from transforms.classifiers.ngram.features import chunks
from transforms.classifiers.ngram.language import identify, make_ballots

CHANGE_MESSAGES: Final = 6


def measure_moods(facts: Facts) -> dict[str, Any]:
    """Measures the sentiment of messages and its change over conversations."""
    wanted, said, changes = [], [], []
    by_language: dict[str, list[bool]] = {}
    for row, conversation in enumerate(facts.conversations):
        if conversation.labels is None or not conversation.labels.sentiment:
            continue
        own = facts.moods[facts.starts[row] : facts.starts[row + 1]]
        true = np.array(conversation.labels.sentiment)
        wanted.append(true)
        said.append(own)
        by_language.setdefault(conversation.language, []).extend(
            (np.abs(own - true) <= 0.5).tolist()
        )
        if len(true) >= CHANGE_MESSAGES:
            changes.append((_change(own), _change(true)))
    true, own = np.concatenate(wanted), np.concatenate(said)
    found, labelled = np.array(changes).T
    moved = labelled != 0
    return {
        "messages": len(true),
        "within_half_a_point": share_of(np.abs(own - true) <= 0.5),
        "within_of_those_with_a_mood": share_of((np.abs(own - true) <= 0.5)[true != 0]),
        "always_neutral_would_be_within": share_of(np.abs(true) <= 0.5),
        "correlation": round(float(np.corrcoef(own, true)[0, 1]), 4),
        "changes": len(found),
        "correlation_of_change": round(float(np.corrcoef(found, labelled)[0, 1]), 4),
        "mean_change": round(float(found.mean()), 4),
        "mean_labelled_change": round(float(labelled.mean()), 4),
        "sign_of_change": share_of((np.sign(found) == np.sign(labelled))[moved]),
        "always_up_would_be_right": share_of((labelled > 0)[moved]),
        "by_language": {
            code: share_of(np.array(flags)) for code, flags in sorted(by_language.items())
        },
    }


def _change(moods: NDArray[np.float64]) -> float:
    return float(moods[-EDGE_MESSAGES:].mean() - moods[:EDGE_MESSAGES].mean())


def measure_languages(trained: Trained) -> dict[str, Any]:
    """Measures how often a written human message gets the right language; `und` counts as wrong.

    The words of a fold's authors vote only in the other folds.
    """
    material = trained.material
    written = [
        (row, fold)
        for row, fold in zip(material.conversations, material.fold.tolist(), strict=True)
        if row.source == "written"
    ]
    found: dict[str, list[bool]] = {}
    for fold in range(FOLDS):
        ballots = make_ballots(common_words(row for row, own in written if own != fold))
        said = [(row.language, text) for row, own in written if own == fold for text in row.human]
        for place, read in chunks([text for _, text in said]):
            for (code, _), index in zip(said[place], identify(read, ballots), strict=True):
                found.setdefault(code, []).append(LANGUAGES[index] == code)
    return {code: share_of(np.array(flags)) for code, flags in sorted(found.items())}


def any_pushback(facts: Facts) -> NDArray[np.bool_]:
    """Marks the conversations in which at least one reply counts as pushback."""
    flags = np.zeros(len(facts.conversations), np.bool_)
    begin = 0
    for row, conversation in enumerate(facts.conversations):
        count = sum(not turn.human for turn in conversation.turns)
        flags[row] = facts.pushback[begin : begin + count].any()
        begin += count
    return flags


def measure_pushback(facts: Facts) -> dict[str, Any]:
    """Measures pushback in written conversations and in their replies, by language."""
    turns = [(row, turn) for row in facts.conversations for turn in row.turns if not turn.human]
    written = np.array([row.source == "written" for row, _ in turns])
    truth = np.array([bool(turn.pushback) for _, turn in turns])
    language = np.array([row.language for row, _ in turns])
    found: dict[str, Any] = {}
    for code in ("all", *LANGUAGES[1:]):
        rows = written & (language == code) if code != "all" else written
        found[code] = pushback_figures(facts.pushback[rows], truth[rows])
    reasoned = np.flatnonzero(written & truth)
    right = [
        PUSHBACK_REASONS[facts.reasons[row]] == turns[row][1].pushback for row in reasoned.tolist()
    ]
    found["reason_right"] = share_of(np.array(right, np.bool_))
    pushed = np.array([any(turn.pushback for turn in row.turns) for row in facts.conversations])
    said = any_pushback(facts)[facts.is_written]
    found["conversations"] = pushback_figures(said, pushed[facts.is_written])
    return found


@dataclass(frozen=True)
class Pushed:
    """Holds real conversations on whose pushback both readers agree.

    Attributes:
        said, truth: bool (n,), whether the classifier and the readers found pushback.
        source: (n,), where each conversation comes from.
    """

    said: NDArray[np.bool_]
    truth: NDArray[np.bool_]
    source: NDArray[np.str_]


def judge_pushback(facts: Sequence[Facts]) -> Pushed:
    """Judges the real conversations whose pushback was read. No model learned from their replies.

    The human turns of some were learned from.
    """
    read = {
        row["key"]: bool(row["first"])
        for row in read_pushback()
        if row["reply"] is None and bool(row["first"]) == bool(row["second"])
    }
    rows = []
    for own in facts:
        said = any_pushback(own)
        for place, conversation in enumerate(own.conversations):
            truth = read.pop(key_of(conversation.human), None) if conversation.is_real else None
            if truth is not None:
                rows.append((said[place], truth, conversation.source))
    said, truths, sources = (np.array(part) for part in zip(*rows, strict=True))
    return Pushed(said, truths, sources)


def measure_real_pushback(pushed: Pushed) -> dict[str, Any]:
    """Compares the decisions with the readers, for all sources and for each."""
    groups = {"all": np.ones(len(pushed.said), np.bool_)}
    groups |= {name: pushed.source == name for name in sorted({*pushed.source.tolist()})}
    return {
        name: pushback_figures(pushed.said[rows], pushed.truth[rows])
        | {"read_share": share_of(pushed.truth[rows]), "said_share": share_of(pushed.said[rows])}
        for name, rows in groups.items()
    }


def measure_replies(trained: Trained) -> dict[str, Any]:
    """Measures pushback on held-out replies: XSTest's, and replies written as single messages."""
    material = trained.material
    opened = [open_default(arrays) for arrays in trained.folds]
    groups: dict[str, list[int]] = {}
    for place, reply in enumerate(material.replies):
        if reply.source == "xstest":
            groups.setdefault(reply.author, []).append(place)
        elif reply.source == "alone":
            groups.setdefault(f"{reply.author} {reply.language}", []).append(place)
    found = {}
    for name, places in sorted(groups.items()):
        classifier = opened[int(material.reply_fold[places[0]])]
        texts = [material.replies[place].text for place in places]
        rows = classifier.score(texts, np.zeros(len(texts), np.bool_))
        said = rows[:, PUSHBACK] >= classifier.pushback_threshold
        truth = np.array([material.replies[place].pushback for place in places])
        found[name] = pushback_figures(said, truth)
    return found


def pushback_figures(said: NDArray[np.bool_], truth: NDArray[np.bool_]) -> dict[str, Any]:
    """Compares decisions about replies, or about conversations, with the truth."""
    return {
        "replies": len(said),
        "f1": f1(said, truth),
        "recall": share_of(said[truth]),
        "false_positives": share_of(said[~truth]),
    }

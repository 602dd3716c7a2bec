"""Measures the decisions about single messages: sentiment, language and pushback."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from schemas.labels import LANGUAGES, PUSHBACK_REASONS
from training.measures.accuracy import f1, share_of
from training.measures.decisions import Facts
from training.open_model import open_default
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
    wanted, said, signs = [], [], []
    by_language: dict[str, list[bool]] = {}
    for row, conversation in enumerate(facts.conversations):
        if conversation.labels is None:
            continue
        own = facts.moods[facts.starts[row] : facts.starts[row + 1]]
        true = np.array(conversation.labels.sentiment)
        wanted.append(true)
        said.append(own)
        by_language.setdefault(conversation.language, []).extend(
            (np.abs(own - true) <= 0.5).tolist()
        )
        if len(true) >= CHANGE_MESSAGES:
            change = true[-EDGE_MESSAGES:].mean() - true[:EDGE_MESSAGES].mean()
            if change:
                signs.append(
                    np.sign(own[-EDGE_MESSAGES:].mean() - own[:EDGE_MESSAGES].mean())
                    == np.sign(change)
                )
    true, own = np.concatenate(wanted), np.concatenate(said)
    return {
        "messages": len(true),
        "within_half_a_point": share_of(np.abs(own - true) <= 0.5),
        "within_of_those_with_a_mood": share_of((np.abs(own - true) <= 0.5)[true != 0]),
        "always_neutral_would_be_within": share_of(np.abs(true) <= 0.5),
        "exact": share_of(own == true),
        "correlation": round(float(np.corrcoef(own, true)[0, 1]), 4),
        "sign_of_change": share_of(np.array(signs, np.bool_)),
        "by_language": {
            code: share_of(np.array(flags)) for code, flags in sorted(by_language.items())
        },
    }


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
    """Measures pushback of single replies in written conversations, by language."""
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
    return found


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
    """Compares decisions about replies with the truth."""
    return {
        "replies": len(said),
        "f1": f1(said, truth),
        "recall": share_of(said[truth]),
        "false_positives": share_of(said[~truth]),
    }

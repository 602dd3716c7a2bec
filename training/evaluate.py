"""Measures the model: `python -m training.evaluate [--data FOLDER] [--no-train]`.

Every figure on written and real conversations comes from a fold's model. That model saw neither
their text nor their author, and it was calibrated on the other folds. Sets under a research licence
only serve to measure the shipped model. The labels of real conversations are read here and nowhere
else. The module writes metrics.json, the rates that the views correct shares with, and the model
card.

With `--no-train` the fold models of the last training come from the cache.
"""

from __future__ import annotations

import argparse
import io
import json
import pickle
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from schemas.labels import (
    AFFECTIVE_TYPES,
    LANGUAGES,
    MIN_ROLEPLAY_HUMAN_MESSAGES,
    NO_TYPE,
    PUSHBACK_REASONS,
    ROLEPLAY_TYPES,
    TYPES,
    USES,
)
from training.agreement import measure_agreement
from training.card import write_card
from training.model_file import to_bytes, write
from training.prevalence import Z, resample
from training.sources import (
    FOLDS,
    SEED,
    TOOLS,
    Conversation,
    Turn,
    drop_near_duplicates,
    read_conversations,
    read_lines,
)
from training.train import (
    Remembered,
    Trained,
    add_options,
    data_folder,
    open_accurate,
    open_default,
    train,
)
from training.words import common_words, write_words
from transforms.classifiers.accurate.classifier import VERSION_PREFIX as ACCURATE_PREFIX
from transforms.classifiers.head import EDGE_MESSAGES
from transforms.classifiers.interface import (
    HUMAN_WIDTH,
    NO_INDEX,
    NO_LOGIT,
    PUSHBACK,
    REASON,
    SENTIMENT,
    Classifier,
    Judgements,
)
from transforms.classifiers.ngram.classifier import load
from transforms.classifiers.ngram.features import chunks
from transforms.classifiers.ngram.language import WORDS_FILE, identify, make_ballots
from transforms.estimation.rates import RATES_FILE, Rate, Rates, encode_rates

ROOT: Final = Path(__file__).parents[1]
METRICS: Final = Path(__file__).with_name("metrics.json")
RATES_OUT: Final = ROOT / "transforms" / "estimation" / RATES_FILE
CARD: Final = ROOT / "MODEL_CARD.md"
TRAINED_FILE: Final = "trained.pickle"

REAL_TYPES: Final = {
    "interpersonal": "interpersonal_advice",
    "romantic": "romantic_roleplay",
    "companionship": "companionship",
    "counseling": "counseling",
    "coaching": "coaching",
    "roleplay": "roleplay",
}
"""The types that the labels of real conversations stand for."""

AFFECTIVE_LABELS: Final = tuple(name for name in REAL_TYPES if name != "roleplay")

EVALUATION_SETS: Final = ("cpsycoun_zh", "empathetic", "synth_es", "alpaca_en", "alpaca_zh")
RATES: Final = (0.01, 0.03, 0.1)
BINS: Final = (0.0, 0.01, 0.03, 0.1, 0.3, 0.6, 0.8, 1.0)
CHANGE_MESSAGES: Final = 6


def wilson(hits: int, count: int) -> dict[str, Any]:
    """Returns a share with its 95 % Wilson interval."""
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
    """Returns the share of flags that are set, with its interval."""
    return wilson(int(flags.sum()), len(flags))


def auc(scores: NDArray[Any], positive: NDArray[np.bool_]) -> float | None:
    """Returns the chance that a positive scores above a negative; ties count half."""
    if positive.all() or not positive.any():
        return None
    negatives = np.sort(scores[~positive])
    below = np.searchsorted(negatives, scores[positive], "left")
    up_to = np.searchsorted(negatives, scores[positive], "right")
    return round(float((below + up_to).mean() / 2 / len(negatives)), 4)


def f1(said: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """Returns F1, or 0 if nothing was found and there was nothing to find."""
    both = int((said & truth).sum())
    return round(2 * both / max(int(said.sum() + truth.sum()), 1), 4)


def judge(classifier: Classifier, conversations: Sequence[Conversation]) -> Judged:
    """Judges whole conversations, as the pipeline would."""
    owner = np.array([row for row, c in enumerate(conversations) for _ in c.turns])
    turns = [turn for conversation in conversations for turn in conversation.turns]
    human = np.array([turn.human for turn in turns])
    scores = classifier.score([turn.text for turn in turns], human)
    pushback = np.full(len(conversations), NO_LOGIT, np.int8)
    np.maximum.at(pushback, owner[~human], scores[~human, PUSHBACK])
    counts = np.bincount(owner[human], minlength=len(conversations)).astype(np.int64)
    starts = np.concatenate(([0], np.cumsum(counts)))
    found = classifier.judge(scores[human, :HUMAN_WIDTH], starts, pushback, counts)
    threshold = classifier.pushback_threshold
    return Judged(conversations, found, scores[human], starts, scores[~human], threshold)


@dataclass(frozen=True)
class Judged:
    """Holds conversations with the decisions about them and their messages."""

    conversations: Sequence[Conversation]
    found: Judgements
    human: NDArray[np.int8]
    starts: NDArray[np.int64]
    assistant: NDArray[np.int8]
    pushback_threshold: int


@dataclass(frozen=True)
class Facts:
    """Holds the decisions about `n` conversations, each made by its fold's model.

    Attributes:
        conversations: the conversations of all folds, fold by fold.
        logit, affective, alert, types, use, opening, closing: as in `Judgements`; `types` is
            bool (n, 6).
        moods: float64, one for each human message, -1 to 1.
        starts: int64 (n + 1,), where each conversation's moods begin.
        pushback, reasons: bool and int8, one for each assistant message.
    """

    conversations: list[Conversation]
    logit: NDArray[np.float64]
    affective: NDArray[np.bool_]
    alert: NDArray[np.bool_]
    types: NDArray[np.bool_]
    use: NDArray[np.int8]
    opening: NDArray[np.int8]
    closing: NDArray[np.int8]
    moods: NDArray[np.float64]
    starts: NDArray[np.int64]
    pushback: NDArray[np.bool_]
    reasons: NDArray[np.int8]

    @cached_property
    def source(self) -> NDArray[np.str_]:
        """Returns each conversation's source."""
        return np.array([row.source for row in self.conversations])

    @cached_property
    def author(self) -> NDArray[np.str_]:
        """Returns each conversation's author."""
        return np.array([row.author for row in self.conversations])

    @cached_property
    def language(self) -> NDArray[np.str_]:
        """Returns each conversation's language."""
        return np.array([row.language for row in self.conversations])

    @cached_property
    def label(self) -> NDArray[np.str_]:
        """Returns each real conversation's label, `unread` if nobody read it."""
        return np.array([row.label or "unread" for row in self.conversations])

    @cached_property
    def written_use(self) -> NDArray[np.str_]:
        """Returns each written conversation's use, and an empty string for all others."""
        return np.array([row.labels.use if row.labels else "" for row in self.conversations])

    @cached_property
    def is_real(self) -> NDArray[np.bool_]:
        """Marks conversations of real chat logs, without the ambiguous ones."""
        real = np.array([row.is_real for row in self.conversations], np.bool_)
        clear: NDArray[np.bool_] = np.logical_and(real, self.label != "ambiguous")
        return clear

    @cached_property
    def is_written(self) -> NDArray[np.bool_]:
        """Marks whole written conversations."""
        return np.array([row.source == "written" for row in self.conversations], np.bool_)

    @cached_property
    def is_affective(self) -> NDArray[np.bool_]:
        """Marks conversations that were written as affective, or labelled so by their reader."""
        read = self.is_real & np.isin(self.label, AFFECTIVE_LABELS)
        either: NDArray[np.bool_] = np.logical_or(read, self.written_use == "affective")
        return either


def gather_facts(parts: Sequence[Judged]) -> Facts:
    """Joins the decisions of several models about different conversations."""
    sizes = np.concatenate([np.diff(part.starts) for part in parts])
    types = np.concatenate([part.found.types for part in parts])
    return Facts(
        conversations=[row for part in parts for row in part.conversations],
        logit=np.concatenate([part.found.affective_logit for part in parts]),
        affective=np.concatenate([part.found.affective for part in parts]),
        alert=np.concatenate([part.found.alert for part in parts]),
        types=(types[:, None] >> np.arange(len(TYPES), dtype=np.uint8) & 1).astype(np.bool_),
        use=np.concatenate([part.found.use for part in parts]),
        opening=np.concatenate([part.found.opening_type for part in parts]),
        closing=np.concatenate([part.found.closing_type for part in parts]),
        moods=np.concatenate([part.human[:, SENTIMENT] for part in parts]) / 2,
        starts=np.concatenate(([0], np.cumsum(sizes))),
        pushback=np.concatenate(
            [part.assistant[:, PUSHBACK] >= part.pushback_threshold for part in parts]
        ),
        reasons=np.concatenate([part.assistant[:, REASON] for part in parts]),
    )


def judge_apart(trained: Trained, accurate: Remembered | None) -> Facts:
    """Judges each conversation with its fold's model, which has not seen it."""
    material = trained.material
    parts = []
    for fold in range(FOLDS):
        arrays = trained.folds[fold]
        opened: Classifier = (
            open_default(arrays) if accurate is None else open_accurate(arrays, accurate)
        )
        rows = np.flatnonzero(material.fold == fold).tolist()
        parts.append(judge(opened, [material.conversations[row] for row in rows]))
    return gather_facts(parts)


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
        "pushback_share": share_of(_any_pushback(facts)[real]),
    }


def _any_pushback(facts: Facts) -> NDArray[np.bool_]:
    flags = np.zeros(len(facts.conversations), np.bool_)
    begin = 0
    for row, conversation in enumerate(facts.conversations):
        count = sum(not turn.human for turn in conversation.turns)
        flags[row] = facts.pushback[begin : begin + count].any()
        begin += count
    return flags


def measure_types(facts: Facts) -> dict[str, Any]:
    """Measures all six types, on written conversations, and on those plus labelled real ones."""
    truth = np.array([_true_types(row) for row in facts.conversations])
    real = facts.is_real & np.isin(facts.label, list(REAL_TYPES))
    groups = {"written": facts.is_written, "written and real": facts.is_written | real}
    found = facts.affective & truth[:, : len(AFFECTIVE_TYPES)].any(axis=1)
    named = np.flatnonzero(found & real)
    return {
        **{name: _type_f1(facts, truth, rows) for name, rows in groups.items()},
        "confusion": _confuse(facts, truth, found & facts.is_written).tolist(),
        "right_on_real_found": share_of(facts.types[named, truth[named].argmax(axis=1)]),
        "by_language": {
            code: _type_f1(facts, truth, facts.is_written & (facts.language == code))["macro_f1"]
            for code in LANGUAGES[1:]
        },
    }


def _type_f1(facts: Facts, truth: NDArray[np.bool_], rows: NDArray[np.bool_]) -> dict[str, float]:
    by_type = {kind: f1(facts.types[rows, i], truth[rows, i]) for i, kind in enumerate(TYPES)}
    return by_type | {"macro_f1": round(float(np.mean(list(by_type.values()))), 4)}


def _confuse(facts: Facts, truth: NDArray[np.bool_], rows: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Counts the types (columns) given to conversations of a single affective type (rows)."""
    confusion = np.zeros((len(AFFECTIVE_TYPES), len(AFFECTIVE_TYPES)), np.int64)
    for row in np.flatnonzero(rows).tolist():
        true = truth[row, : len(AFFECTIVE_TYPES)]
        if true.sum() == 1:
            confusion[true.argmax()] += facts.types[row, : len(AFFECTIVE_TYPES)]
    return confusion


def _true_types(conversation: Conversation) -> NDArray[np.bool_]:
    truth = np.zeros(len(TYPES), np.bool_)
    if conversation.labels is not None:
        truth[[TYPES.index(name) for name in conversation.labels.types]] = True
    elif conversation.label in REAL_TYPES:
        kind = REAL_TYPES[conversation.label]
        short = len(conversation.human) < MIN_ROLEPLAY_HUMAN_MESSAGES
        truth[TYPES.index(kind)] = not (short and kind in ROLEPLAY_TYPES)
    return truth


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


def measure_uses(facts: Facts) -> dict[str, Any]:
    """Measures the eight uses on written conversations."""
    truth = facts.written_use[facts.is_written]
    right = np.array(USES)[facts.use[facts.is_written]] == truth
    return {
        "all": share_of(right),
        "of_those_not_affective": share_of(right[truth != "affective"]),
        "by_use": {use: share_of(right[truth == use]) for use in USES},
    }


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
    drifts = np.array(
        [
            labels.opening_type != labels.closing_type
            for labels in (facts.conversations[row].labels for row in rows)
            if labels
        ]
    )
    said_drift = np.array([facts.opening[row] != facts.closing[row] for row in rows])
    return found | {"drift_f1": f1(said_drift, drifts), "drifts": int(drifts.sum())}


def measure_pushback(facts: Facts) -> dict[str, Any]:
    """Measures pushback of single replies in written conversations, by language."""
    turns = [(row, turn) for row in facts.conversations for turn in row.turns if not turn.human]
    written = np.array([row.source == "written" for row, _ in turns])
    truth = np.array([bool(turn.pushback) for _, turn in turns])
    language = np.array([row.language for row, _ in turns])
    found: dict[str, Any] = {}
    for code in ("all", *LANGUAGES[1:]):
        rows = written & (language == code) if code != "all" else written
        found[code] = _pushback_figures(facts.pushback[rows], truth[rows])
    reasoned = np.flatnonzero(written & truth)
    right = [
        PUSHBACK_REASONS[facts.reasons[row]] == turns[row][1].pushback for row in reasoned.tolist()
    ]
    found["reason_right"] = share_of(np.array(right, np.bool_))
    return found


def _pushback_figures(said: NDArray[np.bool_], truth: NDArray[np.bool_]) -> dict[str, Any]:
    return {
        "replies": len(said),
        "f1": f1(said, truth),
        "recall": share_of(said[truth]),
        "false_positives": share_of(said[~truth]),
    }


def measure_replies(trained: Trained) -> dict[str, Any]:
    """Measures pushback on held-out replies: of XSTest's models, and written alone."""
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
        found[name] = _pushback_figures(said, truth)
    return found


def measure_languages(trained: Trained) -> dict[str, Any]:
    """Measures how often the language of written human messages is right; `und` counts as wrong.

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


def measure_tools(facts: Facts) -> dict[str, Any]:
    """Returns the false positives of each tool set, judged by a model that saw none of the set."""
    return {name: share_of(facts.affective[facts.source == name]) for name in TOOLS}


def measure_sets(classifier: Classifier, data: Path) -> dict[str, Any]:
    """Returns the affective share of each set that is for evaluation only."""
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
    """Measures the simulator's single lines, which other authors wrote and no model learns from."""
    found: dict[str, Any] = {}
    for path in sorted((ROOT / "pipelines" / "simulator").glob("scenes_*.jsonl")):
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
            "pushback": _pushback_figures(
                scores[:, PUSHBACK] >= classifier.pushback_threshold, pushed
            ),
        }
    return found


def measure_calibration(facts: Facts) -> list[dict[str, Any]]:
    """Compares predicted and observed shares of affective among real conversations, in bins."""
    said = 1 / (1 + np.exp(-facts.logit))
    found = []
    for low, high in pairwise(BINS):
        rows = facts.is_real & (said >= low) & ((said < high) | (high == 1))
        if rows.any():
            said_here = round(float(said[rows].mean()), 4)
            found.append({"said": said_here} | share_of(facts.is_affective[rows]))
    return found


def measure_prevalence(facts: Facts) -> dict[str, Any]:
    """Recovers known shares from resamples of real and written conversations."""
    read = facts.is_real & facts.is_affective
    negative = facts.is_real & ~facts.is_affective
    written = facts.is_written & facts.is_affective & (facts.language == "en")
    return {
        name: resample(facts.affective[rows], facts.affective[negative], RATES, SEED)
        for name, rows in (("real", read), ("real and written", read | written))
    }


def measure_speed(
    classifier: Classifier,
    conversations: Iterable[Conversation],
    clock: Callable[[], float] = time.process_time,
) -> dict[str, Any]:
    """Times batches of 1,000 real messages, cut to 200 characters, in seconds of one core."""
    turns = [turn for row in conversations for turn in row.turns]
    texts = [turn.text[:200] for turn in turns]
    human = np.array([turn.human for turn in turns])
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


def rates_of(facts: Facts) -> list[Rate]:
    """Counts hits and false alarms for everything that the views correct.

    The gate's negatives are real. Half of its positives are the few real ones; the other half are
    the written English ones, weighted down to the same number. Their recall is far higher, and
    neither source alone is like anybody's traffic. That is uncertain, so the positives count as few
    and the interval is wide. The types' positives are written and real, their negatives real. The
    positives and negatives of uses and pushback are written.
    """
    real, written = facts.is_real, facts.is_written
    gate = real & facts.is_affective
    rates = [_gate_rate(facts, gate, real & ~gate)]
    truth = np.array([_true_types(row) for row in facts.conversations])
    for i, name in enumerate(TYPES):
        kinds = [kind for kind, own in REAL_TYPES.items() if own == name]
        hits = (written | real) & truth[:, i]
        rest = real & ~np.isin(facts.label, kinds)
        rates.append(_rate("type", name, facts.types[:, i], hits, rest))
    for i, name in enumerate(USES[1:], 1):
        own = facts.written_use == name
        rates.append(_rate("use", name, facts.use == i, written & own, written & ~own))
    pushed = np.array([any(turn.pushback for turn in row.turns) for row in facts.conversations])
    said = _any_pushback(facts)
    rates.append(_rate("pushback", "all", said, written & pushed, written & ~pushed))
    return rates


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


def measure_mode(facts: Facts) -> dict[str, Any]:
    """Measures everything that the folds' models decide, in one mode."""
    return {
        "real": measure_real(facts),
        "types": measure_types(facts),
        "written": measure_written(facts),
        "uses": measure_uses(facts),
        "moods": measure_moods(facts),
        "edges": measure_edges(facts),
        "calibration": measure_calibration(facts),
        "prevalence": measure_prevalence(facts),
        "tools": measure_tools(facts),
    }


def measure(trained: Trained, data: Path, cache: Path) -> tuple[dict[str, Any], list[Rates]]:
    """Measures everything that the card reports, and the rates."""
    stored = to_bytes(trained.arrays)
    classifier = load(io.BytesIO(stored))
    conversations = trained.material.conversations
    known = Remembered([text for row in conversations for text in row.human], cache)
    facts, precise = judge_apart(trained, None), judge_apart(trained, known)
    real = [row for row in conversations if row.is_real]
    metrics = {
        "version": classifier.version,
        "bytes": len(stored),
        "corpus": measure_corpus(conversations),
        "agreement": measure_agreement(conversations),
        "default": measure_mode(facts),
        "accurate": measure_mode(precise),
        "pushback": measure_pushback(facts),
        "replies": measure_replies(trained),
        "languages": measure_languages(trained),
        "sets": measure_sets(classifier, data),
        "scenes": measure_scenes(classifier),
        "speed": measure_speed(classifier, real),
    }
    return metrics, [
        Rates(classifier.version, tuple(rates_of(facts))),
        Rates(f"{ACCURATE_PREFIX}{classifier.version}", tuple(rates_of(precise))),
    ]


def measure_corpus(conversations: Sequence[Conversation]) -> dict[str, Any]:
    """Counts the written corpus, by language."""
    found = {}
    for code in LANGUAGES[1:]:
        own = [row for row in conversations if row.labels and row.language == code]
        found[code] = {
            "authors": len({row.author for row in own}),
            "conversations": sum(row.source == "written" for row in own),
            "of_several_messages": sum(len(row.human) > 1 for row in own),
            "human_messages": sum(len(row.human) for row in own),
        }
    return found


def main() -> None:
    """Measures, and writes the metrics, the rates and the card."""
    parser = argparse.ArgumentParser(description="Train and measure the model, write its card.")
    add_options(parser)
    parser.add_argument("--no-train", action="store_true", help="measure the last training again")
    options = parser.parse_args()
    data = data_folder(options.data)
    kept = options.cache / TRAINED_FILE
    if options.no_train:
        if not kept.exists():
            parser.exit(
                2, f"{kept} is missing; run python -m training.evaluate without --no-train\n"
            )
        trained: Trained = pickle.loads(kept.read_bytes())
    else:
        trained = train(data, options.cache)
        kept.write_bytes(pickle.dumps(trained))
        write(trained.arrays, options.model)
        words = common_words(row for row in trained.material.conversations if row.labels)
        write_words(words, options.model.with_name(WORDS_FILE))
    metrics, rates = measure(trained, data, options.cache)
    METRICS.write_text(json.dumps(metrics, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    RATES_OUT.write_bytes(encode_rates(rates))
    write_card(metrics, CARD)
    print(json.dumps(metrics["default"]["real"], indent=1))


if __name__ == "__main__":
    main()

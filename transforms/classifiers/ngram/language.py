"""Identifies a message's language by its script or, in Latin script, by its common words.

Each common word is a vote for its language. Words are compared by their hashes from `features`, so
the vote costs one gather per word. If the vote is tied or no word votes, the result is `und`, which
is counted as undetermined. This is better than a wrong language, which would put the message into a
wrong cell.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas.labels import LANGUAGES
from transforms.classifiers.ngram.features import BUCKET_BITS, Extract, extract

_SCRIPT_SHARE: Final = 4
"""A script decides the language if at least one in this many characters is in it.

So a few quoted foreign words do not decide the language.
"""

VOTERS: Final = ("en", "es", "pt", "fr", "de")
"""Languages that are identified by their words."""

_LANE_BITS: Final = 12

WORDS_FILE: Final = "words.json"
"""Common words by language: a manual list, and the words added by `training.words`."""

Ballots = NDArray[np.uint64]
"""The votes of each bucket, in one lane of 12 bits per language."""


def identify(read: Extract, ballots: Ballots | None = None) -> NDArray[np.int8]:
    """Returns each message's index into `labels.LANGUAGES`, int8 (n,)."""
    languages = _vote(read, load_ballots() if ballots is None else ballots)
    cyrillic, arabic, han, kana, hangul = read.scripts.T
    cjk = han + kana + hangul
    enough = np.maximum(read.lengths, 1)
    for name, decided in (
        ("ru", (cyrillic * _SCRIPT_SHARE >= enough) & (cyrillic >= arabic)),
        ("ar", (arabic * _SCRIPT_SHARE >= enough) & (arabic > cyrillic)),
        ("zh", (cjk * _SCRIPT_SHARE >= enough) & (kana * 8 < cjk) & (hangul * 4 < cjk)),
        ("ko", (cjk * _SCRIPT_SHARE >= enough) & (hangul * 4 >= cjk) & (hangul >= kana)),
        ("ja", (cjk * _SCRIPT_SHARE >= enough) & (kana * 8 >= cjk) & (kana > hangul)),
    ):
        languages[decided] = LANGUAGES.index(name)
    return languages


def _vote(read: Extract, ballots: Ballots) -> NDArray[np.int8]:
    if not read.families:
        return np.zeros(len(read.lengths), np.int8)
    tokens = read.families[0]
    running = np.zeros(len(tokens.buckets) + 1, np.uint64)
    np.cumsum(ballots.take(tokens.buckets), out=running[1:])
    votes = running[tokens.offsets[1:]] - running[tokens.offsets[:-1]]
    lanes = np.arange(len(VOTERS), dtype=np.uint64) * np.uint64(_LANE_BITS)
    counts = (votes[:, None] >> lanes) & np.uint64((1 << _LANE_BITS) - 1)
    best = counts.max(axis=1)
    sure = (best > 0) & ((counts == best[:, None]).sum(axis=1) == 1)
    voted = np.array([LANGUAGES.index(name) for name in VOTERS], np.int8)[counts.argmax(axis=1)]
    return np.where(sure, voted, np.int8(0))


def make_ballots(words: Mapping[str, Sequence[str]]) -> Ballots:
    """Builds the table of votes from each language's common words."""
    table = np.zeros(1 << BUCKET_BITS, np.uint64)
    for lane, name in enumerate(VOTERS):
        buckets = extract([" ".join(words[name])]).families[0].buckets
        table[np.unique(buckets)] += np.uint64(1 << (lane * _LANE_BITS))
    return table


@cache
def load_ballots() -> Ballots:
    """Reads the shipped words, once per process."""
    stored = files("transforms.classifiers.ngram").joinpath(WORDS_FILE).read_bytes()
    words: dict[str, list[str]] = json.loads(stored)
    return make_ballots(words)

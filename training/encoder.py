"""Fits the table of n-gram vectors to a sentence encoder's vectors of texts and of single words.

The fit uses no labels. The target of a text is its sentence vector, centred and projected onto the
directions in which human messages differ most. The target of a word in the encoder's vocabulary is
the word's vector, centred among all words. The vector is shortened if the word is common. Single
words teach meaning in languages with little text. Words must be centred. Otherwise the part that
all word vectors have in common would add up over the words of a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.fit import Design, read_design
from training.teacher import embed, vocabulary
from transforms.classifiers.ngram.encoder import Encoder
from transforms.classifiers.ngram.features import chunks
from transforms.classifiers.ngram.lanes import pack

DIMENSIONS: Final = 48
OWN_WEIGHT: Final = 3.0
WORD_WEIGHT: Final = 3.0
"""The weights of a conversation's message and of a single word. A scraped fragment weighs 1."""

TOP: Final = 16
"""The largest stored weight.

Small numbers make a small file, and the sum over a text's features hides the rounding.
"""

_SPREAD: Final = 4.0
"""The stored weight `TOP` means this many standard deviations. The few larger weights are cut."""

_LETTERS: Final = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
_CJK: Final = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")
_LONGEST_WORD: Final = 20


@dataclass(frozen=True)
class Lessons:
    """Holds the texts' features and targets, to which the table is fitted.

    Attributes:
        design: the features of all texts.
        vectors: float32 (n, 512), the teacher's vectors, centred, with common words shortened.
        weight: float32 (n,), the weight of each text.
        fold: int64 (n,), the fold of each text, or -1 if it is in no fold.
        own: bool (n,), whether each text is a message from a conversation.
    """

    design: Design
    vectors: NDArray[np.float32]
    weight: NDArray[np.float32]
    fold: NDArray[np.int64]
    own: NDArray[np.bool_]

    def fit(self, without: int | None) -> NDArray[np.int8]:
        """Fits a table, int8 (buckets, `DIMENSIONS`), to all texts outside the fold `without`."""
        weight = self.weight if without is None else self.weight * (self.fold != without)
        own = self.vectors[self.own & (weight > 0)]
        _, directions = np.linalg.eigh(own.T.astype(np.float64) @ own)
        towards = directions[:, ::-1][:, :DIMENSIONS].astype(np.float32)
        table = self.design.fit(self.vectors @ towards, weight)
        used = table[table.any(axis=1)]
        step = np.float32(_SPREAD * used.std() / TOP)
        rounded: NDArray[np.int8] = np.clip(np.rint(table / step), -TOP, TOP).astype(np.int8)
        return rounded


def prepare(
    messages: Sequence[tuple[str, int]],
    scraped: Iterable[Sequence[str]],
    cache: Path,
) -> Lessons:
    """Embeds all texts and computes their targets.

    Args:
        messages: the messages of conversations, each with its fold, or -1 if it has none.
        scraped: texts from other data sets, by set.
        cache: the folder for embeddings.
    """
    words = vocabulary()
    sets = [list(texts) for texts in scraped]
    spoken = [text for text, _ in messages]
    more = _more_words(messages, sets, words.keys())
    blocks = [spoken, *sets, list(words), list(more)]
    found = [embed(block, cache) for block in blocks]
    centre, word_centre = found[0].mean(axis=0), found[-2].mean(axis=0)
    shortened = np.array(list(words.values()), np.float32)[:, None]
    vectors = [
        *(vectors - centre for vectors in found[:-2]),
        (found[-2] - word_centre) * shortened,
        found[-1] - word_centre,
    ]
    sizes = [len(block) for block in blocks]
    weights = [OWN_WEIGHT, *(1.0 for _ in sets), WORD_WEIGHT, WORD_WEIGHT]
    count = sum(sizes)
    fold = np.full(count, -1)
    fold[: len(spoken)] = [fold for _, fold in messages]
    fold[count - len(more) :] = list(more.values())
    return Lessons(
        design=read_design([text for block in blocks for text in block]),
        vectors=np.concatenate(vectors),
        weight=np.repeat(weights, sizes).astype(np.float32),
        fold=fold,
        own=np.arange(count) < len(spoken),
    )


def _more_words(
    messages: Sequence[tuple[str, int]], sets: Iterable[Sequence[str]], known: Iterable[str]
) -> dict[str, int]:
    """Collects the words of all texts. A word that only one fold's messages use is in that fold."""
    common = {word for texts in sets for text in texts for word in _words_of(text)}
    seen: dict[str, set[int]] = {}
    for text, fold in messages:
        for word in _words_of(text):
            seen.setdefault(word, set()).add(fold)
    folds = dict.fromkeys(common, -1) | {
        word: next(iter(held)) if len(held) == 1 and word not in common else -1
        for word, held in seen.items()
    }
    return {word: folds[word] for word in sorted(folds.keys() - set(known))}


def _words_of(text: str) -> set[str]:
    """Lists the words of a text, except in scripts that put no spaces between words."""
    found = {word.lower() for word in _LETTERS.findall(text)}
    return {word for word in found if len(word) < _LONGEST_WORD and not _CJK.search(word)}


def encode(texts: Sequence[str], table: NDArray[np.int8]) -> NDArray[np.float32]:
    """Encodes texts as the classifier does with this table; returns float32 (n, `DIMENSIONS`)."""
    return encode_with(texts, Encoder(pack(table), table.shape[1]))


def encode_with(texts: Sequence[str], encoder: Encoder) -> NDArray[np.float32]:
    """Encodes any number of texts with an encoder."""
    return np.concatenate([encoder.encode(read) for _, read in chunks(texts)])

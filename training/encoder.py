"""Fits the table of n-gram vectors, which turns a text into a short vector.

A column of the table predicts one number for a text, from the n-grams of the text:

- a logit of the accurate network, which was taught with labels;
- how far the text's sentence vector goes in one of the directions in which human messages differ
  most;
- the logit that a reply pushes back, fitted to labelled replies.

The first two are fitted to the sentence encoder's vectors of texts without labels, and of single
words. Single words teach meaning in languages with little text. Words are centred. Otherwise the
part that all words have in common would add up over the words of a sentence.
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
from transforms.classifiers.network import TOP as LARGEST
from transforms.classifiers.ngram.encoder import Encoder
from transforms.classifiers.ngram.features import chunks
from transforms.classifiers.ngram.lanes import pack

DIRECTIONS: Final = 47
"""Columns for the directions of sentence vectors. With 16 logits and pushback, there are 64."""

PUSHBACK_COLUMN: Final = -1
"""The last column predicts whether a reply pushes back."""

OWN_WEIGHT: Final = 3.0
WORD_WEIGHT: Final = 0.3
"""The weights of a conversation's message and of a single word. A fragment weighs 1."""

TOP: Final = 127
"""The largest stored weight."""

_SPREAD: Final = 24.0
"""The stored weight `TOP` means this many standard deviations.

So most weights are small numbers, which make a small file, and the sum over a text's features hides
the rounding. But the few large weights are kept: they belong to the most telling words.
"""
_MOST: Final = 99.9
"""This percentile of a column, over the messages of conversations, becomes the largest number."""

_LETTERS: Final = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
_CJK: Final = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")
_LONGEST_WORD: Final = 20


@dataclass(frozen=True)
class Table:
    """Holds the weights of an encoder.

    Attributes:
        weights: int8 (buckets, columns).
        scale: float64 (columns,), as in `transforms.classifiers.ngram.encoder.Encoder`.
    """

    weights: NDArray[np.int8]
    scale: NDArray[np.float64]

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Encodes texts as the classifier does; returns float32 (n, columns)."""
        return encode_with(texts, Encoder(pack(self.weights), self.scale))

    def sums(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Returns the elements before scaling and rounding, float64 (n, columns)."""
        encoder = Encoder(pack(self.weights), np.ones(self.weights.shape[1]))
        return np.concatenate([encoder.sums(read) for _, read in chunks(texts)])


@dataclass(frozen=True)
class Lessons:
    """Holds the texts' features and targets, to which the table is fitted.

    Attributes:
        texts: all texts.
        design: their features.
        vectors: float32 (n, 512), the sentence encoder's unit vectors.
        weight: float32 (n,), the weight of each text.
        fold: int64 (n,), the fold of each text, or -1 if it is in no fold.
        own: bool (n,), whether each text is a message from a conversation.
        word: bool (n,), whether each text is a single word.
        rarity: float32 (n,), 1 for a text and a rare word, smaller for a common word.
    """

    texts: list[str]
    design: Design
    vectors: NDArray[np.float32]
    weight: NDArray[np.float32]
    fold: NDArray[np.int64]
    own: NDArray[np.bool_]
    word: NDArray[np.bool_]
    rarity: NDArray[np.float32]

    def fit(
        self,
        without: int | None,
        logits: NDArray[np.float32],
        pushback: NDArray[np.float32],
        replies: Sequence[str],
    ) -> Table:
        """Fits a table to all texts outside the fold `without`.

        Args:
            without: a fold, or None.
            logits: float32 (n, 16), the accurate network's logits of all texts.
            pushback: float32 (buckets, 1), the last column, which was fitted to replies.
            replies: these replies, which show how large the last column becomes.
        """
        weight = self.weight_without(without)
        known = self.own & (weight > 0)
        vectors = self._centre(self.vectors, known)
        own = vectors[known]
        _, directions = np.linalg.eigh(own.T.astype(np.float64) @ own)
        towards = directions[:, ::-1][:, :DIRECTIONS].astype(np.float32)
        taught = self._centre(logits, known)
        taught /= taught[known].std(axis=0)
        wanted = np.hstack([taught, vectors @ towards])
        table = np.hstack([self.design.fit(wanted, weight), pushback])
        step = _SPREAD * table.std(axis=0, where=table != 0) / TOP
        weights = np.clip(np.rint(table / step), -TOP, TOP).astype(np.int8)
        seen = [self.texts[row] for row in np.flatnonzero(known).tolist()]
        plain = Table(weights, np.ones(weights.shape[1]))
        large = [np.percentile(np.abs(plain.sums(said)), _MOST, axis=0) for said in (seen, replies)]
        large[0][PUSHBACK_COLUMN] = large[1][PUSHBACK_COLUMN]
        return Table(weights, LARGEST / np.maximum(large[0], 1))

    def weight_without(self, fold: int | None) -> NDArray[np.float32]:
        """Returns the texts' weights, which are 0 in the fold."""
        return self.weight if fold is None else self.weight * (self.fold != fold)

    def _centre(self, values: NDArray[np.float32], known: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Centres texts on the known messages, and words on the words; shortens common words."""
        word = self.word[:, None]
        centre = np.where(word, values[self.word].mean(axis=0), values[known].mean(axis=0))
        centred: NDArray[np.float32] = (values - centre) * self.rarity[:, None]
        return centred.astype(np.float32)


def prepare(
    messages: Sequence[tuple[str, int]],
    more: Sequence[tuple[str, int]],
    cache: Path,
) -> Lessons:
    """Embeds all texts and extracts their features.

    Args:
        messages: the messages of conversations, each with its fold, or -1 if it has none.
        more: fragments and other texts without labels, each with its fold.
        cache: the folder for embeddings.
    """
    words = vocabulary()
    blocks = [
        messages,
        more,
        [(word, -1) for word in words],
        [*_more_words([*messages, *more], words.keys()).items()],
    ]
    sizes = [len(block) for block in blocks]
    texts = [text for block in blocks for text, _ in block]
    rarity = np.ones(len(texts), np.float32)
    rarity[sizes[0] + sizes[1] :][: sizes[2]] = list(words.values())
    place = np.arange(len(texts))
    return Lessons(
        texts=texts,
        design=read_design(texts),
        vectors=embed(texts, cache),
        weight=np.repeat([OWN_WEIGHT, 1.0, WORD_WEIGHT, WORD_WEIGHT], sizes).astype(np.float32),
        fold=np.array([fold for block in blocks for _, fold in block]),
        own=place < sizes[0],
        word=place >= sizes[0] + sizes[1],
        rarity=rarity,
    )


def _more_words(texts: Iterable[tuple[str, int]], known: Iterable[str]) -> dict[str, int]:
    """Collects the words of all texts. A word that only one fold's texts use is in that fold."""
    seen: dict[str, set[int]] = {}
    for text, fold in texts:
        for word in _words_of(text):
            seen.setdefault(word, set()).add(fold)
    folds = {word: next(iter(held)) if len(held) == 1 else -1 for word, held in seen.items()}
    return {word: folds[word] for word in sorted(folds.keys() - set(known))}


def _words_of(text: str) -> set[str]:
    """Lists the words of a text, except in scripts that put no spaces between words."""
    found = {word.lower() for word in _LETTERS.findall(text)}
    return {word for word in found if len(word) < _LONGEST_WORD and not _CJK.search(word)}


def encode_with(texts: Sequence[str], encoder: Encoder) -> NDArray[np.float32]:
    """Encodes any number of texts with an encoder."""
    return np.concatenate([encoder.encode(read) for _, read in chunks(texts)])

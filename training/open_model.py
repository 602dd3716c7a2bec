"""Opens trained models in the same way as the pipeline."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.model_file import Arrays, to_bytes
from training.teacher import embed
from transforms.classifiers.accurate.classifier import AccurateClassifier, build_accurate, clip
from transforms.classifiers.ngram.classifier import NgramClassifier, load, read_arrays


class Remembered:
    """Looks up the sentence vectors of known texts, so that these texts are not embedded again."""

    def __init__(self, texts: Sequence[str], cache: Path) -> None:
        unique = list(dict.fromkeys(map(clip, texts)))
        self._vectors = dict(zip(unique, embed(unique, cache), strict=True))

    def encode(self, text: str) -> NDArray[np.float32]:
        """Returns the vector of a clipped text."""
        vector: NDArray[np.float32] = self._vectors[text]
        return vector


def open_default(arrays: Arrays) -> NgramClassifier:
    """Loads a model from the bytes of a model file, as the pipeline does."""
    return load(io.BytesIO(to_bytes(arrays)))


def open_accurate(arrays: Arrays, remembered: Remembered) -> AccurateClassifier:
    """Loads the accurate model, but takes known vectors in place of the sentence encoder."""
    return build_accurate(read_arrays(io.BytesIO(to_bytes(arrays))), remembered)

"""Tests that each text is encoded once, with a stub in place of the sentence encoder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from training import teacher
from training.teacher import DIMENSIONS, embed


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replaces the sentence encoder by a stub, and returns the list of texts that it encodes."""
    texts: list[str] = []

    def encode_new(new: dict[bytes, str], cache: Path) -> None:
        texts.extend(new.values())
        for key, text in new.items():
            teacher._known(cache)[key] = np.full(DIMENSIONS, len(text), np.float16)

    monkeypatch.setattr(teacher, "_encode_new", encode_new)
    return texts


def test_only_new_texts_are_encoded(encoded: list[str], tmp_path: Path) -> None:
    """A text that occurs twice, or that was embedded before, is not encoded again."""
    first = embed(["a", "bb", "a"], tmp_path)
    second = embed(["bb", "cccc", "a"], tmp_path)
    assert encoded == ["a", "bb", "cccc"]
    assert first.dtype == np.float32
    assert first.shape == (3, DIMENSIONS)
    assert first[:, 0].tolist() == [1, 2, 1]
    assert second[:, 0].tolist() == [2, 4, 1]


def test_texts_with_the_same_ends_have_one_vector(encoded: list[str], tmp_path: Path) -> None:
    """The encoder reads only the ends of a text, so the middle does not matter."""
    head, tail = "a" * 300, "b" * 100
    embed([f"{head} middle {tail}", f"{head} other {tail}"], tmp_path)
    assert encoded == [f"{head} {tail}"]


def test_vectors_in_the_folder_are_found(encoded: list[str], tmp_path: Path) -> None:
    """Vectors that an earlier training kept are read from all files of the folder."""
    for text in ("a", "bb"):
        keys = np.frombuffer(teacher._key(text), np.uint8)[None]
        kept = np.full((1, DIMENSIONS), 7 * len(text), np.float16)
        np.savez(tmp_path / f"vectors-{text}.npz", keys=keys, vectors=kept)
    assert embed(["bb", "new", "a"], tmp_path)[:, 0].tolist() == [14, 3, 7]
    assert encoded == ["new"]

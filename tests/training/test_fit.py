"""Tests the fit of the encoder's table against the closed form and the classifier's sums."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from training.fit import BUCKETS, LOOSENESS, RIDGE, Design, read_design
from transforms.classifiers.ngram.features import extract
from transforms.classifiers.ngram.lanes import add_rows, pack

TEXTS = ["so sad today", "sort this list", "sad and alone", "list of files", "sad list", ""] * 4


def dense(design: Design) -> NDArray[np.float64]:
    """Returns the columns of all features that occur, as a dense matrix."""
    found: NDArray[np.float64] = design.features.toarray().astype(np.float64)
    return found[:, found.any(axis=0)]


def test_the_table_agrees_with_the_closed_form() -> None:
    """Conjugate gradients and the normal equations have the same solution."""
    wanted = np.random.default_rng(1).normal(size=(len(TEXTS), 2)).astype(np.float32)
    weight = np.linspace(0.0, 2.0, len(TEXTS), dtype=np.float32)
    design = read_design(TEXTS)
    features = dense(design)
    normal = (features.T * weight) @ features + RIDGE * np.eye(features.shape[1])
    exact = features @ np.linalg.solve(normal, (features.T * weight) @ wanted)
    found = design.apply(design.fit(wanted, weight))
    assert np.abs(exact).max() > 0.1
    assert found == pytest.approx(exact, abs=1e-3)


def test_a_text_with_weight_zero_teaches_nothing() -> None:
    """The texts of held-out folds have weight 0, so their targets do not change the table."""
    design = read_design(TEXTS)
    weight = (np.arange(len(TEXTS)) % 2).astype(np.float32)
    wanted = np.ones((len(TEXTS), 1), np.float32)
    other = np.where(weight[:, None] > 0, wanted, -50).astype(np.float32)
    table = design.fit(wanted, weight)
    assert table.any()
    assert table.tobytes() == design.fit(other, weight).tobytes()


def test_a_word_of_held_out_texts_has_no_vector() -> None:
    """If a word occurs only in texts of weight 0, its row in the table is zero."""
    table = read_design(["sad", "zebra"]).fit(
        np.ones((2, 1), np.float32), np.array([1, 0], np.float32)
    )
    token = [int(extract([word]).families[0].buckets[0]) for word in ("sad", "zebra")]
    assert table[token[0], 0] > 0
    assert table[token[1], 0] == 0


def test_features_are_the_same_as_in_the_classifier() -> None:
    """A table gives the classifier's sum of rows, divided by the root of the number of features."""
    design = read_design(TEXTS)
    table = np.random.default_rng(2).integers(-40, 41, (BUCKETS, 4)).astype(np.int8)
    read = extract(TEXTS)
    sums = sum(add_rows(pack(table), f.buckets, f.offsets) for f in read.families)
    counts = sum(np.diff(family.offsets) for family in read.families)
    expected = sums / np.sqrt(np.maximum(counts, 1))[:, None]
    assert design.apply(table.astype(np.float32)) == pytest.approx(expected, abs=1e-3)


def test_a_feature_of_few_texts_weighs_more() -> None:
    """Of 24 texts, 12 contain "sad" and 4 contain "alone". So "alone" weighs more than "sad"."""
    rarity = read_design(TEXTS).rarity[:, 0]
    sad, alone = (int(extract([word]).families[0].buckets[0]) for word in ("sad", "alone"))
    assert (rarity[sad], rarity[alone]) == pytest.approx((np.log(25 / 12) / 4, np.log(25 / 4) / 4))


SAD = np.array(["sad" in text for text in TEXTS], np.float64)
EVERY = np.arange(len(TEXTS))
GROUPS = np.stack([EVERY % 5 < 2, EVERY % 5 >= 2], axis=1).astype(np.float64)


def test_a_logistic_column_is_the_penalised_optimum() -> None:
    """At the optimum, the loss pulls each weight as hard as its penalty holds it back."""
    design, ones = read_design(TEXTS), np.ones(len(TEXTS))
    table = design.fit_logistic(SAD, ones, np.zeros((len(TEXTS), 1)), EVERY)
    logits = design.apply(table)[:, 0].astype(np.float64)
    pull = design.features.T @ (SAD - 1 / (1 + np.exp(-logits)))
    held = (table / design.rarity)[:, 0] / LOOSENESS
    assert logits[SAD > 0].min() > logits[SAD == 0].max()
    assert pull == pytest.approx(held, abs=1e-2)


def test_only_the_chosen_replies_teach_a_logistic_column() -> None:
    """Labels of replies in the held-out fold do not change the column."""
    design, ones, rows = read_design(TEXTS), np.ones(len(TEXTS)), EVERY[5:17]
    other = np.where(np.isin(EVERY, rows), SAD, 1 - SAD)
    column = design.fit_logistic(SAD, ones, GROUPS, rows)
    assert column.shape == (BUCKETS, 1)
    assert column.tobytes() == design.fit_logistic(other, ones, GROUPS, rows).tobytes()


def test_a_logistic_column_ignores_the_share_of_a_group() -> None:
    """If a word occurs only in a group that always pushes back, the group's offset explains it."""
    texts = ["zebra one", "zebra two"] * 20 + ["one yes", "two no"] * 20
    truth = np.array([1.0, 1.0] * 20 + [1.0, 0.0] * 20)
    groups = np.repeat(np.eye(2), 40, axis=0)
    rows, ones = np.arange(80), np.ones(80)
    design = read_design(texts)
    with_offsets = design.fit_logistic(truth, ones, groups, rows)
    without = design.fit_logistic(truth, ones, groups * 0, rows)
    zebra = int(extract(["zebra"]).families[0].buckets[0])
    assert with_offsets[zebra, 0] < 0.5 * without[zebra, 0]

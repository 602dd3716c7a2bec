"""Tests the pieces of training on small cases; the training itself is `training.evaluate`."""

from __future__ import annotations

import io

import numpy as np
import pytest

from schemas.labels import LANGUAGES, TYPES
from training.conversations import Pooled, fit_head
from training.evaluate import auc, wilson
from training.fit import Fitted, read_design
from training.model_file import Model
from training.sources import fold_of, written_assistants, written_humans
from training.teacher import fit_linear, fit_logistic
from transforms.classifiers.conversation import FIGURES
from transforms.classifiers.features import BUCKET_BITS
from transforms.classifiers.interface import AFFECTIVE, HUMAN_WIDTH, SENTIMENT
from transforms.classifiers.linear import load

TEXTS = ["so sad today", "sort this list", "sad and alone", "list of files", "sad list"] * 4


def test_ridge_agrees_with_the_closed_form() -> None:
    """Conjugate gradients find what solving the normal equations finds."""
    wanted = np.random.default_rng(1).normal(size=(len(TEXTS), 2)).astype(np.float32)
    weight = np.linspace(0.0, 2.0, len(TEXTS), dtype=np.float32)
    design = read_design(TEXTS)
    found = design.logits(design.fit(wanted, weight))
    dense = np.zeros((len(TEXTS), len(design.buckets)))
    for row, (begin, end) in enumerate(
        zip(design.texts.offsets[:-1], design.texts.offsets[1:], strict=True)
    ):
        np.add.at(dense[row], design.texts.index[begin:end], 1.0)
    dense *= design.value * design.rarity.T
    bias = (wanted * weight[:, None]).sum(axis=0) / weight.sum()
    normal = (dense.T * weight) @ dense + 0.5 * np.eye(dense.shape[1])
    exact = np.linalg.solve(normal, (dense.T * weight) @ (wanted - bias))
    assert found == pytest.approx(dense @ exact + bias, abs=1e-3)


def test_a_text_at_weight_zero_is_not_learned_from() -> None:
    """Folds are held out by their weight; what is wanted of them must not matter."""
    design = read_design(TEXTS)
    weight = (np.arange(len(TEXTS)) % 2).astype(np.float32)
    wanted = np.ones((len(TEXTS), 1), np.float32)
    other = np.where(weight[:, None] > 0, wanted, -50).astype(np.float32)
    assert (design.fit(wanted, weight).weights == design.fit(other, weight).weights).all()


def test_teachers_separate_what_can_be_separated() -> None:
    """A head learns the sign of a direction, whether by logistic or by squared error."""
    vectors = np.random.default_rng(2).normal(size=(200, 512)).astype(np.float32)
    wanted = (vectors[:, :1] > 0).astype(np.float32)
    weight = np.ones(200, np.float32)
    logistic = fit_logistic(vectors, wanted, weight).logits(vectors)
    linear = fit_linear(vectors, wanted, weight).logits(vectors)
    assert ((logistic > 0) == (wanted > 0)).all()
    assert ((linear > 0.5) == (wanted > 0)).all()


def tiny_model() -> Model:
    """Builds a model of few weights."""
    weights = np.zeros((1 << BUCKET_BITS, SENTIMENT + 1), np.float32)
    weights[7, AFFECTIVE], weights[9, SENTIMENT] = 2.0, -0.5
    replies = np.zeros((1 << BUCKET_BITS, 9), np.float32)
    return Model(
        human=Fitted(weights, np.ones(SENTIMENT + 1, np.float32)),
        assistant=Fitted(replies, np.zeros(9, np.float32)),
        sentiment_cuts=np.array([-1.0, 0.0, 1.0, 2.0]),
        head_weights=np.zeros((1 + len(TYPES), FIGURES)),
        head_thresholds=np.zeros(1 + len(TYPES)),
        pushback_shift=np.zeros(len(LANGUAGES)),
        pushback_threshold=5,
    )


def test_a_model_survives_its_file() -> None:
    """Weights come back to within half a step of their head's scale, the rest exactly."""
    model = tiny_model()
    back = load(io.BytesIO(model.to_bytes()))
    lanes = back.human.packed.view("<u2").astype(int) - 128
    assert (lanes[7, AFFECTIVE], lanes[9, SENTIMENT]) == (127, -127)
    assert lanes[:, : SENTIMENT + 1].any(axis=1).sum() == 2
    assert back.human.scale[[AFFECTIVE, SENTIMENT]] == pytest.approx([2 / 127, 0.5 / 127])
    assert back.pushback_threshold == 5


def test_equal_models_have_equal_versions() -> None:
    """The version names the content."""
    assert (
        load(io.BytesIO(tiny_model().to_bytes())).version
        == load(io.BytesIO(tiny_model().to_bytes())).version
    )


def test_the_conversation_head_tells_high_scores_from_low() -> None:
    """Fitted on clear cases, the gate's logit is higher where the gate scores are."""
    random = np.random.default_rng(3)
    kinds = np.repeat(np.arange(-1, len(TYPES)), 30)
    scores = np.full((len(kinds), HUMAN_WIDTH), -40, np.int8)
    scores[:, AFFECTIVE] += random.integers(-9, 9, len(kinds)).astype(np.int8)
    affective = (kinds >= 0) & (kinds < 5)
    scores[affective, AFFECTIVE] += 60
    rows = np.flatnonzero(kinds >= 0)
    scores[rows, 1 + kinds[rows]] += 60
    starts = np.arange(len(kinds) + 1)
    written = Pooled(scores, starts, kinds)
    real = Pooled(scores[~affective], np.arange((~affective).sum() + 1), kinds[~affective])
    weights, thresholds = fit_head(written, real)
    logits = (written.figures()[:, :, 0].T * weights[0]).sum(axis=1)
    assert logits[affective].min() > logits[~affective].max()
    assert (logits[affective] > thresholds[0]).all()


def test_measures() -> None:
    """Wilson's interval by a textbook case, the area under the curve by hand."""
    assert wilson(5, 10) == {"hits": 5, "of": 10, "share": 0.5, "low": 0.2366, "high": 0.7634}
    assert auc(np.array([3, 1, 2, 2]), np.array([True, False, True, False])) == 0.875


def test_folds_are_stable_and_nothing_is_in_none() -> None:
    """The same group falls into the same fold in every run."""
    assert [fold_of("w01-0001"), fold_of("w01-0002"), fold_of("")] == [
        fold_of("w01-0001"), fold_of("w01-0002"), -1,
    ]  # fmt: skip


def test_the_written_corpora_are_complete_and_valid() -> None:
    """Every line has known labels, and no id occurs twice."""
    humans, assistants = written_humans(), written_assistants()
    assert len(humans) >= 1600
    assert len(assistants) >= 530
    assert all(example.types <= {*TYPES} for example in humans)
    assert len({example.group for example in humans}) == len(humans)

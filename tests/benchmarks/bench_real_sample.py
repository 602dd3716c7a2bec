"""Compares judged, corrected and raw shares on real conversations that no model has seen.

Run: `UNDERTONE_DATA=… python -m tests.benchmarks.bench_real_sample`. The conversations are those of
ShareGPT that two people have read. Their labels are the judge. Most were read because a model or a
word suggested that they might be affective, so the share is higher than on the whole platform. For
1,000 different secrets a sample is drawn. The benchmark prints how often the interval contains the
share that the readers found, beside the raw and the corrected share, which are the same for every
secret.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Final

import numpy as np

from tests.benchmarks.judged_populations import priority_sample
from training.measures.decisions import judge
from training.sources import EVALUATION_SETS, real_conversations
from transforms.classifiers import load_default
from transforms.classifiers.accurate.classifier import load_accurate
from transforms.classifiers.interface import LOGIT_UNIT, Classifier
from transforms.estimation.corrections import ErrorRates, direct
from transforms.estimation.difference.equation import Known
from transforms.estimation.difference.moments import Sample
from transforms.estimation.judged import judged_share
from transforms.estimation.proportions import quotient_noise
from transforms.estimation.rates import load_measured
from transforms.judging.allocation import weight

DRAWS: Final = 1000
JUDGEMENTS: Final = (100, 200, 400)


def main() -> int:
    """Prints a table for each classifier."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    data = Path(os.environ["UNDERTONE_DATA"])
    rows = [row for row in real_conversations(data, EVALUATION_SETS) if row.labels]
    truth = np.array([bool(row.labels and row.labels.affective) for row in rows], np.float64)
    print(f"{len(rows):,} conversations, {int(truth.sum())} affective: {truth.mean():.2%}")
    for classifier in (load_default(), load_accurate()):
        found = judge(classifier, rows).found
        said = found.affective.astype(np.float64)
        logits = np.clip(np.rint(found.affective_logit / LOGIT_UNIT), -128, 127).astype(int)
        weights = np.array(
            [weight(int(a), int(b), bool(c)) for a, b, c in zip(logits, found.types, found.pushback,
                                                                strict=True)]
        )  # fmt: skip
        print(f"\n{classifier.version}: raw {said.mean():.2%}, {_corrected(classifier, said)}")
        for judgements in JUDGEMENTS:
            print(_row(truth, said, weights, judgements))
    return 0


def _row(truth: np.ndarray, said: np.ndarray, weights: np.ndarray, judgements: int) -> str:
    random = np.random.default_rng(judgements)
    known = Known(np.array([said.sum()]), np.array([float(len(said))]))
    shares, widths, covered = [], [], 0
    for _ in range(DRAWS):
        chosen, probability = priority_sample(random, weights, judgements)
        one = np.ones((len(chosen), 1))
        sample = Sample(probability, truth[chosen, None], said[chosen, None], one, one)
        (share,), (low,), (high,) = judged_share(sample, known)
        shares.append(share)
        widths.append((high - low) / 2)
        covered += low <= truth.mean() <= high
    return (
        f"  {judgements} judged: mean {np.mean(shares):.2%}, half-width "
        f"{100 * np.mean(widths):.2f} points, coverage {covered / DRAWS:.1%}"
    )


def _corrected(classifier: Classifier, said: np.ndarray) -> str:
    """Returns the share corrected by the shipped rates, whether or not they are supported."""
    measured = load_measured(classifier.version)
    rates = [] if measured is None else [
        rate for rate in measured.rates
        if (rate.language, rate.facet, rate.facet_value) == ("all", "use", "affective")
    ]  # fmt: skip
    if not rates:
        return "no rates"
    (rate,) = rates
    counts = (rate.true_positives, rate.positives, rate.false_positives, rate.negatives)
    found = direct(
        np.array([[said.sum()]]),
        np.array([[float(len(said))]]),
        ErrorRates(*(np.array([[float(count)]]) for count in counts)),
        quotient_noise(0.0, np.zeros((1, 1))),
    )
    share, low, high = (float(values[0, 0]) for values in found)
    return f"corrected {share:.2%} ({low:.2%} to {high:.2%})"


if __name__ == "__main__":
    sys.exit(main())

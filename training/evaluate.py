"""Measures the model: `python -m training.evaluate [--data FOLDER] [--no-train]`.

Every figure on written and real conversations comes from a fold's model. That model saw neither the
conversation's text nor its author, and was calibrated on the other folds. Sets under a research
licence are only used to measure the shipped model. Only `training.measures` reads the labels of
real conversations. This module writes metrics.json, the error rates (the views use them to correct
shares) and the model card.

With `--no-train` nothing is trained: the last training's models are read from the cache.
"""

from __future__ import annotations

import argparse
import io
import json
import pickle
from pathlib import Path
from typing import Any, Final

from training.agreement import measure_agreement
from training.card.write import write_card
from training.measures.corpus import measure_corpus
from training.measures.decisions import Facts, judge_apart
from training.measures.gate import (
    measure_calibration,
    measure_prevalence,
    measure_real,
    measure_tools,
    measure_written,
)
from training.measures.messages import (
    measure_languages,
    measure_moods,
    measure_pushback,
    measure_replies,
)
from training.measures.rates import measure_rates
from training.measures.sets import measure_scenes, measure_sets
from training.measures.speed import measure_speed
from training.measures.types_and_uses import measure_edges, measure_types, measure_uses
from training.model_file import to_bytes, write
from training.open_model import Remembered
from training.options import add_options, data_folder
from training.train import Trained, train
from training.words import common_words, write_words
from transforms.classifiers.accurate.classifier import VERSION_PREFIX as ACCURATE_PREFIX
from transforms.classifiers.ngram.classifier import load
from transforms.classifiers.ngram.language import WORDS_FILE
from transforms.estimation.rates import RATES_FILE, Rates, encode_rates

ROOT: Final = Path(__file__).parents[1]
METRICS: Final = Path(__file__).with_name("metrics.json")
RATES_OUT: Final = ROOT / "transforms" / "estimation" / RATES_FILE
CARD: Final = ROOT / "MODEL_CARD.md"
TRAINED_FILE: Final = "trained.pickle"


def measure(trained: Trained, data: Path, cache: Path) -> tuple[dict[str, Any], list[Rates]]:
    """Measures all figures of the card, and the error rates."""
    stored = to_bytes(trained.arrays)
    classifier = load(io.BytesIO(stored))
    conversations = trained.material.conversations
    known = Remembered([text for row in conversations for text in row.human], cache)
    facts, precise = judge_apart(trained, None), judge_apart(trained, known)
    real = [row for row in conversations if row.is_real]
    metrics = {
        "version": classifier.version,
        "bytes": len(stored),
        "corpus": measure_corpus(conversations),
        "agreement": measure_agreement(conversations),
        "default": measure_mode(facts),
        "accurate": measure_mode(precise),
        "pushback": measure_pushback(facts),
        "replies": measure_replies(trained),
        "languages": measure_languages(trained),
        "sets": measure_sets(classifier, data),
        "scenes": measure_scenes(classifier),
        "speed": measure_speed(classifier, real),
    }
    return metrics, [
        measure_rates(classifier.version, facts),
        measure_rates(f"{ACCURATE_PREFIX}{classifier.version}", precise),
    ]


def measure_mode(facts: Facts) -> dict[str, Any]:
    """Measures all decisions of the folds' models, in one mode."""
    return {
        "real": measure_real(facts),
        "types": measure_types(facts),
        "written": measure_written(facts),
        "uses": measure_uses(facts),
        "moods": measure_moods(facts),
        "edges": measure_edges(facts),
        "calibration": measure_calibration(facts),
        "prevalence": measure_prevalence(facts),
        "tools": measure_tools(facts),
    }


def main() -> None:
    """Measures the model, and writes the metrics, the error rates and the card."""
    parser = argparse.ArgumentParser(description="Train and measure the model, and write its card.")
    add_options(parser)
    parser.add_argument(
        "--no-train", action="store_true", help="measure the last training again, without training"
    )
    options = parser.parse_args()
    data = data_folder(options.data)
    kept = options.cache / TRAINED_FILE
    if options.no_train:
        if not kept.exists():
            parser.exit(
                2, f"{kept} is missing; run python -m training.evaluate without --no-train\n"
            )
        trained: Trained = pickle.loads(kept.read_bytes())
    else:
        trained = train(data, options.cache)
        kept.write_bytes(pickle.dumps(trained))
        write(trained.arrays, options.model)
        words = common_words(row for row in trained.material.conversations if row.labels)
        write_words(words, options.model.with_name(WORDS_FILE))
    metrics, rates = measure(trained, data, options.cache)
    METRICS.write_text(json.dumps(metrics, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    RATES_OUT.write_bytes(encode_rates(rates))
    write_card(metrics, CARD)
    print(json.dumps(metrics["default"]["real"], indent=1))


if __name__ == "__main__":
    main()

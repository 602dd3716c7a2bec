"""Measures the model: `python -m training.evaluate [--data FOLDER] [--no-train]`.

Every figure on written and real conversations comes from a fold's model. That model saw neither the
conversation's text nor its author, and was calibrated on the other folds. The shipped model is
measured on sets that no model learns from: sets under a research licence, and a platform
(`EVALUATION_SETS`) that no choice of method has seen either. This module writes metrics.json, the
error rates (they correct shares) and the model card.

With `--no-train` nothing is trained: the last training's models are read from the cache.
"""

from __future__ import annotations

import argparse
import io
import json
import pickle
from pathlib import Path
from typing import Any, Final

from training.agreement import measure_agreement, measure_readers
from training.card.write import write_card
from training.measures.corpus import measure_corpus
from training.measures.decisions import Facts, gather_facts, judge, judge_apart
from training.measures.gate import (
    measure_calibration,
    measure_prevalence,
    measure_real,
    measure_tools,
    measure_transfer,
    measure_unseen,
    measure_written,
)
from training.measures.messages import (
    judge_pushback,
    measure_languages,
    measure_moods,
    measure_pushback,
    measure_real_pushback,
    measure_replies,
)
from training.measures.rates import measure_rates
from training.measures.sets import measure_scenes, measure_sets
from training.measures.speed import measure_speed
from training.measures.types_and_uses import measure_edges, measure_types, measure_uses
from training.model_file import to_bytes, write
from training.open_model import Remembered, open_accurate
from training.options import add_options, data_folder
from training.sources import EVALUATION_SETS, real_conversations
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
    unseen = real_conversations(data, EVALUATION_SETS)
    known = Remembered([text for row in [*conversations, *unseen] for text in row.human], cache)
    facts, precise = judge_apart(trained, None), judge_apart(trained, known)
    new = gather_facts([judge(classifier, unseen)])
    new_precise = gather_facts([judge(open_accurate(trained.arrays, known), unseen)])
    pushed = judge_pushback([facts, new])
    rates = [
        measure_rates(classifier.version, facts, pushed),
        measure_rates(f"{ACCURATE_PREFIX}{classifier.version}", precise, pushed),
    ]
    real = [row for row in conversations if row.is_real]
    metrics = {
        "version": classifier.version,
        "bytes": len(stored),
        "corpus": measure_corpus(conversations),
        "agreement": measure_agreement(conversations),
        "readers": measure_readers(),
        "default": measure_mode(facts, new, rates[0]),
        "accurate": measure_mode(precise, new_precise, rates[1]),
        "pushback": measure_pushback(facts),
        "real_pushback": measure_real_pushback(pushed),
        "replies": measure_replies(trained),
        "languages": measure_languages(trained),
        "sets": measure_sets(classifier, data),
        "scenes": measure_scenes(classifier),
        "speed": measure_speed(classifier, real),
    }
    return metrics, rates


def measure_mode(facts: Facts, unseen: Facts, rates: Rates) -> dict[str, Any]:
    """Measures all decisions of the folds' models, and the shipped model's on `unseen`."""
    return {
        "unseen": measure_unseen(unseen),
        "transfer": measure_transfer(unseen, rates.rates[0]),
        "spread": rates.rates[0].spread,
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
        words = common_words(row for row in trained.material.conversations if row.author)
        write_words(words, options.model.with_name(WORDS_FILE))
    metrics, rates = measure(trained, data, options.cache)
    METRICS.write_text(json.dumps(metrics, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    RATES_OUT.write_bytes(encode_rates(rates))
    write_card(metrics, CARD)
    print(json.dumps(metrics["default"]["real"], indent=1))


if __name__ == "__main__":
    main()

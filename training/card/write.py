"""Writes the model card in Markdown, and its pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from training.card.corpus import describe_corpus
from training.card.gate import (
    describe_prevalence,
    describe_real,
    describe_sources,
    describe_unseen,
    describe_written,
)
from training.card.markdown import Metrics
from training.card.messages import describe_moods, describe_pushback
from training.card.method import LIMITS, METHOD
from training.card.summary import describe_measuring, describe_model
from training.card.types_and_uses import describe_types
from training.pictures import draw_calibration, draw_confusion, draw_languages, draw_prevalence

PICTURES: Final = "docs/model"


def write_card(metrics: Metrics, path: Path) -> None:
    """Writes the card, and writes the card's pictures to `docs/model`."""
    folder = path.parent / PICTURES
    folder.mkdir(parents=True, exist_ok=True)
    draw_calibration(metrics, folder / "calibration.svg")
    draw_confusion(metrics, folder / "confusion.svg")
    draw_languages(metrics, folder / "languages.svg")
    draw_prevalence(metrics, folder / "prevalence.svg")
    parts = [
        describe_model(metrics),
        describe_measuring(metrics),
        describe_real(metrics),
        describe_unseen(metrics),
        describe_written(metrics),
        describe_sources(metrics),
        describe_types(metrics),
        describe_moods(metrics),
        describe_pushback(metrics),
        describe_prevalence(metrics),
        describe_corpus(metrics),
        METHOD,
        LIMITS,
    ]
    path.write_text("\n\n".join(part.strip() for part in parts) + "\n", encoding="utf-8")

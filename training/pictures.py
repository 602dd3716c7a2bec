"""Draws the pictures of the model card."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib.figure import Figure

from schemas.labels import AFFECTIVE_TYPES

Metrics = Mapping[str, Any]

_MODES: Final = {"default": "#2a6f97", "accurate": "#c8553d"}

mpl.rcParams["svg.hashsalt"] = "undertone"
mpl.rcParams["font.size"] = 9


def _save(figure: Figure, path: Path) -> None:
    """Saves the figure without a date, so that equal figures give equal files."""
    figure.savefig(path, metadata={"Date": None}, bbox_inches="tight")


def draw_calibration(metrics: Metrics, path: Path) -> None:
    """Draws the observed share of affective real conversations against the predicted share."""
    figure = Figure(figsize=(4, 3.4))
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="#bbbbbb", linewidth=1)
    for mode, colour in _MODES.items():
        bins = metrics[mode]["calibration"]
        seen = [own["share"] for own in bins]
        below = [own["share"] - own["low"] for own in bins]
        above = [own["high"] - own["share"] for own in bins]
        said = [own["said"] for own in bins]
        axes.errorbar(
            said, seen, [below, above], color=colour, label=mode, marker="o", markersize=4,
            linewidth=1, capsize=2,
        )  # fmt: skip
    axes.set_xlabel("predicted probability, mean of the bin")
    axes.set_ylabel("share labelled affective, with 95 % interval")
    axes.legend(frameon=False)
    _save(figure, path)


def draw_confusion(metrics: Metrics, path: Path) -> None:
    """Draws how often the model gives each type to the corpus's conversations of each type."""
    figure = Figure(figsize=(7.6, 3.4))
    for axes, mode in zip(figure.subplots(1, 2, sharey=True), _MODES, strict=True):
        counts = metrics[mode]["types"]["confusion"]
        shares = [[value / max(sum(row), 1) for value in row] for row in counts]
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        names = [name.replace("_", "\n") for name in AFFECTIVE_TYPES]
        axes.set_xticks(range(len(names)), names, fontsize=7)
        axes.set_yticks(range(len(names)), names, fontsize=7)
        axes.set_title(f"{mode}: type given, by type written", fontsize=8)
        for y, row in enumerate(counts):
            for x, value in enumerate(row):
                colour = "white" if shares[y][x] > 0.5 else "black"
                axes.text(x, y, value, ha="center", va="center", fontsize=7, color=colour)
    _save(figure, path)


def draw_languages(metrics: Metrics, path: Path) -> None:
    """Draws the gate's AUC by language."""
    figure = Figure(figsize=(6, 2.6))
    axes = figure.subplots()
    for shift, (mode, colour) in zip((-0.2, 0.2), _MODES.items(), strict=True):
        groups = {
            name: own for name, own in metrics[mode]["written"]["groups"].items() if len(name) == 2
        }
        places = [place + shift for place in range(len(groups))]
        axes.bar(places, [own["auc"] for own in groups.values()], 0.38, color=colour, label=mode)
        axes.set_xticks(range(len(groups)), list(groups))
    axes.axhline(0.97, color="#888888", linewidth=0.8, linestyle=":")
    axes.set_ylim(0.8, 1)
    axes.set_ylabel("AUC, held-out authors")
    axes.legend(frameon=False, ncols=2, loc="lower right")
    _save(figure, path)


def draw_prevalence(metrics: Metrics, path: Path) -> None:
    """Draws the errors of the corrected and the raw share at each true share."""
    figure = Figure(figsize=(4.6, 2.8))
    axes = figure.subplots()
    own = metrics["default"]["transfer"]
    rates = list(own)
    for shift, key, colour, name in (
        (-0.2, "mean_error_raw", "#999999", "raw"),
        (0.2, "mean_error", "#2a6f97", "corrected"),
    ):
        places = [place + shift for place in range(len(rates))]
        axes.bar(places, [100 * own[rate][key] for rate in rates], 0.38, color=colour, label=name)
    axes.set_xticks(range(len(rates)), [f"true share {rate}" for rate in rates])
    axes.set_ylabel("mean error, points")
    axes.legend(frameon=False)
    _save(figure, path)

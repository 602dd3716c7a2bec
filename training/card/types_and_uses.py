"""Writes the chapter on types, drift and uses."""

from __future__ import annotations

from typing import Final

from training.card.markdown import Metrics, percent, table

MODES: Final = ("default", "accurate")


def describe_types(metrics: Metrics) -> str:
    """Reports how well types, opening and closing types, and uses are recognised."""
    rows = [
        [
            name,
            *(
                metrics[mode]["types"][group][name]
                for mode in ("default", "accurate")
                for group in ("written", "written and real")
            ),
        ]
        for name in metrics["default"]["types"]["written"]
    ]
    header = ["F1", "default, written", "default, with real", "accurate, written"]
    header.append("accurate, with real")
    languages = [
        [code, own, metrics["accurate"]["types"]["by_language"][code]]
        for code, own in metrics["default"]["types"]["by_language"].items()
    ]
    edges = [
        [
            mode,
            percent(own["opening"]),
            percent(own["closing"]),
            own["drift_f1"],
            percent(own["drift_precision"]),
            percent(own["headline_recall"]),
            percent(own["headline_precision"]),
        ]
        for mode in ("default", "accurate")
        for own in [metrics[mode]["edges"]]
    ]
    uses = [
        [use, percent(own), percent(metrics["accurate"]["uses"]["by_use"][use])]
        for use, own in metrics["default"]["uses"]["by_use"].items()
    ]
    edge_header = ["mode", "opening right", "closing right", "drift F1", "drift precision"]
    edge_header += ["coaching or counseling → companionship: recall", "precision"]
    uses += [["all, public chat logs", *(percent(metrics[m]["uses"]["natural"]) for m in MODES)]]
    uses += [["all, written", *(percent(metrics[m]["uses"]["all"]) for m in MODES)]]
    right = percent(metrics["default"]["types"]["right_on_real_found"])
    return f"""
## Types, drift and uses

All six types over all conversations, including the gate: a conversation that the gate misses counts
as missed.

{table(header, rows)}

Share with a right type among the real affective conversations that the gate finds: {right}; in the
accurate mode: {percent(metrics["accurate"]["types"]["right_on_real_found"])}.

![Confusions](docs/model/confusion.svg)

{table(["macro-F1 by language", "default", "accurate"], languages)}

Opening and closing type of affective conversations of more than three messages, and F1 of "opening
and closing differ":

{table(edge_header, edges)}

{table(["right use", "default", "accurate"], uses)}
"""

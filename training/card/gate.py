"""Writes the chapters on the gate, which decides whether a conversation is affective."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from training.card.markdown import Metrics, percent, table


def describe_real(metrics: Metrics) -> str:
    """Reports how well the gate decides on real conversations."""
    rows = []
    modes = [metrics["default"]["real"], metrics["accurate"]["real"]]

    def add(name: str, *keys: str) -> None:
        values = []
        for mode in modes:
            value: Any = mode
            for key in keys:
                value = value[key]
            values.append(percent(value) if isinstance(value, Mapping) else value)
        rows.append([name, *values])

    add("recall at the counting threshold", "recall")
    for label in modes[0]["recall_by_label"]:
        add(f"– {label}", "recall_by_label", label)
    add("false positives", "false_positives")
    add("– of those read as not affective", "false_positives_on_none")
    add("– of those not read (about 2 % may be affective)", "false_positives_on_unread")
    for rate in ("1%", "2%", "5%"):
        add(f"recall at {rate} false positives", "recall_at_false_positives", rate)
    add("recall of alerts", "alert", "recall")
    add("false positives of alerts", "alert", "false_positives")
    for against in ("none", "unread", "both"):
        add(f"AUC against {against}", "auc", against)
    for source in modes[0]["by_source"]:
        add(f"recall, {source}", "by_source", source, "recall")
        add(f"false positives, {source}", "by_source", source, "false_positives")
    count = modes[0]["conversations"]
    return f"""
## Real conversations

{count} conversations from public chat logs, mostly in English. One annotator read part of them.
Those labelled `none` were read because something about them looked affective, so they are harder
than the rest. Few conversations are affective, so mind the intervals.

{table(["measure", "default", "accurate"], rows)}

![Predicted and observed probabilities](docs/model/calibration.svg)
"""


def describe_written(metrics: Metrics) -> str:
    """Reports how the gate does on written conversations, and how often their language is right."""
    groups = [metrics[mode]["written"]["groups"] for mode in ("default", "accurate")]
    rows = [
        [
            name,
            own["conversations"],
            own["auc"],
            percent(own["recall"]),
            percent(own["false_positives"]),
            groups[1][name]["auc"],
            percent(groups[1][name]["recall"]),
            percent(groups[1][name]["false_positives"]),
        ]
        for name, own in groups[0].items()
    ]
    header = ["group", "conversations", "AUC", "recall", "false positives"]
    header += ["AUC, accurate", "recall, accurate", "false positives, accurate"]
    identified = ", ".join(
        f"{code} {100 * share['share']:.0f} %" for code, share in metrics["languages"].items()
    )
    return f"""
## Written conversations, by held-out authors

Two thirds of the conversations that are not affective were written to look affective. So false
positives are far more common here than in natural traffic.

{table(header, rows)}

![AUC by language](docs/model/languages.svg)

Share of single human messages whose language is right (undetermined counts as wrong):
{identified}.
"""


def describe_sources(metrics: Metrics) -> str:
    """Reports, for each source, the share of conversations that the gate calls affective."""
    rows = [
        [
            "written: " + use,
            percent(own),
            percent(metrics["accurate"]["written"]["false_positives_by_use"][use]),
        ]
        for use, own in metrics["default"]["written"]["false_positives_by_use"].items()
    ]
    rows += [
        [name, percent(own), percent(metrics["accurate"]["tools"][name])]
        for name, own in metrics["default"]["tools"].items()
    ]
    rows += [[name, percent(own), ""] for name, own in metrics["sets"].items()]
    for name, own in metrics["scenes"].items():
        rows += [
            [f"{name}: {kind}", percent(share), ""] for kind, share in own["affective"].items()
        ]
    return f"""
## Share called affective, source by source

The sources are:

- written conversations, by use;
- tool sets, judged by a model that saw none of the set;
- sets that are for evaluation only. The first three are support dialogues, where a high share is
  right. For CoCoNot there are also the shares of replies that count as pushback;
- the simulator's single lines, by kind. No model is trained on them.

{table(["source", "default", "accurate"], rows)}
"""


def describe_prevalence(metrics: Metrics) -> str:
    """Reports how well the correction of shares recovers known shares."""
    rows = [
        [
            mode,
            group,
            rate,
            f"{own['coverage']:.1%}",
            f"{100 * own['mean_error']:.2f}",
            f"{100 * own['mean_error_raw']:.2f}",
            f"{100 * own['mean_width']:.2f}",
        ]
        for mode in ("default", "accurate")
        for group, rates in metrics[mode]["prevalence"].items()
        for rate, own in rates.items()
    ]
    header = ["mode", "affective ones from", "true share", "interval covers"]
    header += ["mean error, points", "mean error of the raw share", "mean width, points"]
    return f"""
## Corrected prevalence

Each known share is recovered 200 times. Half of the conversations measure the classifier's error
rates. From the other half, 5,000 conversations are drawn at the true share. The estimator is that
of Rogan and Gladen (1978), the interval that of Lang and Reiczigel (2014). The conversations that
are not affective are real. The affective ones are either real, or real and written in English.

{table(header, rows)}

The shipped rates for the share of affective conversations have real negatives. Half of their
positives are real; the other half are the written English ones, weighted down to the same number.
Recall on the two is so different that neither alone would be honest.

![Recovered shares](docs/model/prevalence.svg)
"""

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

    add("recall as decided", "recall")
    add("– of those that no reader was unsure of", "recall_of_sure")
    add("false positives as decided", "false_positives")
    for rate in ("1%", "2%", "5%"):
        add(f"recall at {rate} false positives", "recall_at_false_positives", rate)
    add("AUC", "auc")
    add("recall of alerts", "alert", "recall")
    add("false positives of alerts", "alert", "false_positives")
    for name in modes[0]["recall_by_type"]:
        add(f"recall as decided, all sets: {name}", "recall_by_type", name)
    add("recall as decided, all sets: under 100 characters", "recall_of_short")
    for name in modes[0]["by_set"]:
        add(f"{name}: recall as decided", "by_set", name, "recall")
        add(f"{name}: false positives as decided", "by_set", name, "false_positives")
        add(f"{name}: AUC", "by_set", name, "auc")
    return f"""
## Real conversations

`real_dev` has {modes[0]["conversations"]} conversations from public chat logs, mostly in English,
all read. The other sets are harder than traffic: `hh_harmless` are confessions and provocations of
crowd workers, the WildChat sets were picked by topic, and most of what was read of them was chosen
because a model or a cue word pointed to it.

{table(["measure", "default", "accurate"], rows)}

![Predicted and observed probabilities](docs/model/calibration.svg)
"""


def describe_unseen(metrics: Metrics) -> str:
    """Reports how well the gate decides on the platform that nothing has seen."""
    modes = [metrics["default"]["unseen"], metrics["accurate"]["unseen"]]
    rows = [
        [f"recall at {rate} false positives"]
        + [percent(mode["recall_at_false_positives"][rate]) for mode in modes]
        for rate in ("1%", "2%", "5%")
    ]
    rows += [
        [name, *(percent(mode[key]) for mode in modes)]
        for name, key in (
            ("recall as decided", "recall"),
            ("false positives as decided", "false_positives"),
            ("affective among the 30 highest", "affective_among_highest"),
            ("affective, of those read at random", "drawn_at_random"),
            ("said affective, of those read at random", "said_at_random"),
            ("right use, of those read at random", "use_right"),
            ("with a reply that counts as pushback", "pushback_share"),
        )
    ]
    rows.append(["read among the 30 highest", *(mode["read_among_highest"] for mode in modes)])
    rows.append(["AUC", *(mode["auc"] for mode in modes)])
    return f"""
## A platform that nothing has seen

{modes[0]["conversations"]} conversations of `sharegpt`.

{table(["measure", "default", "accurate"], rows)}
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
            name,
            rate,
            f"{own['coverage']:.1%}",
            f"{100 * own['mean_error']:.2f}",
            f"{100 * own['mean_error_raw']:.2f}",
        ]
        for mode in ("default", "accurate")
        for name, key in (("same platforms", "prevalence"), ("another platform", "transfer"))
        for rate, own in metrics[mode][key].items()
    ]
    header = ["mode", "errors measured on", "true share", "interval covers"]
    header += ["mean error, points", "mean error of the raw share"]
    return f"""
## Corrected prevalence

Each known share is recovered 200 times from 5,000 conversations that are drawn at the true share.
The estimator is that of Rogan and Gladen (1978), the interval that of Lang and Reiczigel (2014).
*Same platforms*: half of the conversations measure the error rates, the other half are drawn from.
*Another platform*: rates measured on the other sets correct samples of `sharegpt`.

{table(header, rows)}

The rates for the share of affective conversations have the negatives of `real_dev`, and the
positives of the two sets that were read whole. They are in `rates.json`, but they correct nothing:
the false alarms of different platforms lie too far apart
({100 * metrics["default"]["spread"]:.1f} points in the default mode,
{100 * metrics["accurate"]["spread"]:.1f} in the accurate one).

![Recovered shares](docs/model/prevalence.svg)
"""

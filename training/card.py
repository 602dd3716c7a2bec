"""Writes the model card, in Markdown with pictures, from nothing but the metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from training.pictures import draw_calibration, draw_confusion, draw_languages, draw_prevalence

Metrics = Mapping[str, Any]

PICTURES: Final = "docs/model"


def write_card(metrics: Metrics, path: Path) -> None:
    """Writes the card, and its pictures beside it under `docs/model`."""
    folder = path.parent / PICTURES
    folder.mkdir(parents=True, exist_ok=True)
    draw_calibration(metrics, folder / "calibration.svg")
    draw_confusion(metrics, folder / "confusion.svg")
    draw_languages(metrics, folder / "languages.svg")
    draw_prevalence(metrics, folder / "prevalence.svg")
    parts = [
        _head(metrics),
        _bars(metrics),
        _real(metrics),
        _written(metrics),
        _negatives(metrics),
        _types(metrics),
        _moods(metrics),
        _pushback(metrics),
        _prevalence(metrics),
        _corpus(metrics),
        _METHOD,
        _LIMITS,
    ]
    path.write_text("\n\n".join(part.strip() for part in parts) + "\n", encoding="utf-8")


def percent(share: Metrics) -> str:
    """Writes a share with its interval and counts."""
    if not share.get("of"):
        return "–"
    low, high = share["low"], share["high"]
    return (
        f"{share['share']:.1%} [{100 * low:.1f}, {100 * high:.1f}] ({share['hits']}/{share['of']})"
    ).replace("%", " %", 1)


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Writes a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def _head(metrics: Metrics) -> str:
    speed = metrics["speed"]
    return f"""
# Model card: {metrics["version"]}

`make train` (`python -m training.evaluate`) trains the model, measures every figure below, and
writes this card. `make evaluate` measures the last training again.

The default classifier sums int8 vectors of hashed n-grams, scales the sum to a fixed length, and
puts a small network over it ({metrics["bytes"] / 1e6:.1f} MB, NumPy only). It turns each message
into 19 small numbers, and judges a conversation from the numbers of its messages. In the accurate
mode, a sentence encoder reads the messages that pass a loose gate a second time.

It is meant for *aggregates*: shares over many conversations, corrected for its measured errors. It
is not fit to decide anything about one person, and it is not a screening for crises.

**Speed**: {speed["messages_per_second"]:,} messages per second of one core's time on the machine
that measured, in batches of 1,000 real messages of {speed["mean_characters"]} characters on
average, humans and assistants mixed.

**How it was measured**: authors and real conversations are split into three folds. Everything that
is fitted, including the encoder's table, is fitted without the fold that it is measured on. Every
threshold is set on the other folds. Near-duplicates (same opening) count once. No label of a real
conversation set a weight or a threshold. But the *method*, and what later authors were asked to
write, was chosen while looking at errors on these real conversations. So expect somewhat worse
results on new ones. Intervals are 95 % Wilson intervals.
"""


def _bars(metrics: Metrics) -> str:
    rows = []
    for name in ("default", "accurate"):
        mode = metrics[name]
        types = mode["types"]["written and real"]["macro_f1"]
        prevalence = mode["prevalence"]["real and written"]["3%"]
        low = min(
            (group["auc"], code)
            for code, group in mode["written"]["groups"].items()
            if len(code) == 2 and group["auc"] is not None
        )
        rows.append(
            [
                name,
                percent(mode["real"]["recall_at_false_positives"]["1%"]),
                mode["real"]["auc"]["both"],
                f"{low[0]} ({low[1]})",
                types,
                percent(mode["moods"]["within_half_a_point"]),
                percent(mode["moods"]["sign_of_change"]),
                percent(mode["uses"]["all"]),
                f"{prevalence['coverage']:.0%}, {100 * prevalence['mean_error']:.2f} points",
            ]
        )
    header = [
        "mode",
        "recall at 1 % false positives, real",
        "AUC, real",
        "lowest AUC of ten languages",
        "macro-F1, six types",
        "sentiment within ±0.5",
        "sign of the change of mood",
        "right use",
        "prevalence at 3 %: coverage, mean error",
    ]
    return "## In short\n\n" + table(header, rows)


def _real(metrics: Metrics) -> str:
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


def _written(metrics: Metrics) -> str:
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


def _negatives(metrics: Metrics) -> str:
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


def _types(metrics: Metrics) -> str:
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
        [mode, percent(own["opening"]), percent(own["closing"]), own["drift_f1"]]
        for mode in ("default", "accurate")
        for own in [metrics[mode]["edges"]]
    ]
    uses = [
        [use, percent(own), percent(metrics["accurate"]["uses"]["by_use"][use])]
        for use, own in metrics["default"]["uses"]["by_use"].items()
    ]
    right = percent(metrics["default"]["types"]["right_on_real_found"])
    return f"""
## Types, drift and uses

All six types over all conversations, including the gate: a conversation that the gate misses counts
as missed.

{table(header, rows)}

Share of right types among the real affective conversations that the gate finds: {right}; in the
accurate mode: {percent(metrics["accurate"]["types"]["right_on_real_found"])}.

![Confusions](docs/model/confusion.svg)

{table(["macro-F1 by language", "default", "accurate"], languages)}

Opening and closing type of affective conversations of more than three messages, and F1 of "opening
and closing differ":

{table(["mode", "opening right", "closing right", "drift F1"], edges)}

{table(["right use", "default", "accurate"], uses)}
"""


def _moods(metrics: Metrics) -> str:
    rows = []
    for key, name in (
        ("within_half_a_point", "within ±0.5"),
        ("within_of_those_with_a_mood", "within ±0.5, messages that are not neutral"),
        ("always_neutral_would_be_within", "within ±0.5 if it always said neutral"),
        ("exact", "exact step"),
        ("correlation", "correlation"),
        ("sign_of_change", "sign of the change, where not 0"),
    ):
        values = [metrics[mode]["moods"][key] for mode in ("default", "accurate")]
        rows.append([name, *(percent(v) if isinstance(v, Mapping) else v for v in values)])
    languages = ", ".join(
        f"{code} {100 * own['share']:.0f} %"
        for code, own in metrics["default"]["moods"]["by_language"].items()
    )
    return f"""
## Sentiment

Measured on {metrics["default"]["moods"]["messages"]:,} written human messages. The change of mood
is measured on conversations of six or more.

{table(["measure", "default", "accurate"], rows)}

Within ±0.5 by language, in the default mode: {languages}.
"""


def _pushback(metrics: Metrics) -> str:
    rows = [
        [name, own["replies"], own["f1"], percent(own["recall"]), percent(own["false_positives"])]
        for name, own in [
            *(
                (f"in conversations: {k}", v)
                for k, v in metrics["pushback"].items()
                if k != "reason_right"
            ),
            *metrics["replies"].items(),
            *((name, own["pushback"]) for name, own in metrics["scenes"].items()),
        ]
    ]
    real = percent(metrics["default"]["real"]["pushback_share"])
    return f"""
## Pushback

Single replies, by authors that the model was not trained on. The replies of the authors a01 to a03
and w05 were written to be hard. Each of the two XSTest models was held out.

{table(["group", "replies", "F1", "recall", "false positives"], rows)}

Share of right reasons (one of eight) among the replies that push back:
{percent(metrics["pushback"]["reason_right"])}. Of the real conversations, {real} have a reply that
counts as pushback; there are no labels to compare with.
"""


def _prevalence(metrics: Metrics) -> str:
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


def _corpus(metrics: Metrics) -> str:
    rows = [
        [
            code,
            own["authors"],
            own["conversations"],
            own["of_several_messages"],
            own["human_messages"],
        ]
        for code, own in metrics["corpus"].items()
    ]
    header = ["language", "authors", "conversations", "of several human messages"]
    header.append("human messages")
    agreement = metrics["agreement"]
    kappas = [[name, value] for name, value in agreement.items() if isinstance(value, float)]
    return f"""
## The corpus

`training/corpora` was written for this project, with all labels.

{table(header, rows)}

{agreement["conversations"]} conversations ({agreement["messages"]:,} human messages,
{agreement["replies"]:,} replies) were labelled a second time by readers who saw neither labels nor
notes. Cohen's κ:

{table(["label", "κ"], kappas)}

(The last line is a share, not κ.) Both labellings follow the same written definitions and come from
similar readers, so they agree more than strangers would.
"""


_METHOD: Final = """
## How it learns, and what was tried

1. The encoder's table is a ridge regression from hashed n-grams to the first 48 principal
   directions of a multilingual sentence encoder's vectors (Universal Sentence Encoder, Apache-2.0).
   It is fitted to messages, to scraped fragments of permissively licensed sets, and to 150,000
   single words. It uses no labels.
2. The networks have one hidden layer of 64 units over that vector. They are trained together with
   the pooling head on whole conversations, with noise on the vectors. The accurate mode has such a
   network over the sentence encoder's own vectors.
3. The models of different folds are brought to one level on unlabelled text. The gate is calibrated
   at a prior of 3 % (Platt; the calibration accounts for unlabelled affective conversations). Each
   language is shifted to English's level of written negatives. Thresholds are set on scores of
   unseen text.

What helped most, in order:

- more written conversations by more authors;
- single words, centred and shortened by their frequency: AUC of languages with little text rose
  from about 0.8 to above 0.9;
- noise on the vectors;
- a *small* weight for real unlabelled conversations: at three times the weight of written ones the
  gate learned "real = not affective", and AUC on real ones fell from 0.93 to 0.87.

What did not help, and was left out:

- linear heads on n-grams, taught by the sentence encoder's logits: AUC on real conversations was
  0.05 below the encoder's;
- word lists of 12,000 words per language beside the encoder's own vocabulary: the similarity of
  vectors of unseen languages was 0.647 and 0.649;
- teaching the default network the accurate one's scores of a hundred thousand texts: AUC on real
  ones was 0.929 and 0.932 within a fold, and the same on written ones;
- 130,000 more scraped fragments;
- 64 or 96 dimensions in place of 48: AUC was 0.003 better, but the model too slow.

The weights come from the written corpora, from the human turns of real conversations (unlabelled),
and from sets under permissive licences: GoEmotions, SMILE, EmoLLM, SAD, Synthetic-Persona-Chat,
ChatGPT-prompts-zh, OASST prompts, Arena-Hard, Self-Instruct, MedQuAD, GSM8K, GPTeacher,
Character-LLM and XSTest. Sets under a research or non-commercial licence were only used to measure.
"""


_LIMITS: Final = """
## Known limits

- It reads words, not situations. A riddle told in the first person can look like a confession, and
  a plain request for company can be missed.
- Sexual persona requests are under-represented: the corpus keeps romance tame.
- There are no real conversations in other languages than English to set thresholds with. Each of
  those languages has its level from written conversations alone.
- Rates that were measured on public chat logs are right for similar traffic. If yours differs (demo
  traffic, a niche product), measure rates on your own labelled sample and put them into
  `rates.json`.
- It does not see irony, or what only the assistant's turns reveal.
"""

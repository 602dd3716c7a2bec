"""Writes the model card, Markdown with pictures, from the metrics alone."""

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

Written by `make train` (`python -m training.evaluate`), which trains and then measures; every
figure below is measured by it. `make evaluate` measures the last training again.

The default classifier sums int8 vectors of hashed n-grams, brings the sum to one length, and puts
a small network over it ({metrics["bytes"] / 1e6:.1f} MB, NumPy only). A message becomes 19 small
numbers; a conversation is judged from the numbers of its messages. The accurate mode lets a
sentence encoder read again what a loose gate lets through.

It is meant for *aggregates*: shares over many conversations, corrected for its measured errors. It
is not fit to decide anything about one person, and it is no screening for crisis.

**Speed**: {speed["messages_per_second"]:,} messages a second of one core's time on the machine that
measured, in batches of 1,000 real messages of {speed["mean_characters"]} characters on average,
humans and assistants mixed.

**How it was measured**: authors and real conversations are split into three folds. Everything that
is fitted, the encoder's table included, was fitted without the fold that it is measured on, and
every threshold was set on the other folds. Near-duplicates (same opening) count once. No label of
a real conversation set a weight or a threshold. But the *method*, and what was asked of later
authors, was chosen while looking at errors on these same real conversations: expect new ones to
come out somewhat worse. Intervals are 95 % Wilson intervals.
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
        "sign of its change",
        "use right",
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

{count} conversations of public chat logs, mostly English, read by one annotator. Those labelled
`none` were read because something about them looked affective: they are harder than the rest. Few
are affective, so mind the intervals.

{table(["measure", "default", "accurate"], rows)}

![Said and seen probabilities](docs/model/calibration.svg)
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
## Written conversations, by author held out

Two thirds of those that are not affective are meant to be taken for it, so false positives here are
far above those of natural traffic.

{table(header, rows)}

![AUC by language](docs/model/languages.svg)

Language of single human messages told right (undetermined counts as wrong): {identified}.
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

Written ones by their use; tool sets by a model that saw none of the set; sets that are for
evaluation only (the first three of them support dialogues, where a high share is right; of CoCoNot
also the replies that count as pushback); and the simulator's single lines, by kind, which are never
trained on.

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

All six types over all conversations, gate included: a conversation that the gate misses is missed.

{table(header, rows)}

Right type of real affective conversations that the gate found: {right}; accurate:
{percent(metrics["accurate"]["types"]["right_on_real_found"])}.

![Confusions](docs/model/confusion.svg)

{table(["macro-F1 by language", "default", "accurate"], languages)}

Opening and closing type of affective conversations of more than three messages, and F1 of "opening
and closing differ":

{table(["mode", "opening right", "closing right", "drift F1"], edges)}

{table(["use told right", "default", "accurate"], uses)}
"""


def _moods(metrics: Metrics) -> str:
    rows = []
    for key, name in (
        ("within_half_a_point", "within ±0.5"),
        ("within_of_those_with_a_mood", "within ±0.5, of those not neutral"),
        ("always_neutral_would_be_within", "within ±0.5, had it always said neutral"),
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

Of {metrics["default"]["moods"]["messages"]:,} written human messages; the change over conversations
of six or more.

{table(["measure", "default", "accurate"], rows)}

Within ±0.5 by language, default: {languages}.
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

Single replies, by authors that were not trained on. Those of the authors a01 to a03 and w05 were
written to be hard; each of the two XSTest models was held out.

{table(["group", "replies", "F1", "recall", "false positives"], rows)}

Right reason, of all eight, where there is one: {percent(metrics["pushback"]["reason_right"])}. Of
real conversations {real} have a reply that counts as pushback; those have no labels to compare
with.
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

Known shares recovered, 200 times each: half of the conversations measure the classifier's rates, of
the other half 5,000 are drawn at the true share (Rogan and Gladen 1978; interval of Lang and
Reiczigel 2014). Those that are not affective are real; those that are, real or real and written
English ones.

{table(header, rows)}

The rates that ship for the share of affective conversations take the real ones as negatives. Their
positives are the real ones and, weighed down to the same number, the written English ones: recall
on the two is so different that neither alone would be honest.

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

Written for this project, with all labels: `training/corpora`.

{table(header, rows)}

{agreement["conversations"]} conversations ({agreement["messages"]:,} human messages,
{agreement["replies"]:,} replies) were labelled a second time by readers who saw neither labels nor
notes. Cohen's κ:

{table(["label", "κ"], kappas)}

(The last line is a share, not κ.) Both labellings follow the same written definitions and come of
similar readers, so they agree more than strangers would.
"""


_METHOD: Final = """
## How it learns, and what was tried

1. The encoder's table: ridge regression from hashed n-grams to the first 48 principal directions
   of a multilingual sentence encoder's vectors (Universal Sentence Encoder, Apache-2.0), over
   messages, scraped fragments of permissive sets, and 150,000 single words. No labels.
2. The networks: one hidden layer of 64 units over that vector, trained with the pooling head on
   whole conversations, with noise on the vectors. The accurate mode has such a network over the
   sentence encoder's own vectors.
3. Models of different folds brought to one level on unlabelled text; gate calibrated (Platt, with
   unlabelled affective ones reckoned in) at a prior of 3 %; each language shifted to English's
   level of written negatives; thresholds set on scores of unseen text.

What helped most, in order: more written conversations by more authors; fitting single words centred
and shortened by their frequency (AUC of languages with little text from about 0.8 to above 0.9);
noise on the vectors; a *small* weight for real unlabelled conversations (at three times the weight
of written ones the gate learned "real = not affective": AUC on real ones from 0.93 down to 0.87).

Tried and left out, as it did not help: linear heads on n-grams taught by the sentence encoder's
logits (AUC on real conversations 0.05 below the encoder's); word lists of 12,000 words a language
beside the encoder's own vocabulary (similarity of unseen-language vectors 0.647 and 0.649);
teaching the default network the accurate one's scores of a hundred thousand texts (AUC on real
ones 0.929 and 0.932 within a fold, on written ones the same); 130,000 more scraped fragments; 64
or 96 dimensions for 48 (AUC 0.003 better, and too slow).

Weights come of: the written corpora; the human turns of real conversations (unlabelled);
GoEmotions, SMILE, EmoLLM, SAD, Synthetic-Persona-Chat, ChatGPT-prompts-zh, OASST prompts,
Arena-Hard, Self-Instruct, MedQuAD, GSM8K, GPTeacher, Character-LLM and XSTest, all under
permissive licences. Sets under a research or non-commercial licence were only measured on.
"""


_LIMITS: Final = """
## Known limits

- It reads words, not situations: a riddle told in the first person can pass for a confidence, and a
  flat request for company can be missed.
- Sexual persona requests are under-represented: the corpus keeps romance tame.
- Outside English there are no real conversations to set thresholds by. Each language's level is set
  by written conversations alone.
- Rates measured on public chat logs hold for traffic like it. Where yours differs (demo traffic, a
  niche product), measure rates on a labelled sample of your own and put them into `rates.json`.
- Irony, and what only the assistant's turns reveal, are not seen.
"""

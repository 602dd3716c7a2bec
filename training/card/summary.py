"""Writes the head of the card and the comparison of the two modes."""

from __future__ import annotations

from training.card.markdown import Metrics, percent, table


def describe_model(metrics: Metrics) -> str:
    """Says what the model is and how it was measured."""
    speed = metrics["speed"]
    return f"""
# Model card: {metrics["version"]}

`make train` (`python -m training.evaluate`) trains the model, measures every figure below, and
writes this card. `make evaluate` measures the last training again.

The default classifier sums int8 vectors of hashed n-grams, scales the sum to a fixed length, and
puts a small network over it ({metrics["bytes"] / 1e6:.1f} MB, NumPy only). It turns each message
into 19 small numbers, and judges a conversation from the numbers of its messages. In the accurate
mode, a sentence encoder reads every human message.

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


def compare_modes(metrics: Metrics) -> str:
    """Compares the two modes in one table."""
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

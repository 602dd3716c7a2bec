"""Writes the chapters on single messages: sentiment and pushback."""

from __future__ import annotations

from collections.abc import Mapping

from training.card.markdown import Metrics, percent, table


def describe_moods(metrics: Metrics) -> str:
    """Reports how well the sentiment of messages is recognised."""
    rows = []
    for key, name in (
        ("within_half_a_point", "within ±0.5"),
        ("within_of_those_with_a_mood", "within ±0.5, messages that are not neutral"),
        ("always_neutral_would_be_within", "within ±0.5 if it always said neutral"),
        ("correlation", "correlation"),
        ("correlation_of_change", "correlation of the change"),
        ("mean_change", "mean change"),
        ("mean_labelled_change", "mean labelled change"),
        ("sign_of_change", "sign of the change, where not 0"),
        ("always_up_would_be_right", "sign if it always said up"),
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
is measured on the {metrics["default"]["moods"]["changes"]} conversations of six or more.

{table(["measure", "default", "accurate"], rows)}

Within ±0.5 by language, in the default mode: {languages}.
"""


def describe_pushback(metrics: Metrics) -> str:
    """Reports how well pushback is recognised."""
    rows = [
        [name, own["replies"], own["f1"], percent(own["recall"]), percent(own["false_positives"])]
        for name, own in [
            *(
                (f"in conversations: {k}", v)
                for k, v in metrics["pushback"].items()
                if k not in ("reason_right", "conversations")
            ),
            *metrics["replies"].items(),
            *((name, own["pushback"]) for name, own in metrics["scenes"].items()),
        ]
    ]
    whole = [("written, unseen authors", metrics["pushback"]["conversations"], "", "")]
    whole += [
        (name, own, percent(own["read_share"]), percent(own["said_share"]))
        for name, own in metrics["real_pushback"].items()
    ]
    judged = [
        [name, own["replies"], own["f1"], percent(own["recall"]), read, said]
        for name, own, read, said in whole
    ]
    return f"""
## Pushback

Whole conversations. The real ones were read by two readers; no model learned from their replies.

{table(["group", "conversations", "F1", "recall", "readers found", "flagged"], judged)}

Single replies, by authors that the model was not trained on. The replies of the authors a01 to a03
and w05 were written to be hard. Each of the two XSTest models was held out.

{table(["group", "replies", "F1", "recall", "false positives"], rows)}

Share of right reasons (one of eight) among the replies that push back:
{percent(metrics["pushback"]["reason_right"])}.
"""

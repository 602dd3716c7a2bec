"""Writes the chapter on the corpus that was written for this project."""

from __future__ import annotations

from training.card.markdown import Metrics, table


def describe_corpus(metrics: Metrics) -> str:
    """Reports the size of the written corpus and the agreement of its labels."""
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

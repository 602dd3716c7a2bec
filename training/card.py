"""Writes the model card from the measured figures; no figure in it is typed by hand."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any


def write_card(metrics: dict[str, Any], path: Path) -> None:
    """Writes the card."""
    sections = (
        _head(metrics),
        _real(metrics["real"]),
        _sets(metrics["sets"]),
        _messages("Written messages, held out by fold", metrics["written"]),
        _messages("The simulator's lines, never trained on", metrics["scenes"]),
        _pushback(metrics),
        _limits(),
    )
    path.write_text("\n\n".join(sections) + "\n", encoding="utf-8")


def _head(metrics: dict[str, Any]) -> str:
    speed = metrics["speed"]
    return f"""# Model card: {metrics["version"]}

Written by `python -m training.evaluate`; every figure is measured by it.

A linear model over hashed n-grams with int8 weights ({metrics["bytes"] / 1e6:.1f} MB). It scores
a message into 19 small numbers and judges a conversation from the numbers of its messages. It is
meant for *aggregates*: shares and rates over many conversations, corrected for its measured errors.
It is not fit to decide anything about one person or one conversation, and it is no screening for
crisis.

**Learned from**: messages written for this project, with all their labels; scraped sets with a
permissive licence, of which only tool use gives the label "not affective" and GoEmotions a
sentiment; the human turns of real conversations as unlabelled negatives. A multilingual sentence
encoder (Universal Sentence Encoder, Apache-2.0) with logistic heads on these labels scored over a
hundred thousand fragments of those texts, and this model learned to agree with it. The encoder is
not shipped.

**What the figures rest on**: no label of a real conversation set a weight or a threshold. The
gate's threshold is a quantile of held-out scores over all real conversations, so the raw affective
share below is fixed by it and is no finding. The *method* was chosen while looking at these same
real conversations, so expect new ones to come out somewhat worse. Sets under a research or
non-commercial licence were only measured on.

**Speed**: {speed["messages_per_second"]:,} messages a second of one core's time on the machine that
measured, in batches of 1,000 real messages of {speed["mean_characters"]} characters on average,
humans and assistants mixed."""


def _share(found: dict[str, Any]) -> str:
    if not found.get("of"):
        return "–"
    share, low, high = (100 * found[name] for name in ("share", "low", "high"))
    return f"{share:.1f} % [{low:.1f}, {high:.1f}] ({found['hits']}/{found['of']})"


def _table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    header = list(header)
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _real(real: dict[str, Any]) -> str:
    rows = [
        ["raw affective share, all", _share(real["raw_affective_share"])],
        ["false positives on `none`", _share(real["false_positive_rate_on_none"])],
        ["share of those not read", _share(real["share_of_unread"])],
        ["recall on labelled affective", _share(real["recall_on_affective"])],
        *([f"– {name}", _share(found)] for name, found in real["recall_by_label"].items()),
        ["right type where found", _share(real["type_right_where_affective"])],
        ["roleplay share", _share(real["roleplay_share"])],
        ["pushback share (no labels exist)", _share(real["pushback_share"])],
        *([f"AUC, {name}", f"{value:.3f}"] for name, value in real["auc"].items()),
    ]
    sources = [
        [name, _share(found["raw_affective_share"]), _share(found["false_positive_rate_on_none"])]
        for name, found in real["by_source"].items()
    ]
    return f"""## Real conversations

Each judged by a model that did not see it. One annotator; few affective ones, so mind the 95 %
Wilson intervals. Conversations labelled `none` were read because something about them looked
affective: they are harder than the rest.

{_table(("measure", "value"), rows)}

{_table(("source", "raw affective share", "false positives on `none`"), sources)}"""


def _sets(sets: dict[str, Any]) -> str:
    return f"""## Sets for evaluation only: affective share

The first three are support dialogues (recall-like; two people talk, not a person and an assistant),
the last two are tool use (false positives).

{_table(("set", "affective"), ([name, _share(found)] for name, found in sets.items()))}"""


def _messages(title: str, groups: dict[str, Any]) -> str:
    header = ("group", "messages", "gate AUC", "right type", "right use", "sentiment error, r")
    rows = [
        [
            name,
            str(found["messages"]),
            f"{found['gate_auc']:.3f}" if "gate_auc" in found else "–",
            _share(found["type_right_among_affective"]),
            _share(found["use_right_among_tasks"]),
            f"{found['sentiment_error']:.2f}, {found['sentiment_correlation']:.2f}",
        ]
        for name, found in groups.items()
    ]
    return f"""## {title}

Single messages. Right type: the strongest of the five, among affective messages. Right use: among
the seven others. Sentiment error: mean absolute, on the scale from -1 to 1.

{_table(header, rows)}"""


def _pushback(metrics: dict[str, Any]) -> str:
    rows = [
        [
            name,
            f"{found['auc']:.3f}",
            _share(found["recall"]),
            _share(found["false_positive_rate"]),
            _share(found["reason_right"]),
        ]
        for name, found in metrics["pushback"].items()
        if "auc" in found
    ]
    rows += [
        [
            name,
            "–",
            _share(found["pushback_recall"]),
            _share(found["pushback_false_positive_rate"]),
            _share(found["pushback_reason_right"]),
        ]
        for name, found in metrics["scenes"].items()
    ]
    chosen = metrics["pushback"]["coconot_chosen"]["pushback_share"]
    rejected = metrics["pushback"]["coconot_rejected"]["pushback_share"]
    return f"""## Pushback

{_table(("set", "AUC", "recall", "false positives", "right reason"), rows)}

CoCoNot's contrast set has no labels of ours: of the preferred answers, which comply,
{_share(chosen)} count as pushback; of the rejected ones, which often refuse or correct,
{_share(rejected)}."""


def _limits() -> str:
    return """## Known limits

- It reads words, not situations. A riddle about a brother, or a novel's heroine in tears, can pass
  for a confidence; a flat "i want to be friends with you" can be missed.
- English and Chinese carry nearly all of the training text. Other languages are scored by what
  little they share with those, and are best reported by language.
- Irony, and what only the assistant's turns reveal, are not seen.
- The five affective types overlap in the definition, and more so here: read their shares with the
  confusion in mind. Uses other than affective are rough."""

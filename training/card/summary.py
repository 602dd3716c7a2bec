"""Writes the first page of the card."""

from __future__ import annotations

from training.card.markdown import Metrics, percent, table


def describe_model(metrics: Metrics) -> str:
    """Says what the model is good for, in five figures, and where it fails."""
    speed = metrics["speed"]
    modes = [metrics["default"], metrics["accurate"]]
    pushback = metrics["real_pushback"]["all"]
    rows = [
        [
            "affective conversations found at 1 % false alarms, public chat logs",
            *(percent(mode["real"]["recall_at_false_positives"]["1%"]) for mode in modes),
        ],
        [
            "the same on a platform that no weight or choice has seen",
            *(percent(mode["unseen"]["recall_at_false_positives"]["1%"]) for mode in modes),
        ],
        [
            "false alarms as decided, public chat logs",
            *(percent(mode["real"]["false_positives"]) for mode in modes),
        ],
        ["right use of eight, public chat logs", *(percent(m["uses"]["natural"]) for m in modes)],
        [
            "conversations flagged for pushback, where readers found "
            f"{percent(pushback['read_share'])}",
            percent(pushback["said_share"]),
            "the same",
        ],
    ]
    return f"""
# Model card: {metrics["version"]}

Undertone's classifier decides for each conversation whether it is affective, of which type, what
else it is for, how the mood moves, and whether the assistant pushes back. It works in ten
languages, best in English and Chinese.

**It is good for** seeing how shares change and where they differ, over many conversations, and for
finding where to look. **It is not fit** to state a share near 3 % on traffic that nobody has
checked, to decide anything about one person, or to screen for crises.

{table(["figure", "default", "accurate"], rows)}

Brackets hold 95 % intervals, parentheses the counts.

**The default mode** sums int8 vectors of hashed n-grams and puts a small network over them
({metrics["bytes"] / 1e6:.1f} MB, NumPy only). It scores {speed["messages_per_second"]:,} messages
per second of one core (batches of 1,000 real messages of {speed["mean_characters"]} characters on
average, humans and assistants mixed). **In the accurate mode** a sentence encoder
reads every human message, which takes about a hundred times as long. Local runs choose the accurate
mode if it reads the input within about a minute.

**Where it fails**:

- *Other traffic.* Its false alarms differ between platforms by a standard deviation of
  {100 * modes[0]["spread"]:.1f} points (default) and {100 * modes[1]["spread"]:.1f} points
  (accurate). So no correction of the affective share is shipped. Measure rates on a sample of your
  own.
- *Flat requests.* "How do I ask my landlord for two more weeks" is about the person's own life, and
  reads like a question of law.
- *Small talk and greetings.* "Hello, how are you, what did you do today" looks like companionship,
  and mostly tests the assistant.
- *First-person puzzles and persona prompts* look like confessions.
- *Career questions* are coaching if they are about the person, and information if they are not.
  Readers disagree on these most.
- *Pushback.* It looks for how refusals are worded. It flags many real replies that only hedge.
- *Drift.* Opening and closing types are each right about two times in three, so single drifts are
  often wrong.

`make train` (`python -m training.evaluate`) trains the model, measures every figure below, and
writes this card. `make evaluate` measures the last training again.
"""


def describe_measuring(metrics: Metrics) -> str:
    """Says how everything was measured, and what the readers' own agreement allows."""
    rows = [
        [
            name,
            own["read"],
            own.get("affective", own.get("pushback")),
            own.get("use", ""),
            *(own.get(kind, "") for kind in ("interpersonal_advice", "coaching", "counseling")),
        ]
        for name, own in metrics["readers"].items()
    ]
    header = ["set", "read", "affective (or pushback)", "use", "interpersonal advice"]
    header += ["coaching", "counseling"]
    return f"""
## How it was measured

Authors and real conversations are split into three folds. Everything that is fitted is fitted
without the fold that it is measured on, and every threshold is set on the other folds.
Near-duplicates (same first 80 characters) count once. Intervals are 95 % Wilson intervals.

`sharegpt` is a platform that no weight, threshold or choice of method has seen: it was only
measured. Of its 4,313 conversations 895 were read: 300 at random, the others because some
model or a cue word pointed to them. Those that nobody read count as not affective, so a few of its
false alarms may be right.

Two readers labelled each real conversation without seeing the other's labels, and a third decided
where they differed. Their agreement (Cohen's kappa) is the ceiling of every figure:

{table(header, rows)}

The methods were chosen on `real_dev`, on `hh_harmless` and on held-out authors, in about thirty
trials. So expect figures on these sets to be somewhat too good.
"""

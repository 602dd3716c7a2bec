"""Reads what the classifier learns from and is measured on.

Written messages carry every label. Scraped sets carry a trap: models trained on their labels learn
"conversational = affective" and each source's style. So of the scraped sets only tool use gives a
label, "not affective", at a small weight, and GoEmotions a sentiment; the rest of their text, and
the human turns of real conversations, are text to be scored by the teacher (`teacher.py`). Real
turns also count as *unlabelled* negatives at a small weight (about 2 % are affective).

Scraped text is read in fragments of sentence length: what the small model learns of a text is what
its words mean, and many short texts say more of that than a few long ones.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from schemas.labels import AFFECTIVE_TYPES

CORPORA: Final = Path(__file__).parent / "corpora"

FOLDS: Final = 5
SEED: Final = 20250627

WRITTEN: Final = 1.0
TOOL: Final = 0.1
UNLABELLED: Final = 0.1
FEELING: Final = 0.05
"""Weights of an example's labels by how far its source is trusted; written text is the measure."""

MAX_TURNS: Final = 4
"""Human turns taken of a real conversation: the first ones, where its subject stands."""

_LIMITS: Final = {
    "sad": 7000,
    "smile_zh": 16_000,
    "emollm_data_zh": 5000,
    "persona_chat": 16_000,
    "plexpt_zh": 5000,
    "oasst_prompts": 1000,
    "arena_hard": 4000,
    "selfinstruct_user": 1000,
    "medquad": 1500,
    "gsm8k": 1300,
    "gpteacher_code": 2000,
    "gpteacher_roleplay": 6000,
    "characterllm_en": 2500,
}
"""Fragments taken of each scraped set, so that none drowns the others."""

_TOOLS: Final = frozenset(
    {"medquad", "gsm8k", "gpteacher_code", "gpteacher_roleplay", "arena_hard", "selfinstruct_user"}
)
_FRAGMENT: Final = (25, 140)
_SMALL_FRAGMENT: Final = (12, 80)
_CUTS: Final = 3
"""Fragments cut of each written and each real message, beside the message itself."""


@dataclass(frozen=True)
class HumanExample:
    """Holds one human message or a fragment of one, with what is known of it.

    `group` names what must not be split between training and test; empty for scraped text. Only
    written messages have a `stage` and all labels; `weight` is that of "affective or not" and the
    types, 0 where nothing is known.
    """

    text: str
    source: str
    group: str = ""
    weight: float = 0.0
    affective: bool = False
    types: frozenset[str] = frozenset()
    use: str | None = None
    sentiment: float = 0.0
    sentiment_weight: float = 0.0
    stage: str = ""


@dataclass(frozen=True)
class AssistantExample:
    """Holds one assistant message and whether, and why, it pushes back."""

    text: str
    source: str
    group: str
    weight: float
    pushback: bool
    reason: str | None = None


@dataclass(frozen=True)
class Conversation:
    """Holds a conversation of a data set, its turns as (role, text)."""

    id: str
    source: str
    turns: tuple[tuple[str, str], ...]
    label: str | None = None
    human: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Collects the human turns once; every reader wants them."""
        human = tuple(text for role, text in self.turns if role == "human")
        object.__setattr__(self, "human", human)


def fold_of(group: str) -> int:
    """Puts a group into one of `FOLDS` folds, the same one in every run; no group into none."""
    if not group:
        return -1
    return hashlib.sha256(group.encode("utf-8", "surrogatepass")).digest()[0] % FOLDS


def read_lines(path: Path) -> Iterator[Any]:
    """Yields the objects of a JSON Lines file, gzipped or not."""
    stored = path.read_bytes()
    text = (gzip.decompress(stored) if path.suffix == ".gz" else stored).decode("utf-8")
    yield from map(json.loads, filter(None, text.split("\n")))


def read_conversations(path: Path) -> list[Conversation]:
    """Reads the conversations of a data set that have a human turn."""
    rows = (
        Conversation(
            id=row["id"],
            source=row["source"],
            turns=tuple((turn["role"], turn["text"]) for turn in row["turns"]),
            label=row.get("label"),
        )
        for row in read_lines(path)
    )
    return [row for row in rows if row.human]


def opening_of(conversation: Conversation) -> str:
    """Names a conversation by its opening, so that near-duplicates share a fold."""
    return " ".join(conversation.human[0].lower().split())[:80]


def written_humans() -> list[HumanExample]:
    """Reads the human messages written for this project."""
    return [
        HumanExample(
            text=row["text"],
            source=path.stem,
            group=row["id"],
            weight=WRITTEN,
            affective=row["use"] == "affective" or bool({*row["types"]} & {*AFFECTIVE_TYPES}),
            types=frozenset(row["types"]),
            use=row["use"],
            sentiment=float(row["sentiment"]),
            sentiment_weight=WRITTEN,
            stage=row["stage"],
        )
        for path in sorted(CORPORA.glob("messages_*.jsonl"))
        for row in read_lines(path)
    ]


def written_assistants() -> list[AssistantExample]:
    """Reads the assistant messages written for this project."""
    return [
        AssistantExample(
            row["text"], path.stem, row["id"], WRITTEN, bool(row["pushback"]), row["reason"]
        )
        for path in sorted(CORPORA.glob("assistant_*.jsonl"))
        for row in read_lines(path)
    ]


def real_humans(conversations: Iterable[Conversation]) -> list[HumanExample]:
    """Gives the human turns of real conversations, in order; their labels are not looked at."""
    return [
        HumanExample(text, "real", opening_of(conversation), UNLABELLED)
        for conversation in conversations
        for text in conversation.human[:MAX_TURNS]
    ]


def fragments_of(examples: Sequence[HumanExample]) -> list[HumanExample]:
    """Cuts unlabelled fragments of messages; each stays in its message's fold."""
    random = np.random.default_rng(SEED)
    return [
        HumanExample(_cut(example.text, _SMALL_FRAGMENT, random), example.source, example.group)
        for example in examples
        if len(example.text) > _SMALL_FRAGMENT[1] // 2
        for _ in range(_CUTS)
    ]


def scraped_humans(train: Path) -> list[HumanExample]:
    """Cuts fragments of the permissive sets; tool use is labelled as not affective."""
    random = np.random.default_rng(SEED)
    found = []
    for name, limit in _LIMITS.items():
        texts = [
            text
            for conversation in read_conversations(train / f"{name}.jsonl.gz")
            for role, text in conversation.turns
            if role == "human" or name == "persona_chat"
        ]
        weight = TOOL if name in _TOOLS else 0.0
        for place in random.permutation(limit):
            text = texts[int(place) % len(texts)] if place < 3 * len(texts) else ""
            found.append(HumanExample(_cut(text, _FRAGMENT, random), name, weight=weight))
    return [example for example in dict.fromkeys(found) if example.text.strip()]


def _cut(text: str, sizes: tuple[int, int], random: np.random.Generator) -> str:
    """Cuts a fragment, at the beginning of a text or of a word in it."""
    size = int(random.integers(*sizes))
    if len(text) <= size:
        return text
    if random.random() < 0.4:
        return text[:size]
    begin = int(random.integers(0, len(text) - size))
    space = text.find(" ", begin, begin + 15)
    begin = space + 1 if space >= 0 else begin
    return text[begin : begin + size]


_STEPS: Final = {
    -1.0: "anger disgust grief fear sadness",
    -0.5: "annoyance disappointment disapproval embarrassment nervousness remorse",
    0.0: "neutral confusion curiosity realization surprise",
    0.5: "admiration approval caring desire optimism relief amusement pride",
    1.0: "excitement gratitude joy love",
}
"""GoEmotions' 28 emotions on the five-step scale: our reading, hence the small weight."""


def feelings(train: Path) -> list[HumanExample]:
    """Reads GoEmotions, comments with their emotions, as sentiment."""
    names = gzip.decompress((train / "goemotions_labels.txt.gz").read_bytes()).decode().split()
    step_of = {name: step for step, listed in _STEPS.items() for name in listed.split()}
    rows = gzip.decompress((train / "goemotions_train.tsv.gz").read_bytes()).decode().splitlines()
    found = []
    for text, emotions, _ in csv.reader(rows, delimiter="\t", quoting=csv.QUOTE_NONE):
        steps = [step_of[names[int(index)]] for index in emotions.split(",")]
        mean = sum(steps) / len(steps)
        found.append(HumanExample(text, "goemotions", sentiment=mean, sentiment_weight=FEELING))
    return found


def refusals(train: Path) -> list[AssistantExample]:
    """Reads the XSTest completions; a full or partial refusal, by its annotators, is pushback."""
    found = []
    for name in ("xstest_gpt4", "xstest_mistralinstruct"):
        stored = gzip.decompress((train / f"{name}.csv.gz").read_bytes()).decode()
        for row in csv.DictReader(stored.splitlines(keepends=True)):
            pushback = row["final_label"] != "1_full_compliance"
            text, group = row["completion"], row["prompt"]
            found.append(AssistantExample(text, "xstest", group, REFUSAL, pushback))
    return found


REFUSAL: Final = 0.3
COMPLIANT: Final = 0.1
_COMPLIANT_LIMIT: Final = 400


def compliant_assistants(train: Path) -> list[AssistantExample]:
    """Reads first assistant turns of sets in which the assistant just helps."""
    names = (
        "gpteacher_code",
        "gpteacher_roleplay",
        "gsm8k",
        "selfinstruct_user",
        "characterllm_en",
        "smile_zh",
        "emollm_data_zh",
    )
    return [
        AssistantExample(text, name, "", COMPLIANT, pushback=False)
        for name in names
        for conversation in read_conversations(train / f"{name}.jsonl.gz")[:_COMPLIANT_LIMIT]
        for text in [text for role, text in conversation.turns if role == "assistant"][:1]
    ]

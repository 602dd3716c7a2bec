"""Reads the texts and labels that the classifier is trained and measured with.

Conversations and messages that were written for this project have all labels. The labels of scraped
conversations are a trap. Models trained on these labels learn "conversational = affective" and the
style of each source. So scraped conversations have only one label, "not affective". They have it
only if they use the assistant as a tool. All other scraped text, and the text of real
conversations, only teaches the encoder what words mean. Real conversations also count as
*unlabelled* negatives with a small weight, because about 2 % of them are affective.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from schemas.labels import AFFECTIVE_TYPES, NO_TYPE

CORPORA: Final = Path(__file__).parent / "corpora"
SEED: Final = 20250627

FOLDS: Final = 3
"""The number of folds. Each language has at least three authors, so no fold lacks a language."""

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
"""The encoder learns from at most this many fragments per scraped set, so none dominates."""

TOOLS: Final = (
    "medquad",
    "gsm8k",
    "gpteacher_code",
    "gpteacher_roleplay",
    "arena_hard",
    "selfinstruct_user",
)
_TOOL_LIMIT: Final = 400
_FRAGMENT: Final = (25, 140)
"""The length of a fragment. Sentences teach the meaning of words better than whole pages do."""


@dataclass(frozen=True)
class Labels:
    """Holds a conversation's labels; `sentiment` has an entry for each human message."""

    types: frozenset[str]
    use: str
    opening_type: str
    closing_type: str
    sentiment: tuple[float, ...]

    @property
    def affective(self) -> bool:
        """Whether one of the types is affective."""
        return bool(self.types & set(AFFECTIVE_TYPES))


@dataclass(frozen=True)
class Turn:
    """Holds one message. `pushback` is the reason; it is empty if none exists or is known."""

    human: bool
    text: str
    pushback: str = ""


@dataclass(frozen=True)
class Conversation:
    """Holds a conversation; `author` is empty if it is unknown.

    `label` is one annotator's reading of a real conversation. Training never looks at it.
    """

    id: str
    source: str
    turns: tuple[Turn, ...]
    author: str = ""
    language: str = ""
    labels: Labels | None = None
    label: str | None = None
    human: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Collects the human turns once, because every reader needs them."""
        object.__setattr__(self, "human", tuple(turn.text for turn in self.turns if turn.human))

    @property
    def is_real(self) -> bool:
        """Whether the conversation comes from real chat logs."""
        return self.source.startswith("real")


@dataclass(frozen=True)
class Reply:
    """Holds one assistant message; `reason` says why it pushes back, and is empty if it does not.

    The source is `written` for a turn of a written conversation, and `alone` for a single message
    that was written as a hard case. For all others it is the name of a scraped set.
    """

    text: str
    source: str
    author: str
    language: str
    weight: float
    pushback: bool
    reason: str = ""


def read_lines(path: Path) -> Iterator[Any]:
    """Yields the objects of a JSON Lines file, which may be gzipped."""
    stored = path.read_bytes()
    text = (gzip.decompress(stored) if path.suffix == ".gz" else stored).decode("utf-8")
    yield from map(json.loads, filter(None, text.split("\n")))


def read_conversations(path: Path) -> list[Conversation]:
    """Reads the conversations of a data set; skips conversations without a human turn."""
    rows = (
        Conversation(
            id=row["id"],
            source=row["source"],
            turns=tuple(
                Turn(turn["role"] == "human", turn["text"])
                for turn in row["turns"]
                if turn["role"] != "system"
            ),
            language=row.get("lang") or "",
            label=row.get("label"),
        )
        for row in read_lines(path)
    )
    return [row for row in rows if row.human]


def opening_of(conversation: Conversation) -> str:
    """Returns a conversation's normalised opening, which is equal for near-duplicates."""
    return " ".join(conversation.human[0].lower().split())[:80]


def drop_near_duplicates(conversations: Sequence[Conversation]) -> list[Conversation]:
    """Keeps one conversation for each opening, a labelled one if there is one."""
    kept: dict[str, Conversation] = {}
    for conversation in conversations:
        opening = opening_of(conversation)
        if opening not in kept or (kept[opening].label is None and conversation.label is not None):
            kept[opening] = conversation
    return list(kept.values())


def written_conversations() -> list[Conversation]:
    """Reads this project's own texts; a single message becomes a conversation of one message."""
    return [
        *(_read_written(row) for row in _corpus("conversations_*")),
        *(_read_message(row) for row in _corpus("messages_*")),
    ]


def _corpus(pattern: str) -> Iterator[Any]:
    for path in sorted(CORPORA.glob(f"{pattern}.jsonl")):
        yield from read_lines(path)


def _read_written(row: Mapping[str, Any]) -> Conversation:
    turns = [
        Turn(turn["role"] == "human", turn["text"], turn.get("pushback") or "")
        for turn in row["turns"]
    ]
    labels = Labels(
        frozenset(row["types"]),
        row["use"],
        row["opening_type"],
        row["closing_type"],
        tuple(turn["sentiment"] for turn in row["turns"] if turn["role"] == "human"),
    )
    return Conversation(row["id"], "written", tuple(turns), row["author"], row["lang"], labels)


def _read_message(row: Mapping[str, Any]) -> Conversation:
    kind = row["types"][0] if row["types"] else NO_TYPE
    types = frozenset(row["types"])
    labels = Labels(types, row["use"], kind, kind, (float(row["sentiment"]),))
    turns = (Turn(True, row["text"]),)
    return Conversation(row["id"], "message", turns, row["author"], row["lang"], labels)


def folds_of_authors(conversations: Iterable[Conversation]) -> dict[str, int]:
    """Assigns authors to folds in turn, separately for each language or set of languages.

    Each set of languages begins at a different fold. The authors of all sets got the same writing
    briefs in the same order. If all sets began at the same fold, a brief would always be in the
    same fold.
    """
    languages: dict[str, set[str]] = {}
    for row in conversations:
        languages.setdefault(row.author, set()).add(row.language)
    dealt: dict[tuple[str, ...], int] = {}
    folds = {}
    for author, spoken in sorted(languages.items()):
        group = tuple(sorted(spoken))
        folds[author] = dealt.setdefault(group, len(dealt)) % FOLDS
        dealt[group] += 1
    return folds


def fold_of_opening(conversation: Conversation) -> int:
    """Returns the fold of a real conversation; near-duplicates have the same fold."""
    opening = opening_of(conversation).encode("utf-8", "surrogatepass")
    return hashlib.sha256(opening).digest()[0] % FOLDS


def tool_conversations(train: Path) -> list[Conversation]:
    """Reads conversations in which the assistant is a tool; none of them is affective."""
    random = np.random.default_rng(SEED)
    found = []
    for name in TOOLS:
        rows = read_conversations(train / f"{name}.jsonl.gz")
        found += [rows[place] for place in random.permutation(len(rows))[:_TOOL_LIMIT].tolist()]
    return found


def scraped_texts(train: Path) -> dict[str, list[str]]:
    """Cuts fragments from data sets with permissive licences; returns the fragments by data set."""
    random = np.random.default_rng(SEED)
    found = {}
    for name, limit in _LIMITS.items():
        texts = [
            turn.text
            for row in read_conversations(train / f"{name}.jsonl.gz")
            for turn in row.turns
            if turn.human or name == "persona_chat"
        ]
        places = random.permutation(limit).tolist()
        cut = [
            _cut(texts[place % len(texts)], random) for place in places if place < 3 * len(texts)
        ]
        found[name] = [text for text in dict.fromkeys(cut) if text.strip()]
    return found


def _cut(text: str, random: np.random.Generator) -> str:
    """Cuts a fragment that begins at the start of the text or of a word."""
    size = int(random.integers(*_FRAGMENT))
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
"""GoEmotions' 28 emotions, and the step that we give to each of them on the five-step scale."""


def feelings(train: Path) -> list[tuple[str, float]]:
    """Reads GoEmotions: comments with their mean step."""
    names = gzip.decompress((train / "goemotions_labels.txt.gz").read_bytes()).decode().split()
    step_of = {name: step for step, listed in _STEPS.items() for name in listed.split()}
    rows = gzip.decompress((train / "goemotions_train.tsv.gz").read_bytes()).decode().splitlines()
    found = []
    for text, emotions, _ in csv.reader(rows, delimiter="\t", quoting=csv.QUOTE_NONE):
        steps = [step_of[names[int(index)]] for index in emotions.split(",")]
        found.append((text, sum(steps) / len(steps)))
    return found


WRITTEN: Final = 1.0
REFUSAL: Final = 0.3
COMPLIANT: Final = 0.1
"""The weights of replies, by how far we trust their source. Written replies weigh 1."""

_COMPLIANT_LIMIT: Final = 400
_COMPLIANT: Final = (
    "gpteacher_code",
    "gpteacher_roleplay",
    "gsm8k",
    "selfinstruct_user",
    "characterllm_en",
    "smile_zh",
    "emollm_data_zh",
)


def written_replies(conversations: Iterable[Conversation]) -> list[Reply]:
    """Reads the assistant messages written for this project, single or in conversations."""
    alone = [
        Reply(
            row["text"],
            "alone",
            row["author"],
            row["lang"],
            WRITTEN,
            bool(row["pushback"]),
            row["reason"] or "",
        )
        for row in _corpus("assistant_*")
    ]
    return alone + [
        Reply(
            turn.text,
            "written",
            row.author,
            row.language,
            WRITTEN,
            bool(turn.pushback),
            turn.pushback,
        )
        for row in conversations
        for turn in row.turns
        if not turn.human
    ]


def refusals(train: Path) -> list[Reply]:
    """Reads the XSTest completions; a full or partial refusal counts as pushback.

    XSTest's annotators say which completions are refusals. Two models wrote the completions, and
    each counts as an author.
    """
    found = []
    for name in ("xstest_gpt4", "xstest_mistralinstruct"):
        stored = gzip.decompress((train / f"{name}.csv.gz").read_bytes()).decode()
        for row in csv.DictReader(stored.splitlines(keepends=True)):
            pushback = row["final_label"] != "1_full_compliance"
            found.append(Reply(row["completion"], "xstest", name, "en", REFUSAL, pushback))
    return found


def compliant_replies(train: Path) -> list[Reply]:
    """Reads the first assistant turns from data sets in which the assistant simply helps."""
    return [
        Reply(text, name, "", row.language, COMPLIANT, pushback=False)
        for name in _COMPLIANT
        for row in read_conversations(train / f"{name}.jsonl.gz")[:_COMPLIANT_LIMIT]
        for text in [turn.text for turn in row.turns if not turn.human][:1]
    ]

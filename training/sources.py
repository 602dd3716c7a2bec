"""Reads the texts and labels that the classifier is trained and measured with.

There are three kinds of text:

- conversations and messages that were written for this project. They have all labels.
- real conversations. Readers labelled the use and the types of some of them (`training.labels`).
- scraped sets. Their own labels are a trap: a model learns "conversational = affective" and the
  style of each source. So a scraped conversation has only one label, "not affective", and only if
  it uses the assistant as a tool. All other scraped text only teaches the encoder what words mean.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from schemas.labels import AFFECTIVE_TYPES, NO_TYPE
from training.lines import read_lines
from training.real_labels import key_of, read_labels, read_pushback

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

_MORE: Final = {
    "real/dev": 12_000,
    "real/wildchat_first": 30_000,
    "real/wildchat_ru": 10_000,
    "train/hh_harmless": 15_000,
    "train/smile_zh": 14_000,
    "train/emollm_data_zh": 6000,
    "train/persona_chat": 9000,
    "train/oasst_prompts": 1000,
    "train/gpteacher_roleplay": 3000,
}
"""The number of fragments that are drawn from long turns, by set."""

_BOTH_ROLES: Final = ("train/persona_chat", "train/hh_harmless")
"""Sets whose assistant turns read like human ones, and may train weights."""

TOOLS: Final = (
    "medquad",
    "gsm8k",
    "gpteacher_code",
    "gpteacher_roleplay",
    "arena_hard",
    "selfinstruct_user",
)
_TOOL_LIMIT: Final = 400
_LONG: Final = 1500
_WHOLE: Final = 120
"""A real turn of at most this many characters is learned whole, so no fragment is cut from it."""

_SHORTEST: Final = 25
"""The length of a fragment. Sentences teach the meaning of words better than whole pages do."""


REAL_SETS: Final = {
    "real_dev": "real/dev",
    "hh_harmless": "train/hh_harmless",
    "wildchat_first": "real/wildchat_first",
    "wildchat_ru": "real/wildchat_ru",
    "oasst_prompts": "train/oasst_prompts",
}
"""The sets of real conversations that may train weights, with their files in the data folder."""

EVALUATION_SETS: Final = {"sharegpt": "real/sharegpt"}
"""The sets of real conversations that are never used to fit or to choose a method."""


@dataclass(frozen=True)
class Labels:
    """Holds a conversation's labels.

    Readers of real conversations label the use and the types only. The other labels are then empty.
    `sentiment` has an entry for each human message. `unsure` says whether a reader was unsure.
    """

    types: frozenset[str]
    use: str
    opening_type: str = ""
    closing_type: str = ""
    sentiment: tuple[float, ...] = ()
    unsure: bool = False

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

    `dataset` is one of `REAL_SETS` or `EVALUATION_SETS`, or empty if the conversation is not real.
    `probability` is that of reading a real conversation that was drawn at random, or 1 if the whole
    set was read, or 0 if the conversation was read for another reason or not at all.
    """

    id: str
    source: str
    turns: tuple[Turn, ...]
    author: str = ""
    language: str = ""
    labels: Labels | None = None
    dataset: str = ""
    probability: float = 0.0
    human: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Collects the human turns once, because every reader needs them."""
        object.__setattr__(self, "human", tuple(turn.text for turn in self.turns if turn.human))

    @property
    def is_real(self) -> bool:
        """Whether the conversation comes from real chat logs."""
        return bool(self.dataset)


@dataclass(frozen=True)
class Reply:
    """Holds one assistant message; `reason` says why it pushes back, and is empty if it does not.

    The source is `written` for a turn of a written conversation, and `alone` for a single message
    that was written as a hard case. For all others it is the name of a set. `conversation` is the
    id of the conversation, if there is one.
    """

    text: str
    source: str
    author: str
    language: str
    weight: float
    pushback: bool
    reason: str = ""
    conversation: str = ""


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
        )
        for row in read_lines(path)
    )
    return [row for row in rows if row.human]


def opening_of(conversation: Conversation) -> str:
    """Returns a conversation's normalised opening, which is equal for near-duplicates."""
    return " ".join(" ".join(conversation.human).lower().split())[:80]


def drop_near_duplicates(conversations: Sequence[Conversation]) -> list[Conversation]:
    """Keeps one conversation for each opening, a labelled one if there is one."""
    kept: dict[str, Conversation] = {}
    for conversation in conversations:
        opening = opening_of(conversation)
        if opening not in kept or (kept[opening].labels is None and conversation.labels):
            kept[opening] = conversation
    return list(kept.values())


def real_conversations(data: Path, sets: Mapping[str, str]) -> list[Conversation]:
    """Reads sets of real conversations with the readers' labels, without near-duplicates."""
    labels = {(row["set"], row["key"]): row for row in read_labels()}
    found = []
    for name, path in sets.items():
        for place, row in enumerate(read_conversations(data / f"{path}.jsonl.gz")):
            read = labels.get((name, key_of(row.human)))
            found.append(_label(replace(row, id=f"{name}-{place}", dataset=name), read))
    return drop_near_duplicates(found)


def _label(conversation: Conversation, row: Mapping[str, Any] | None) -> Conversation:
    if row is None:
        return conversation
    agreed = row["agreed"]
    unsure = row["first"]["unsure"] or row["second"]["unsure"]
    labels = Labels(frozenset(agreed["types"]), agreed["use"], unsure=unsure)
    probability = {"all": 1.0, "random": row.get("random_probability", 0.0)}.get(row["chosen"], 0.0)
    return replace(conversation, labels=labels, probability=probability)


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
            _cut(texts[place % len(texts)], random, 140, 0.4)
            for place in places
            if place < 3 * len(texts)
        ]
        found[name] = [text for text in dict.fromkeys(cut) if text.strip()]
    return found


def drawn_fragments(data: Path) -> list[tuple[str, int]]:
    """Draws fragments of turns, each with the fold of its conversation, or -1 if it has none.

    A turn is drawn as often as its length demands, but a very long turn is not drawn more often
    than one of `_LONG` characters.
    """
    random = np.random.default_rng(7)
    found: list[tuple[str, int]] = []
    for name, limit in _MORE.items():
        is_real = name in REAL_SETS.values() and name.startswith("real")
        turns = [
            (turn.text, fold_of_opening(row) if is_real else -1)
            for row in read_conversations(data / f"{name}.jsonl.gz")
            for turn in row.turns
            if turn.human or name in _BOTH_ROLES
        ]
        if is_real:
            turns = [(text, fold) for text, fold in turns if len(text) > _WHOLE]
        size = np.array([min(len(text), _LONG) for text, _ in turns], np.float64)
        cut: dict[str, int] = {}
        for place in random.choice(len(turns), limit, p=size / size.sum()).tolist():
            cut[_cut(turns[place][0], random, 180, 0.3)] = turns[place][1]
        found += [(text, fold) for text, fold in cut.items() if text.strip()]
    return found


def _cut(text: str, random: np.random.Generator, longest: int, at_start: float) -> str:
    """Cuts a fragment that begins at the start of the text, or else at the start of a word.

    `at_start` is the probability of the former.
    """
    size = int(random.integers(_SHORTEST, longest))
    if len(text) <= size:
        return text
    if random.random() < at_start:
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
READ: Final = 3.0
REFUSAL: Final = 0.5
COMPLIANT: Final = 0.5
"""The weights of replies, by how far we trust their source. `READ` is for those from real logs."""

REPLIES_READ: Final = "hh_harmless"
"""The only set of real conversations whose replies may train weights."""

_COMPLIANT_LIMIT: Final = 1500
_COMPLIANT: Final = (
    "gpteacher_code",
    "gpteacher_roleplay",
    "gsm8k",
    "selfinstruct_user",
    "characterllm_en",
    "smile_zh",
    "emollm_data_zh",
    "medquad",
)


def read_replies(data: Path) -> list[tuple[Reply, int]]:
    """Reads real replies on which both readers agree, each with the fold of its conversation."""
    labels: dict[str, list[Any]] = {}
    for row in read_pushback():
        if row["source"] == REPLIES_READ and bool(row["first"]) == bool(row["second"]):
            labels.setdefault(row["key"], []).append(row)
    return [
        (
            Reply(
                conversation.turns[row["reply"]].text,
                REPLIES_READ,
                "",
                "en",
                READ,
                bool(row["first"]),
                next((reason for reason in row["first"] if reason in row["second"]), ""),
            ),
            fold_of_opening(conversation),
        )
        for conversation in read_conversations(data / f"{REAL_SETS[REPLIES_READ]}.jsonl.gz")
        for row in labels.get(key_of(conversation.human), [])
    ]


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
            row.id,
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

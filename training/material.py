"""Gathers all training material, and deals it into folds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training import encoder, network
from training.sources import (
    FOLDS,
    TOOLS,
    Conversation,
    Reply,
    compliant_replies,
    drop_near_duplicates,
    feelings,
    fold_of_opening,
    folds_of_authors,
    read_conversations,
    refusals,
    scraped_texts,
    tool_conversations,
    written_conversations,
    written_replies,
)
from training.teacher import embed
from transforms.classifiers.accurate.classifier import whole_numbers

ALL: Final = -1
"""The number given to texts that are in no fold, and to the model that is trained on everything."""


@dataclass(frozen=True)
class Material:
    """Holds all training material, with its folds.

    Attributes:
        conversations: first the written conversations, then the real ones, then tool use.
        fold: int64, the fold of each conversation.
        lessons: the conversations as arrays.
        messages: the messages of the conversations, in the order of the lessons.
        precise: float32 (messages, 512), the messages' vectors from the sentence encoder, in whole
            numbers.
        more, more_precise: texts without labels, and their vectors from the sentence encoder.
        replies, reply_fold: assistant messages, and the fold of each.
        words: the texts and targets that the encoder's table is fitted to.
    """

    conversations: list[Conversation]
    fold: NDArray[np.int64]
    lessons: network.Lessons
    messages: list[str]
    precise: NDArray[np.float32]
    more: list[str]
    more_precise: NDArray[np.float32]
    replies: list[Reply]
    reply_fold: NDArray[np.int64]
    words: encoder.Lessons


def gather(data: Path, cache: Path) -> Material:
    """Reads and embeds all training material."""
    train = data / "train"
    written = written_conversations()
    real = [
        replace(row, id=f"real-{place}")
        for place, row in enumerate(
            drop_near_duplicates(read_conversations(data / "real" / "dev.jsonl.gz"))
        )
    ]
    tools = tool_conversations(train)
    conversations = [*written, *real, *tools]
    folds = folds_of_authors(written)
    fold = [folds[row.author] for row in written]
    fold += [fold_of_opening(row) for row in real]
    fold += [TOOLS.index(row.source) % FOLDS for row in tools]
    replies = [*written_replies(written), *refusals(train), *compliant_replies(train)]
    authors = sorted({reply.author for reply in replies} - folds.keys() - {""})
    folds |= {author: place % FOLDS for place, author in enumerate(authors)} | {"": ALL}
    reply_fold = [folds[reply.author] for reply in replies]
    spoken = [
        (text, own)
        for row, own in zip(conversations, fold, strict=True)
        if row.source not in TOOLS
        for text in row.human
    ]
    spoken += [
        (reply.text, own)
        for reply, own in zip(replies, reply_fold, strict=True)
        if reply.source in ("written", "alone")
    ]
    scraped = [*scraped_texts(train).values(), [text for text, _ in feelings(train)]]
    messages = [row.human[place] for row in conversations for place in network.messages_of(row)]
    return Material(
        conversations=conversations,
        fold=np.array(fold),
        lessons=network.lay_out(conversations),
        messages=messages,
        precise=whole_numbers(embed(messages, cache)),
        more=[text for texts in scraped for text in texts],
        more_precise=whole_numbers(np.concatenate([embed(texts, cache) for texts in scraped])),
        replies=replies,
        reply_fold=np.array(reply_fold),
        words=encoder.prepare(spoken, scraped, cache),
    )

"""Gathers all training material, and deals it into folds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training import encoder, network
from training.fit import Design, read_design
from training.sources import (
    FOLDS,
    REAL_SETS,
    TOOLS,
    Conversation,
    Reply,
    compliant_replies,
    drawn_fragments,
    feelings,
    fold_of_opening,
    folds_of_authors,
    read_replies,
    real_conversations,
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
        precise: float32 (messages, 512), the messages' vectors from the sentence encoder, in whole
            numbers, in the order of the lessons.
        means: float64 (conversations, 512), the mean unit vector of each conversation's messages.
        replies, reply_fold: assistant messages, and the fold of each.
        reply_design: the features of the replies.
        words: the texts that the encoder's table is fitted to.
    """

    conversations: list[Conversation]
    fold: NDArray[np.int64]
    lessons: network.Lessons
    precise: NDArray[np.float32]
    means: NDArray[np.float64]
    replies: list[Reply]
    reply_fold: NDArray[np.int64]
    reply_design: Design
    words: encoder.Lessons


def gather(data: Path, cache: Path) -> Material:
    """Reads and embeds all training material."""
    train = data / "train"
    written = written_conversations()
    real = real_conversations(data, REAL_SETS)
    tools = tool_conversations(train)
    conversations = [*written, *real, *tools]
    folds = folds_of_authors(written)
    fold = [folds[row.author] for row in written]
    fold += [fold_of_opening(row) for row in real]
    fold += [TOOLS.index(row.source) % FOLDS for row in tools]
    read = read_replies(data)
    replies = [*written_replies(written), *refusals(train), *compliant_replies(train)]
    authors = sorted({reply.author for reply in replies} - folds.keys() - {""})
    folds |= {author: place % FOLDS for place, author in enumerate(authors)} | {"": ALL}
    reply_fold = [*(folds[reply.author] for reply in replies), *(own for _, own in read)]
    replies += [reply for reply, _ in read]
    spoken = [
        (text, own)
        for row, own in zip(conversations, fold, strict=True)
        if row.source not in TOOLS
        for text in row.human
    ]
    scraped = [text for texts in scraped_texts(train).values() for text in texts]
    more = [*((text, ALL) for text in scraped), *((text, ALL) for text, _ in feelings(train))]
    messages = [row.human[place] for row in conversations for place in network.messages_of(row)]
    said = embed([text for row in conversations for text in row.human], cache)
    starts = np.cumsum([0, *(len(row.human) for row in conversations)])
    counts = np.diff(starts)[:, None]
    return Material(
        conversations=conversations,
        fold=np.array(fold),
        lessons=network.lay_out(conversations),
        precise=whole_numbers(embed(messages, cache)),
        means=np.add.reduceat(said.astype(np.float64), starts[:-1]) / counts,
        replies=replies,
        reply_fold=np.array(reply_fold),
        reply_design=read_design([reply.text for reply in replies]),
        words=encoder.prepare(spoken, [*more, *drawn_fragments(data)], cache),
    )

"""Classifies single conversations, to show the classifier's answer for each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from itertools import islice
from typing import Any, Final, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipelines.operations.prior import prior_shifts
from schemas.breakdowns import ATTRIBUTES
from schemas.failures import InputError
from schemas.labels import AFFECTIVE_TYPES, PUSHBACK_REASONS, TYPES, USES, type_name
from schemas.records import PseudonymousMessage
from transforms.classifiers import Classifier, probability
from transforms.classifiers.interface import LOGIT_UNIT, NO_LOGIT
from transforms.classifiers.scoring import score_messages
from transforms.conversation.state import ConversationState
from transforms.conversation.summary import LONG_OVER, judge, sentiment_ends

ItemT = TypeVar("ItemT")
_CONVERSATIONS_A_BATCH: Final = 512
IS_HUMAN: Final = {"human": True, "user": True, "assistant": False, "system": None}
"""The roles of turns; None marks those that are neither by a person nor by the assistant."""

_DIGITS: Final = 4


class _Turn(msgspec.Struct, frozen=True):
    role: str
    text: str = ""


class Conversation(msgspec.Struct, frozen=True):
    """One conversation to classify."""

    id: Any
    turns: list[_Turn]


_CALIBRATED: Final = prior_shifts(())
_decode = msgspec.json.Decoder(Conversation).decode


def read_conversations(lines: Iterable[bytes], source: str) -> Iterator[Conversation]:
    """Reads one conversation per line. Ignores blank lines and unknown keys.

    Raises:
      InputError: if a line is not a conversation; the message gives the number of the line.
    """
    for number, line in enumerate(lines, 1):
        if line.isspace():
            continue
        try:
            conversation = _decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise InputError(
                f'{source} line {number} is not a conversation; write {{"id": …, "turns": '
                '[{"role": "human", "text": …}, …]} on each line'
            ) from None
        if any(turn.role not in IS_HUMAN for turn in conversation.turns):
            raise InputError(
                f"{source} line {number} has a role other than {', '.join(IS_HUMAN)}; rename it"
            )
        yield conversation


def classify(
    conversations: Iterable[Conversation],
    classifier: Classifier,
    shifts: NDArray[np.float64] = _CALIBRATED,
) -> Iterator[dict[str, Any]]:
    """Yields the classifier's answer for each conversation, in order.

    `shifts` move the probabilities to a stated prior; see `prior_shifts`. The shifts change neither
    `labels` nor `alert`, which the classifier's thresholds decide.

    The types' probabilities are for the whole conversation. `labels` follow two further rules:
    roleplay needs at least four human messages, and affective types need an affective conversation.
    """
    for batch in batches(conversations, _CONVERSATIONS_A_BATCH):
        states = states_of(map(_messages_of, batch), classifier)
        summaries, judgements = judge(states, classifier)
        logits = (judgements.affective_logit + shifts[judgements.language]).tolist()
        for index, (conversation, state, summary) in enumerate(
            zip(batch, states, summaries, strict=True)
        ):
            start, end = sentiment_ends(state)
            peak = max(state.pushback)
            yield {
                "id": conversation.id,
                "affective": _share(logits[index]),
                "alert": bool(judgements.alert[index]),
                "types": _type_shares(judgements.type_logits[index].tolist(), logits[index]),
                "labels": [name for i, name in enumerate(TYPES) if summary.types >> i & 1],
                "use": USES[summary.use],
                "opening_type": type_name(summary.opening_type),
                "closing_type": type_name(summary.closing_type),
                "sentiment_start": start,
                "sentiment_end": end,
                "pushback": _share((peak + NO_LOGIT) * LOGIT_UNIT) if peak else 0.0,
                "pushback_reason": PUSHBACK_REASONS[state.pushback.index(peak)]
                if summary.pushback_reasons
                else None,
                "human_messages": summary.human_messages,
                "long": summary.human_messages > LONG_OVER,
            }


def states_of(
    conversations: Iterable[Sequence[tuple[bool, str]]], classifier: Classifier
) -> list[ConversationState]:
    """Scores conversations and returns their states.

    Args:
      conversations: the messages of each in the order of time: whether a person wrote it, and its
        text.
      classifier: scores the messages.
    """
    told = list(conversations)
    messages = [
        # These hashes are only compared with each other, so they need no secret.
        PseudonymousMessage(b"", _hash(at), "", is_human, text, at, _UNSTATED)
        for conversation in told
        for at, (is_human, text) in enumerate(conversation)
    ]
    scored = iter(score_messages(messages, classifier)) if messages else iter(())
    return [ConversationState.of(islice(scored, len(conversation))) for conversation in told]


def _messages_of(conversation: Conversation) -> list[tuple[bool, str]]:
    return [
        (bool(IS_HUMAN[turn.role]), turn.text)
        for turn in conversation.turns
        if IS_HUMAN[turn.role] is not None
    ]


def _hash(at: int) -> bytes:
    return blake2b(str(at).encode(), digest_size=8).digest()


_UNSTATED: Final = (None,) * len(ATTRIBUTES)


def _type_shares(logits: Sequence[float], affective_logit: float) -> dict[str, float]:
    """Returns the types' probabilities.

    The classifier's probabilities of affective types assume that the conversation is affective.
    """
    affective = probability(affective_logit)
    return {
        name: _share(logit, affective if name in AFFECTIVE_TYPES else 1)
        for name, logit in zip(TYPES, logits, strict=True)
    }


def _share(logit: float, condition: float = 1) -> float:
    return round(condition * probability(logit), _DIGITS)


def batches(items: Iterable[ItemT], size: int) -> Iterator[list[ItemT]]:
    """Divides items into lists of `size`; the last may be shorter."""
    remaining = iter(items)
    while batch := list(islice(remaining, size)):
        yield batch

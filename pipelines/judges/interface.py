"""The interface of judges: the text of a conversation in, labels or the reason for none out.

A judge sees text. So nothing here may be logged, put into an exception or written to a table except
labels and statuses.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol

import msgspec

from schemas.judged import JudgedLabels


class Turn(msgspec.Struct, frozen=True):
    """One message. Its `repr` leaves out the text, because errors and logs may show it."""

    is_human: bool
    text: str

    def __repr__(self) -> str:
        return f"Turn({'human' if self.is_human else 'assistant'}, {len(self.text)} characters)"


class Transcript(msgspec.Struct, frozen=True):
    """One conversation with its text, in the order of time. It is never written anywhere.

    Attributes:
      conversation, started_at_us: identify the conversation, as in `schemas.judged.SampleRow`.
      turns: all messages of people and of the assistant.
    """

    conversation: str
    started_at_us: int
    turns: tuple[Turn, ...]

    def __repr__(self) -> str:
        return f"Transcript({self.conversation}, {len(self.turns)} turns)"

    @property
    def human_messages(self) -> int:
        """Number of human messages."""
        return sum(turn.is_human for turn in self.turns)


class Verdict(NamedTuple):
    """A judge's answer about one conversation.

    Attributes:
      conversation, started_at_us: the conversation that was judged.
      human_messages: how many human messages the judge saw.
      status: one of `schemas.judged.STATUSES`.
      labels: valid labels if the status is `JUDGED`; otherwise None.
      cost: what the judgement cost.
    """

    conversation: str
    started_at_us: int
    human_messages: int
    status: str
    labels: JudgedLabels | None
    cost: float = 0.0


class Judge(Protocol):
    """Judges conversations.

    Attributes:
      name: short name for the tables, e.g. `llm`.
      version: version of the model and of the definitions that it was given.
    """

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    def judge(self, transcripts: Iterable[Transcript]) -> Iterator[Verdict]:
        """Yields one verdict for each conversation, in any order, each as soon as it is known.

        The caller saves each verdict before it asks for the next one, so that an interrupted job
        does not judge a conversation twice.

        Raises:
          InputError: if the judge can't go on, e.g. because the money is spent. What was yielded
            before stays valid.
        """
        ...

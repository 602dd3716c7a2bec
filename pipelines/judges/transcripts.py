"""Finds the sampled conversations in the archive, and puts their messages in order.

This is the only place outside `Decode` and the classifier that handles text. The text stays in the
memory of one process: it is never logged, written or put into an exception.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from functools import lru_cache
from typing import Final

import msgspec
from apache_beam.io.filesystem import FileMetadata

from pipelines.judges.interface import Transcript, Turn
from pipelines.settings import Settings
from pipelines.sources.chunks import Record
from pipelines.sources.files import records_in_order
from schemas.judged import SampleRow
from schemas.records import Message
from schemas.wire.event import conversation_id_of, read_event
from schemas.wire.validate import Limits
from transforms.conversation.pseudonyms import Pseudonyms
from transforms.conversation.spans import split
from transforms.counting.contribution import rank_of
from transforms.counting.days import DayRange
from transforms.judging.identity import sample_id
from transforms.judging.response import in_order

_US: Final = timedelta(microseconds=1)
_IDS_KNOWN: Final = 1 << 16
"""How many ids the reader remembers. To look one up costs 0.1 µs, to hash it costs 2 µs. The
messages of a conversation are close together in an archive."""

LIMITS: Final = Settings().limits
"""The limits of a valid event if counting has the default flags."""


class _Said(msgspec.Struct, frozen=True, gc=False):
    """One message of a sampled conversation. It has no `repr`, so no log can show its text."""

    sent_at_us: int
    is_human: bool
    event: bytes
    text: str

    def __repr__(self) -> str:
        return f"_Said({self.sent_at_us})"


def read_transcripts(
    inputs: Sequence[str],
    sample: Iterable[SampleRow],
    pseudonyms: Pseudonyms,
    session_gap: timedelta,
    *,
    limits: Limits = LIMITS,
    listed: Sequence[Sequence[FileMetadata]] | None = None,
    asked: DayRange | None = None,
) -> Iterator[Transcript]:
    """Reads an archive once, and yields the sampled conversations that it has, in their order.

    Guarantees: a transcript has exactly the messages that counting joins into the conversation, in
    the order of time. Each event is in it once; if copies of an event differ, the same copy counts
    as in `ConversationState`. Memory holds only the messages of sampled conversation ids. A
    conversation that the archive lacks has no transcript.

    Args:
      inputs: the patterns of the archive's files.
      sample: the conversations to find.
      pseudonyms: hashes ids, with the secret that the sample was counted with.
      session_gap: idle time after which a conversation id begins a new conversation.
      limits: which events counting takes as valid.
      listed: the files that each pattern matches, if they are known.
      asked: the days that were counted, if messages outside their margins do not count.

    Raises:
      InputError: if no file matches a pattern, or a file is damaged.
    """
    ordered = in_order(sample)
    if not ordered:
        return
    left = Counter(row.conversation for row in ordered)
    records = records_in_order(inputs, listed)
    found = _messages_of(records, _finder(frozenset(left), pseudonyms), pseudonyms, limits, asked)
    gap_us = session_gap // _US
    for row in ordered:
        conversation = row.conversation
        left[conversation] -= 1
        # Forget each conversation before the next one is judged.
        messages = (
            found.get(conversation, []) if left[conversation] else found.pop(conversation, [])
        )
        for span in split(messages, gap_us):
            if span[0].sent_at_us == row.started_at_us:
                yield Transcript(conversation, row.started_at_us, _turns(span))


def _messages_of(
    records: Iterable[Record],
    find: Callable[[str], str | None],
    pseudonyms: Pseudonyms,
    limits: Limits,
    asked: DayRange | None,
) -> dict[str, list[_Said]]:
    """Returns the valid messages of sampled conversation ids."""
    found: defaultdict[str, list[_Said]] = defaultdict(list)
    for encoding, row, _, published_at_us, received_at_us in records:
        conversation_id = conversation_id_of(encoding, row)
        conversation = find(conversation_id) if conversation_id else None
        if conversation is None:
            continue
        message = read_event(encoding, row, published_at_us, limits, received_at_us)
        if type(message) is Message and (
            asked is None or asked.is_said_in_time(message.sent_at_us)
        ):
            event = pseudonyms.event(message.event_id)
            found[conversation].append(
                _Said(message.sent_at_us, message.is_human, event, message.text)
            )
    return found


def _finder(wanted: frozenset[str], pseudonyms: Pseudonyms) -> Callable[[str], str | None]:
    """Returns a function that maps a conversation id to its name in the sample, or to None."""

    @lru_cache(maxsize=_IDS_KNOWN)
    def find(conversation_id: str) -> str | None:
        name = sample_id(rank_of(pseudonyms.conversation(conversation_id))).hex()
        return name if name in wanted else None

    return find


def _turns(span: Sequence[_Said]) -> tuple[Turn, ...]:
    """Returns the messages of a span, one for each event, in the order of time.

    The rules for copies are those of `ConversationState`: a human copy comes before one of the
    assistant's, and the earliest human copy counts. If human copies have equal times, counting
    takes the one with the smallest scores. There are no scores here, so the smallest text is taken.
    """
    events: dict[bytes, _Said] = {}
    for said in sorted(span, key=_copy_order):
        events.setdefault(said.event, said)
    ordered = sorted(events.values(), key=_time_order)
    return tuple(Turn(said.is_human, said.text) for said in ordered)


def _copy_order(said: _Said) -> tuple[bool, int, str]:
    return not said.is_human, said.sent_at_us, said.text


def _time_order(said: _Said) -> tuple[int, bool, bytes]:
    # At the same instant a person's message comes first, because the assistant replies to it.
    return said.sent_at_us, not said.is_human, said.event

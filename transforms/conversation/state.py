"""What is kept of a conversation: a bounded value that any two observers can join. No Beam here.

`ConversationState` is a join-semilattice: `+` is associative, commutative and idempotent, so an
event seen twice, a pane fired again, or two partials that overlap change nothing, and any order of
arrival gives the same value, to the byte of its encoding. Counts and the first and last three
messages are read off it at the end.

Up to `MAX_HUMAN` human messages the state holds every one of them (33 bytes each). Beyond, it
keeps the `MAX_HUMAN` of the smallest event hash, which is a uniform sample and again a join (a
bottom-k sketch, Cohen and Kaplan 2007), and the first and last three. What is then estimated: the
number of messages (relative standard error 1/sqrt(254) = 6.3 %) and whatever the classifier reads
off the middle of the conversation. Whether a conversation is long, its length bin up to 200, its
opening, closing and sentiment change, and its pushback stay exact. The same holds for the
`MAX_ASSISTANT` messages of the assistant, of which only the number is kept. A state never exceeds
`MAX_STATE_BYTES`.

Copies of one event may contradict each other, as when a sender stamps each retry with a new time.
They count as one message of the conversation, in any order. This is the contract of
`schemas/conversation_event.proto`, and each rule of it is a join:

- An event is a human message if any copy is. Then the assistant's copies count as no message, but
  their pushback stays in the maximum.
- Of the human copies the smallest record is read: the earliest, then the smallest scores.
- Of the user and of each attribute the earliest statement of any copy counts.
- The extent covers the time of every copy. So a copy with a new time may join two spans, and copies
  in two spans count in each. To undo this, a state would have to keep every message of a thread
  apart for ever, because spans could then split again.
- The first and last three human messages of a sampled conversation are records, not events, and are
  held apart where that differs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

import msgspec

from schemas.breakdowns import ATTRIBUTES
from schemas.records import ScoredMessage
from transforms.conversation.layout import STATED_IDS, check_layout

MAX_HUMAN: Final = 256
MAX_ASSISTANT: Final = 256
MAX_STATE_BYTES: Final = 16 * 1024
ENDS: Final = 3
"""Messages at either end that make up the opening and the closing of a conversation."""

_VERSION: Final = 2
_HASH: Final = slice(8, 16)
_SCORES: Final = slice(16, None)
_RECORD_BYTES: Final = 16 + 17
_HASH_BYTES: Final = 8
_REASONS: Final = 8
_NO_PUSHBACK: Final = bytes(_REASONS)
_HASH_SPACE: Final = 2**64

Records = frozenset[bytes]
"""Human messages: 8 bytes of time, 8 of event hash, 17 of scores; so they sort by time."""


class Statement(NamedTuple):
    """An attribute's value and the message that stated it: the earliest statement holds."""

    sent_at_us: int
    event: bytes
    value: str


@dataclass(frozen=True, slots=True)
class ConversationState:
    """All that is kept of one conversation. Build it with `of`, join with `+`, `ZERO` is neutral.

    Attributes:
      first_at_us, last_at_us: extent of every message seen, microseconds since the epoch.
      human: one record of each human message, or from `is_human_sampled` on of a sample of them.
      human_ends: those of the first and last three records that are not in `human`.
      assistant: event hashes of the assistant's messages, or a sample.
      stated: for the user and each of `ATTRIBUTES` the earliest statement, or None.
      pushback: for each reason the highest pushback logit, as logit + 128.
    """

    first_at_us: int
    last_at_us: int
    human: Records
    human_ends: Records
    is_human_sampled: bool
    assistant: frozenset[bytes]
    is_assistant_sampled: bool
    stated: tuple[Statement | None, ...]
    pushback: bytes

    @classmethod
    def of(cls, messages: Iterable[ScoredMessage]) -> ConversationState:
        """Returns the state that has seen just these messages of one conversation."""
        first, last = ZERO.first_at_us, ZERO.last_at_us
        human: list[bytes] = []
        assistant: list[bytes] = []
        pushback = bytearray(_NO_PUSHBACK)
        # The messages of a conversation mostly say the same of it; so first find when each says so.
        said: dict[tuple[str, tuple[str | None, ...]], tuple[int, bytes]] = {}
        for message in messages:
            at, event = message.sent_at_us, message.event
            first, last = min(first, at), max(last, at)
            if message.is_human:
                human.append(at.to_bytes(8, "big") + event + message.scores)
            else:
                assistant.append(event)
                logit, reason = message.scores
                pushback[reason] = max(pushback[reason], logit ^ 0x80)
            values = (message.user, message.attributes)
            since = said.get(values)
            if since is None or (at, event) < since:
                said[values] = (at, event)
        return _bounded(
            first, last, frozenset(human), frozenset(), False, frozenset(assistant), False,
            _stated(said), bytes(pushback),
        )  # fmt: skip

    def __add__(self, other: ConversationState) -> ConversationState:
        """Joins what two observers saw of the conversation."""
        return _bounded(
            min(self.first_at_us, other.first_at_us),
            max(self.last_at_us, other.last_at_us),
            self.human | other.human,
            self.human_ends | other.human_ends,
            self.is_human_sampled or other.is_human_sampled,
            self.assistant | other.assistant,
            self.is_assistant_sampled or other.is_assistant_sampled,
            tuple(map(_earlier, self.stated, other.stated)),
            self.pushback
            if self.pushback == other.pushback
            else bytes(map(max, self.pushback, other.pushback)),
        )

    def human_in_time_order(self) -> list[bytes]:
        """Returns the records of the human messages held, one an event, earliest first.

        Where two records of one event disagree the smaller one counts, which is the earlier one.
        """
        records = sorted(self.human | self.human_ends if self.is_human_sampled else self.human)
        seen: set[bytes] = set()
        distinct = []
        for record in records:
            event = record[_HASH]
            if event not in seen:
                seen.add(event)
                distinct.append(record)
        return distinct

    @property
    def human_messages(self) -> int:
        """Number of distinct human messages; once sampled an estimate above `MAX_HUMAN`."""
        return _count(self._human_events(), self.is_human_sampled)

    @property
    def assistant_messages(self) -> int:
        """Number of distinct assistant messages that no copy says to be human.

        Once sampled an estimate, which human ones with an assistant's copy are part of.
        """
        if self.is_assistant_sampled:
            return _count(self.assistant, is_sampled=True)
        return len(self.assistant - self._human_events())

    @property
    def held_messages(self) -> int:
        """Number of distinct messages that the state holds one by one."""
        return len(self.assistant | self._human_events())

    def _human_events(self) -> set[bytes]:
        return {record[_HASH] for record in self.human}

    @property
    def is_sampled(self) -> bool:
        """Whether some messages are only counted by estimate."""
        return self.is_human_sampled or self.is_assistant_sampled

    def encode(self) -> bytes:
        """Returns the canonical bytes: equal states give equal bytes."""
        return _encode(
            (
                _VERSION,
                self.first_at_us,
                self.last_at_us,
                b"".join(sorted(self.human)),
                b"".join(sorted(self.human_ends)),
                self.is_human_sampled,
                b"".join(sorted(self.assistant)),
                self.is_assistant_sampled,
                self.stated,
                self.pushback,
                STATED_IDS,
            )
        )

    @classmethod
    def decode(cls, encoded: bytes) -> ConversationState:
        """Reads what `encode` wrote.

        Raises:
          ValueError: another version, or one with other breakdowns, wrote the bytes.
        """
        wire = _decode(encoded)
        check_layout("conversation state", wire.version, _VERSION, wire.stated_ids)
        return cls(
            wire.first_at_us,
            wire.last_at_us,
            _split(wire.human, _RECORD_BYTES),
            _split(wire.human_ends, _RECORD_BYTES),
            wire.is_human_sampled,
            _split(wire.assistant, _HASH_BYTES),
            wire.is_assistant_sampled,
            tuple(Statement(*s) if s else None for s in wire.stated),
            wire.pushback,
        )


ZERO: Final = ConversationState(
    first_at_us=2**63 - 1,
    last_at_us=-(2**63),
    human=frozenset(),
    human_ends=frozenset(),
    is_human_sampled=False,
    assistant=frozenset(),
    is_assistant_sampled=False,
    stated=(None,) * (1 + len(ATTRIBUTES)),
    pushback=_NO_PUSHBACK,
)
"""The state that has seen nothing."""


def scores_of(record: bytes) -> bytes:
    """Returns the packed scores of a human message's record."""
    return record[_SCORES]


def _stated(
    said: Mapping[tuple[str, tuple[str | None, ...]], tuple[int, bytes]],
) -> tuple[Statement | None, ...]:
    """Returns the earliest statement of the user and of each attribute."""
    stated: list[Statement | None] = list(ZERO.stated)
    for (user, attributes), (at, event) in said.items():
        for index, value in enumerate((user, *attributes)):
            if value:
                stated[index] = _earlier(stated[index], Statement(at, event, value))
    return tuple(stated)


def _earlier(one: Statement | None, other: Statement | None) -> Statement | None:
    if one is None or other is None or one == other:
        return one or other
    return min(one, other)


def _bounded(
    first_at_us: int,
    last_at_us: int,
    human: Records,
    human_ends: Records,
    is_human_sampled: bool,
    assistant: frozenset[bytes],
    is_assistant_sampled: bool,
    stated: tuple[Statement | None, ...],
    pushback: bytes,
) -> ConversationState:
    """Builds a state of the union of what was seen, sampled down where it has grown too large."""
    events = {record[_HASH] for record in human}
    if is_human_sampled or human_ends or len(human) > min(MAX_HUMAN, len(events)):
        in_time = sorted(human | human_ends)
        earliest = {record[_HASH]: record for record in sorted(human, reverse=True)}
        is_human_sampled = is_human_sampled or len(earliest) > MAX_HUMAN
        human = frozenset(earliest[event] for event in sorted(earliest)[:MAX_HUMAN])
        human_ends = frozenset(in_time[:ENDS] + in_time[-ENDS:]) - human
    if is_assistant_sampled or len(assistant) > MAX_ASSISTANT:
        is_assistant_sampled = True
        assistant = frozenset(sorted(assistant)[:MAX_ASSISTANT])
    return ConversationState(
        first_at_us, last_at_us, human, human_ends, is_human_sampled,
        assistant, is_assistant_sampled, stated, pushback,
    )  # fmt: skip


def _count(hashes: Iterable[bytes], is_sampled: bool) -> int:
    """Counts distinct hashes, by the k-th smallest where they are a bottom-k sample."""
    distinct = set(hashes)
    if not is_sampled:
        return len(distinct)
    kth = int.from_bytes(max(distinct), "big")
    return max(len(distinct) + 1, (len(distinct) - 1) * _HASH_SPACE // max(kth, 1))


def _split(blob: bytes, size: int) -> frozenset[bytes]:
    return frozenset(blob[at : at + size] for at in range(0, len(blob), size))


class _Wire(msgspec.Struct, array_like=True):
    version: int
    first_at_us: int
    last_at_us: int
    human: bytes
    human_ends: bytes
    is_human_sampled: bool
    assistant: bytes
    is_assistant_sampled: bool
    stated: tuple[tuple[int, bytes, str] | None, ...]
    pushback: bytes
    stated_ids: tuple[int, ...] = ()


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Wire).decode

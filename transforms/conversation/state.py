"""The state of a conversation: a value of limited size that can be joined with other states.

`ConversationState` is a join-semilattice: `+` is associative, commutative and idempotent. So an
event that is seen twice, a pane that fires again or two partial states that overlap make no
difference. Any order of arrival gives the same value and the same bytes. The counts and the first
and last three messages are computed from the state at the end.

The state holds every human message, in 33 bytes each, if there are at most `MAX_HUMAN` of them. For
a longer conversation, the state keeps the `MAX_HUMAN` messages with the smallest event hashes, and
the first and last three messages. The smallest hashes are a uniform sample, and keeping them is
also a join (a bottom-k sketch, Cohen and Kaplan 2007).

For a longer conversation, two things are estimates: the number of messages (relative standard error
1/sqrt(254) = 6.3 %), and the classifier's judgement of the middle of the conversation. The
following stay exact: whether the conversation is long, its length bin up to 200, its opening, its
closing, its sentiment change and its pushback. For the assistant's messages only the number and the
pushback are kept; above `MAX_ASSISTANT` the number is an estimate too. A state never exceeds
`MAX_STATE_BYTES`.

Copies of one event may contradict each other, for example if a sender stamps each retry with a new
time. They count as one message of the conversation, in any order of arrival.
`schemas/conversation_event.proto` defines the rules, and each rule is a join:

- An event is a human message if any of its copies is a human message. The assistant's copies then
  do not count as messages, but their pushback still counts towards the maximum over the copies.
- If there are several human copies, the smallest record is used. This is the earliest record or, if
  several are equally early, the one with the smallest scores.
- For the user and for each attribute, the earliest value stated by any copy counts.
- The extent covers the times of all copies. So a copy with a new time may join two spans, and an
  event with copies in two spans counts in both. To prevent this, a state would have to keep every
  message of a conversation id forever, because spans could then split again.
- The first and last three human messages of a sampled conversation are found among all copies. So
  two copies of one event may take two of these places.

This module does not use Beam.
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
"""Number of messages in the opening of a conversation, and in its closing."""

_VERSION: Final = 3
_HASH: Final = slice(8, 16)
_SCORES: Final = slice(16, None)
_RECORD_BYTES: Final = 16 + 17
_HASH_BYTES: Final = 8
_REASONS: Final = 8
_NO_PUSHBACK: Final = bytes(_REASONS)
_HASH_SPACE: Final = 2**64

Records = frozenset[bytes]
"""A record is 33 bytes: 8 of time, 8 of event hash, 17 of scores. Records sort by time."""


class Statement(NamedTuple):
    """An attribute's value, and the message that stated it. The earliest statement counts."""

    sent_at_us: int
    event: bytes
    value: str


@dataclass(frozen=True, slots=True)
class ConversationState:
    """The state of one conversation. `of` builds one, `+` joins two, and `ZERO` is neutral.

    Attributes:
      first_at_us, last_at_us: times of the first and last message, microseconds since the epoch.
      human: one record for each human message, or for a sample of them if `is_human_sampled`.
      human_ends: the first and last three records, without the ones that are already in `human`.
      assistant: event hashes of the assistant's messages; a sample if `is_assistant_sampled`.
      stated: the earliest statement of the user and of each of `ATTRIBUTES`, or None.
      pushback: the highest pushback logit for each reason, stored as logit + 128; 0 means none.
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
        """Returns the state built from exactly these messages of one conversation."""
        first, last = ZERO.first_at_us, ZERO.last_at_us
        human: list[bytes] = []
        assistant: list[bytes] = []
        pushback = bytearray(_NO_PUSHBACK)
        # Most messages state the same values. So first find the earliest message of each set.
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
        """Joins two states of the same conversation."""
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
        """Returns the records of the human messages held, one for each event, earliest first.

        If two records of one event differ, the smaller one counts. A smaller record is never later.
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
        """Number of distinct human messages. If they are sampled, an estimate above `MAX_HUMAN`."""
        return _count(self._human_events(), self.is_human_sampled)

    @property
    def assistant_messages(self) -> int:
        """Number of distinct assistant messages, without events that also have a human copy.

        If the messages are sampled, the number is an estimate and includes events that also have a
        human copy.
        """
        if self.is_assistant_sampled:
            return _count(self.assistant, is_sampled=True)
        return len(self.assistant - self._human_events())

    @property
    def held_messages(self) -> int:
        """Exact number of distinct messages that the state holds."""
        return len(self.assistant | self._human_events())

    def _human_events(self) -> set[bytes]:
        return {record[_HASH] for record in self.human}

    @property
    def is_sampled(self) -> bool:
        """Whether the number of messages of a role is an estimate."""
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
          ValueError: if the bytes were written by a version with a different layout or different
            breakdowns.
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
"""The state before any message."""


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
    """Builds a state from everything seen, and samples the messages if there are too many."""
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
    """Counts distinct hashes; for a bottom-k sample, estimates the number from the k-th hash."""
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

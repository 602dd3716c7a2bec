"""Finds the events of one user, and all messages of that user's conversations, in archives."""

from __future__ import annotations

import enum
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final, NamedTuple

import msgspec
from google.protobuf.message import DecodeError

from pipelines.sources.chunks import Record
from pipelines.sources.files import ReadAvro, ReadJsonLines, literal_or_pattern, read_of
from pipelines.terminal.progress import say
from schemas.conversation_event_pb2 import ConversationEvent
from schemas.records import Encoding
from schemas.wire.event import bytes_of_row, instants_of
from transforms.conversation.pseudonyms import Pseudonyms, shown
from transforms.counting.contribution import rank_of
from transforms.counting.days import date_of
from transforms.judging.identity import sample_id

_ID_FIELDS: Final = ("user_id", "conversation_id", "event_id")
_FIELDS_OF_DATES: Final = re.compile("%[YmdH]")


class Owner(enum.Enum):
    """Whose record it is, seen from the user who is to be forgotten."""

    USER = enum.auto()
    """The user's own."""
    CONVERSATION = enum.auto()
    """By somebody else, e.g. the assistant, in one of the user's conversations."""
    OTHERS = enum.auto()
    """In other conversations."""


class Person(NamedTuple):
    """The user, and the ids of all conversations with one of the user's events."""

    user_id: str
    conversations: frozenset[str] = frozenset()

    def owner_of(self, record: Record) -> Owner:
        """Tells whose a record is.

        A record that can't be read counts as the user's if its bytes contain the id. They may
        contain a short id by chance. That is harmless: such a record was refused, so no figure
        depends on it.
        """
        ids = _ids_of(record)
        if ids is not None:
            if ids.user == self.user_id:
                return Owner.USER
            return Owner.CONVERSATION if ids.conversation in self.conversations else Owner.OTHERS
        payload = bytes_of_row(record.encoding, record.row)
        if _names(payload, self.user_id):
            return Owner.USER
        if any(_names(payload, each) for each in self.conversations):
            return Owner.CONVERSATION
        return Owner.OTHERS


@dataclass
class Found:
    """What a search found.

    Attributes:
      person: the user and the user's conversations.
      files: number of files that were searched.
      owners: for each file with records to remove, how many there are of each owner.
      days: number of records to remove by the UTC day on which they were sent; None if unknown.
      hashes: for each column of the table `dead_letters`, the values that refer to these records.
      sampled: the hashes by which the sample names the user's conversations.
    """

    person: Person
    files: int = 0
    owners: defaultdict[str, Counter[Owner]] = field(
        default_factory=lambda: defaultdict(Counter[Owner])
    )
    days: Counter[date | None] = field(default_factory=Counter)
    hashes: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    sampled: set[str] = field(default_factory=set)

    @property
    def removed(self) -> Counter[Owner]:
        """How many records are to be removed, by owner."""
        return sum(self.owners.values(), Counter[Owner]())


def search(user_id: str, patterns: Sequence[str], secrets: Sequence[Pseudonyms]) -> Found:
    """Searches archives for a user.

    Args:
      user_id: the id as the events state it.
      patterns: files of .avro, .jsonl or .jsonl.gz, with events or Pub/Sub messages. Fields such as
        %Y stand for any date.
      secrets: the secrets that the ids in dead letters and samples may be hashed with.

    Raises:
      InputError: if no file matches a pattern, or a file is damaged.
    """
    files = list(_files_of(patterns))
    say(f"searching {len(files):,} files twice …")
    found = Found(Person(user_id, _conversations(files, Person(user_id))), len(files))
    found.sampled = {
        sample_id(rank_of(secret.conversation(conversation))).hex()
        for secret in secrets
        for conversation in found.person.conversations
    }
    for read, path in files:
        for record in read.source.records(path):
            owner = found.person.owner_of(record)
            if owner is not Owner.OTHERS:
                found.owners[path][owner] += 1
                found.days[_day_of(record)] += 1
                _add_hashes(found.hashes, record, secrets)
    return found


def _conversations(
    files: Iterable[tuple[ReadAvro | ReadJsonLines, str]], person: Person
) -> frozenset[str]:
    own = (
        _ids_of(record)
        for read, path in files
        for record in read.source.records(path)
        if person.owner_of(record) is Owner.USER
    )
    return frozenset(ids.conversation for ids in own if ids is not None)


def _files_of(patterns: Sequence[str]) -> Iterator[tuple[ReadAvro | ReadJsonLines, str]]:
    seen: set[str] = set()
    for pattern in patterns:
        read = read_of(literal_or_pattern(_FIELDS_OF_DATES.sub("*", pattern)))
        for path in sorted(file.path for file in read.files):
            if path not in seen:
                seen.add(path)
                yield read, path


class _Ids(NamedTuple):
    user: str | None
    conversation: str
    event: str | None


def _ids_of(record: Record) -> _Ids | None:
    """Returns the ids that a record states; None if it states no conversation or can't be read."""
    fields = _fields_of(record)
    user, conversation = fields.get("user_id"), fields.get("conversation_id")
    if not isinstance(conversation, str) or not conversation or not isinstance(user, str | None):
        return None
    event = fields.get("event_id")
    return _Ids(user, conversation, event if isinstance(event, str) else None)


def _fields_of(record: Record) -> Mapping[str, Any]:
    if record.encoding == Encoding.AVRO:
        row: Mapping[str, Any] = record.row
        return row
    try:
        if record.encoding == Encoding.JSON:
            event = msgspec.json.decode(record.row)
            return event if isinstance(event, dict) else {}
        if record.encoding == Encoding.PROTOBUF:
            read = ConversationEvent.FromString(record.row)
            return {name: getattr(read, name) for name in _ID_FIELDS}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, DecodeError):
        pass
    return {}


def _names(payload: bytes, id_: str) -> bool:
    """Tells whether bytes contain an id, plain or escaped as in JSON."""
    plain = id_.encode("utf-8", "surrogatepass")
    return plain in payload or json.dumps(id_)[1:-1].encode() in payload


def _day_of(record: Record) -> date | None:
    sent_at_us, _ = instants_of(record.encoding, record.row)
    try:
        return None if sent_at_us is None else date_of(sent_at_us)
    except OverflowError:
        return None


def _add_hashes(
    hashes: Mapping[str, set[str]], record: Record, secrets: Iterable[Pseudonyms]
) -> None:
    ids = _ids_of(record)
    payload = bytes_of_row(record.encoding, record.row)
    for secret in secrets:
        hashes["payload_hash"].add(secret.payload(payload))
        if ids is not None:
            hashes["conversation"].add(shown(secret.conversation(ids.conversation)))
            if ids.event is not None:
                hashes["event"].add(secret.event(ids.event).hex())

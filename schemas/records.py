"""The frozen elements that flow between the steps, and the coders of those that cross a shuffle.

Structs are array-like: MessagePack writes their fields in order and without names, so a field may
be appended, never moved. Nothing here imports another module of the project.
"""

from __future__ import annotations

import enum
from typing import Any, Generic, TypeVar

import msgspec


class Encoding(enum.StrEnum):
    """How the bytes of a payload are to be read."""

    PROTOBUF = "protobuf"
    JSON = "json"
    AVRO = "avro"
    UNKNOWN = "unknown"


class PayloadChunk(msgspec.Struct, frozen=True):
    """Some records as one source handed them over, still on the wire.

    Attributes:
      encoding: how each of `rows` is encoded; AVRO rows are dicts as fastavro reads them, all
        others bytes.
      rows: the records.
      published_at_us: publish time of each row, or None where the row itself says it or nobody
        does.
      source: where they came from, for dead letters: a file's base name or a subscription.
      received_at_us: time at which a live source got each row, later than `published_at_us` where
        a row was published again; None for an archive.
    """

    encoding: Encoding
    rows: list[Any]
    published_at_us: list[int | None] | None
    source: str
    received_at_us: list[int | None] | None = None


class Message(msgspec.Struct, frozen=True, gc=False):
    """One valid message. Instants are microseconds since the epoch, UTC."""

    event_id: str
    conversation_id: str
    user_id: str | None
    is_human: bool
    text: str
    sent_at_us: int
    attributes: tuple[str | None, ...]
    """Values of `breakdowns.ATTRIBUTES`, in that order; None where the event does not say."""
    others: tuple[str, ...] = ()
    """Breakdown and why, e.g. `platform/invalid`, of each value that became `other`."""


class ScoredMessage(msgspec.Struct, frozen=True, gc=False):
    """One message after scoring: ids as hashes, no text.

    Attributes:
      conversation: 16-byte hash of the conversation id.
      event: 8-byte hash of the event id.
      user: hash of the user id, 16 hex digits, empty for none.
      scores: the packed row of the classifier, 17 bytes for a human message, 2 for an assistant's.
    """

    conversation: bytes
    event: bytes
    user: str
    is_human: bool
    sent_at_us: int
    attributes: tuple[str | None, ...]
    scores: bytes


class ConversationSummary(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What one conversation adds to the tables. A conversation's summary is revised as it grows.

    Attributes:
      started_at_us: time of the first message.
      user: hash of the user id, 16 hex digits, empty for none.
      breakdowns: values of `platform, country, language, plan, model`, `unknown` where unsaid.
      human_messages, assistant_messages: distinct messages; past 256 of a role an estimate.
      types: bit i is set where the conversation is of type i of `labels.TYPES`.
      use: index into `labels.USES`.
      opening_type, closing_type: index into `labels.TYPES`, -1 for none.
      sentiment_change_sixths: sum of the last three human messages' half-point steps less the sum
        of the first three's: the change in sixths of a point. None below six human messages.
      pushback_reasons: bit i is set where the assistant pushed back for reason i.
    """

    started_at_us: int
    user: str
    breakdowns: tuple[str, ...]
    human_messages: int
    assistant_messages: int
    types: int
    use: int
    opening_type: int
    closing_type: int
    sentiment_change_sixths: int | None
    pushback_reasons: int


class SignedSummary(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A summary that holds from now on (+1), or one that no longer does (-1)."""

    sign: int
    summary: ConversationSummary


class DeadLetter(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A record that is not counted, and why. It never holds text.

    Attributes:
      stage: step that refused it.
      reason: a `failures.Reason`.
      source: file base name or subscription.
      event_id, conversation_id: where they could be read and look like ids, else None.
      sent_at_us, published_at_us: where they could be read.
      size_bytes: of the payload, or of the text where the payload is no longer at hand.
      payload_sha256: hex digest that finds the payload again in the archive.
      row: a row of numbers that the table refused, as JSON, so that it can be written again; None
        for a record that came in.
    """

    stage: str
    reason: str
    source: str
    event_id: str | None
    conversation_id: str | None
    sent_at_us: int | None
    published_at_us: int | None
    size_bytes: int
    payload_sha256: str
    row: str | None = None


class DeadLetterRow(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A dead letter as it is written; the columns of `tables.DEAD_LETTERS` in order.

    A step gives a `DeadLetter`. The sink adds the last three fields.

    Attributes:
      run: of the ledger, microseconds since the epoch at its start.
      origin: of the run, `tables.STREAM` or `tables.BATCH`.
      ingested_at_us: when the run wrote the row.
    """

    stage: str
    reason: str
    source: str
    event_id: str | None
    conversation_id: str | None
    sent_at_us: int | None
    published_at_us: int | None
    size_bytes: int
    payload_sha256: str
    row: str | None
    run: int
    origin: str
    ingested_at_us: int

    @classmethod
    def of(cls, letter: DeadLetter, run: int, origin: str, ingested_at_us: int) -> DeadLetterRow:
        """Returns a dead letter as a run writes it."""
        fields = msgspec.structs.asdict(letter)
        return cls(**fields, run=run, origin=origin, ingested_at_us=ingested_at_us)


class LongConversation(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Says that a conversation has grown long; it says nothing of what was said.

    Attributes:
      conversation: hash of the conversation id, 32 hex digits.
      started_at_us, last_at_us: first and last message seen so far.
      human_messages: seen so far, more than 50.
    """

    conversation: str
    started_at_us: int
    last_at_us: int
    human_messages: int


class LedgerEntry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Some records met one fate: `account` is one of `transforms.balance.ACCOUNTS`.

    Entries are added up; a stream takes back with a negative one what turned out otherwise.
    """

    account: str
    reason: str
    records: int


class LedgerTotal(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """All entries of one account and reason so far; the columns of `tables.LEDGER` in order.

    Attributes:
      run: start of the run, microseconds since the epoch; a stream keeps it through restarts that
        keep its state.
      revision: time of the sum, microseconds since the epoch; of a run the largest holds.
      origin: of the run, `tables.STREAM` or `tables.BATCH`.
    """

    run: int
    account: str
    reason: str
    records: int
    revision: int
    origin: str = "stream"


class AggregateRow(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One released version of one cell; the columns of `tables.AGGREGATES` in order.

    `conversations` and `users` are None where the version withdraws a cell released before.
    """

    window_start_us: int
    granularity: str
    breakdown: str
    breakdown_value: str
    facet: str
    facet_value: str
    conversations: int | None
    users: int | None
    sentiment_change_sixths: int | None
    sentiment_change_squares: int | None
    revision: int
    snapshot: int
    min_users: int
    min_conversations: int
    metrics_version: str
    classifier_version: str
    origin: str = "stream"


class BackfilledDay(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a day of a backfill was counted from; the columns of `tables.BACKFILLS` in order.

    Attributes:
      run: start of the backfill, microseconds since the epoch; the snapshot of its rows.
      day_us: start of the day.
      files, size_bytes: what was read for the day.
      inputs_sha256: of the names, sizes and times of these files.
      settings: how it was counted, as JSON.
    """

    run: int
    day_us: int
    files: int
    size_bytes: int
    inputs_sha256: str
    settings: str


class ClassifierRate(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """How often one version of the classifier errs; the columns of `tables.CLASSIFIER_RATES`."""

    classifier_version: str
    language: str
    facet: str
    facet_value: str
    true_positives: int
    positives: int
    false_positives: int
    negatives: int
    revision: int


StructT = TypeVar("StructT", bound=msgspec.Struct)


class StructCodec(Generic[StructT]):
    """MessagePack bytes of one array-like struct type; equal values give equal bytes."""

    def __init__(self, type_: type[StructT]) -> None:
        self._type = type_
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(type_).decode

    def encode(self, value: StructT) -> bytes:
        """Encodes one struct."""
        return self._encode(value)

    def decode(self, encoded: bytes) -> StructT:
        """Decodes one struct."""
        return self._decode(encoded)

    def __reduce__(self) -> tuple[Any, ...]:
        return (StructCodec, (self._type,))

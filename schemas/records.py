"""The immutable records passed between steps, and the codec for those that are shuffled.

Stored records are array-like: MessagePack writes their fields in order and without names. So new
fields must be added at the end, and existing fields must keep their places. This module does not
import any other module of the project.
"""

from __future__ import annotations

import enum
from typing import Any, Generic, TypeVar

import msgspec


class Encoding(enum.StrEnum):
    """How a payload is encoded."""

    PROTOBUF = "protobuf"
    JSON = "json"
    AVRO = "avro"
    UNKNOWN = "unknown"


class PayloadChunk(msgspec.Struct, frozen=True):
    """A batch of records from one source, not yet decoded.

    Attributes:
      encoding: encoding of all rows. AVRO rows are dicts as read by fastavro; others are bytes.
      rows: the records.
      published_at_us: publish time of each row; None if the source does not provide publish times.
        A row may still contain its own publish time.
      source: base name of the file that was read, or the subscription. Dead letters repeat it.
      received_at_us: when each row was received by a live source; None for an archive. If a row was
        published again, this time is later than its publish time.
    """

    encoding: Encoding
    rows: list[Any]
    published_at_us: list[int | None] | None
    source: str
    received_at_us: list[int | None] | None = None


class Message(msgspec.Struct, frozen=True, gc=False):
    """One valid message as it was sent. Instants are microseconds since the epoch, UTC.

    Only the step that decodes it sees it. That step emits a `PseudonymousMessage`.
    """

    event_id: str
    conversation_id: str
    user_id: str | None
    is_human: bool
    text: str
    sent_at_us: int
    attributes: tuple[str | None, ...]
    """Values of `breakdowns.ATTRIBUTES`, in that order; None for each that is not stated."""
    others: tuple[str, ...] = ()
    """An entry such as `platform/invalid` for each value that was replaced by `other`."""


class PseudonymousMessage(msgspec.Struct, frozen=True, gc=False):
    """One valid message with keyed hashes in place of ids; see `Pseudonyms`.

    Attributes:
      conversation: hash of the conversation id, 24 bytes.
      event: hash of the event id, 8 bytes.
      user: hash of the user id, 16 hex digits; empty if the user is unknown.
      attributes: as in `Message`.
    """

    conversation: bytes
    event: bytes
    user: str
    is_human: bool
    text: str
    sent_at_us: int
    attributes: tuple[str | None, ...]


class ScoredMessage(msgspec.Struct, frozen=True, gc=False):
    """One scored message. It contains no text.

    Attributes:
      conversation, event, user: hashes, as in `PseudonymousMessage`.
      scores: the classifier's packed scores: 17 bytes for a human message, or 2 bytes for an
        assistant's message.
    """

    conversation: bytes
    event: bytes
    user: str
    is_human: bool
    sent_at_us: int
    attributes: tuple[str | None, ...]
    scores: bytes


class ConversationSummary(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The contribution of one conversation to the tables, revised as the conversation grows.

    Attributes:
      started_at_us: time of the first message.
      user: hash of the user id, 16 hex digits; empty if the user is unknown.
      breakdowns: values of `platform, country, language, plan, model`; a value that no event states
        is `unknown`.
      human_messages, assistant_messages: number of distinct messages; above 256, an estimate.
      types: bit i is set if the conversation is of type i of `labels.TYPES`.
      use: index into `labels.USES`.
      opening_type, closing_type: index into `labels.TYPES`, -1 for none.
      sentiment_change_300ths: mean sentiment of the last three human messages, minus the mean
        sentiment of the first three, in three-hundredths of a point. None if there are fewer than
        six human messages.
      pushback_reasons: bit i is set if the assistant pushed back for reason i.
      gate_logit: how affective the conversation is, in eighths of a logit, -128..127. It decides
        how likely the conversation is sampled for judging.
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
    sentiment_change_300ths: int | None
    pushback_reasons: int
    gate_logit: int


class SignedSummary(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A summary to be added to the totals (+1) or subtracted from them (-1)."""

    sign: int
    summary: ConversationSummary


class DeadLetter(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A record that was not counted, and the reason. It never contains the text of a message.

    Attributes:
      stage: name of the step that rejected the record.
      reason: a `failures.Reason`.
      source: base name of the file, or the subscription; for a rejected row, the table.
      event, conversation: keyed hashes of the ids, 16 and 32 hex digits; None unless the ids are
        readable and look like ids. An alert shows the same hash of a conversation.
      sent_at_us, published_at_us: None unless they are readable.
      size_bytes: size of the payload, rounded to two digits.
      payload_hash: keyed hash that identifies the payload in the archive, 32 hex digits.
      row: the row of numbers that was rejected by a table, as JSON, so that it can be written
        again; None for an input record.
    """

    stage: str
    reason: str
    source: str
    event: str | None
    conversation: str | None
    sent_at_us: int | None
    published_at_us: int | None
    size_bytes: int
    payload_hash: str
    row: str | None = None


class DeadLetterRow(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A row for a dead letter; its fields are the columns of `tables.DEAD_LETTERS`, in order.

    Steps emit a `DeadLetter`, and the sink adds the last three fields.

    Attributes:
      run: start of the run, microseconds since the epoch, as in the ledger.
      origin: whether the run was a stream or a batch: `tables.STREAM` or `tables.BATCH`.
      ingested_at_us: when the run wrote the row.
    """

    stage: str
    reason: str
    source: str
    event: str | None
    conversation: str | None
    sent_at_us: int | None
    published_at_us: int | None
    size_bytes: int
    payload_hash: str
    row: str | None
    run: int
    origin: str
    ingested_at_us: int

    @classmethod
    def of(cls, letter: DeadLetter, run: int, origin: str, ingested_at_us: int) -> DeadLetterRow:
        """Returns the row that a run writes for a dead letter."""
        fields = msgspec.structs.asdict(letter)
        return cls(**fields, run=run, origin=origin, ingested_at_us=ingested_at_us)


class LongConversation(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A conversation that has become long. The record contains no text of any message.

    Attributes:
      conversation: keyed hash of the conversation id, 32 hex digits.
      started_at_us, last_at_us: times of the first and last message so far.
      human_messages: number of human messages so far; always more than 50.
    """

    conversation: str
    started_at_us: int
    last_at_us: int
    human_messages: int


class LedgerEntry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A number of records that had the same outcome, which is one of `ledger.ACCOUNTS`.

    Entries are added up. A stream corrects an earlier entry with a negative one.
    """

    account: str
    reason: str
    records: int


class LedgerTotal(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The current sum of the ledger entries for one account and reason.

    Its fields are the columns of `tables.LEDGER`, in order.

    Attributes:
      run: start of the run, microseconds since the epoch. A stream that restarts with its state
        keeps its run.
      revision: when the sum was computed, microseconds since the epoch. The largest revision of a
        run is the current one.
      origin: whether the run was a stream or a batch: `tables.STREAM` or `tables.BATCH`.
    """

    run: int
    account: str
    reason: str
    records: int
    revision: int
    origin: str = "stream"


class BackfilledDay(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The input and settings with which a backfill counted one day.

    Its fields are the columns of `tables.BACKFILLS`, in order.

    Attributes:
      run: start of the backfill, microseconds since the epoch. This is also the `generation`
        of the counts that the backfill writes.
      day_us: start of the day.
      files, size_bytes: number and total size of the files read for the day.
      inputs_sha256: hash of the names, sizes and times of these files.
      settings: the settings with which the day was counted, as JSON.
    """

    run: int
    day_us: int
    files: int
    size_bytes: int
    inputs_sha256: str
    settings: str


StructT = TypeVar("StructT", bound=msgspec.Struct)


class StructCodec(Generic[StructT]):
    """Encodes one array-like struct type as MessagePack; equal values give equal bytes."""

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

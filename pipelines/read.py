"""Read: every source gives `PayloadChunk`s, some thousand records as one element.

A chunk as the element, and not a record, because scoring a batch of one costs fifteen times as much
a message as a batch of 32, and because every element pays the runner's toll.
"""

from __future__ import annotations

import codecs
import lzma
import os
import re
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import PurePath
from typing import Any, Final, NamedTuple

import apache_beam as beam
from apache_beam.io import filebasedsource, iobase
from apache_beam.io.concat_source import ConcatSource
from apache_beam.io.external.gcp import pubsub as java_pubsub
from apache_beam.io.filesystem import CompressedFile
from apache_beam.io.filesystems import FileSystems
from apache_beam.io.gcp.pubsub import PubsubMessage, parse_subscription
from apache_beam.io.range_trackers import OffsetRangeTracker
from apache_beam.metrics import Metrics
from cramjam import DecompressionError
from fastavro import block_reader
from fastavro.schema import SchemaParseException
from zstandard import ZstdError

from pipelines.terminal.progress import note_read
from schemas.breakdowns import ATTRIBUTES
from schemas.failures import InputError
from schemas.records import Encoding, PayloadChunk
from schemas.wire.event import encoding_of, instant_of

ROWS_A_CHUNK: Final = 2048
"""Enough to make the cost of a batch vanish, few enough to keep a chunk in some megabytes."""

BYTES_A_CHUNK: Final = 8_000_000

CONTENT_TYPE: Final = "content-type"
"""Pub/Sub attribute that says how a message is encoded."""

ORIGINAL_PUBLISH_TIME: Final = "original-publish-time"
"""Pub/Sub attribute of an event that is published again: when it was published first.

In microseconds since the epoch. It may only move the publish time back, so that a replayed event
is not late. A time after the message's own publish time is ignored and counted in `_AHEAD`.
Otherwise a sender could make an event of any future time look right.
"""

_AHEAD: Final = Metrics.counter("read", "original_publish_time_ahead")

_REQUIRED: Final = {
    "event_id": {"string", "null"},
    "conversation_id": {"string", "null"},
    "role": {"string", "null"},
    "text": {"string", "null"},
    "sent_at_us": {"long", "int", "null"},
}
_OPTIONAL: Final = {
    **{name: {"string", "null"} for name in ("user_id", *ATTRIBUTES)},
    "schema_version": {"int", "long"},
    "published_at_us": {"long", "int", "null"},
}
_ENVELOPE: Final = {
    "data": {"bytes"},
    "publish_time": {"long timestamp-micros"},
    "attributes": {"map of string", "map of null", "null", ""},
}
"""How a Pub/Sub subscription to Cloud Storage archives messages, with metadata, in Avro."""

_DAMAGE: Final = (
    EOFError,
    IndexError,
    MemoryError,  # A damaged length asks for petabytes.
    OSError,  # What bz2 raises.
    OverflowError,
    ValueError,
    DecompressionError,
    ZstdError,
    lzma.LZMAError,
    zlib.error,
)
"""What fastavro and the decompressors raise on bytes that are not what they should be."""

_NO_AVRO: Final = (
    *_DAMAGE,
    AttributeError,
    KeyError,
    RecursionError,  # A schema nested a thousand deep.
    TypeError,
    SchemaParseException,
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_US: Final = timedelta(microseconds=1)


class Record(NamedTuple):
    """One record of a file or a subscription.

    Attributes:
      encoding: how `row` is encoded.
      row: the event, as in `PayloadChunk`.
      attributes: of the Pub/Sub message that holds the event; None where nothing does.
      published_at_us: when that message was published first; None where nothing says it.
      received_at_us: when a live message was published last; None in a file.
    """

    encoding: Encoding
    row: Any
    attributes: Mapping[str, str] | None = None
    published_at_us: int | None = None
    received_at_us: int | None = None


class ReadAvro(beam.PTransform[Any, PayloadChunk]):
    """Reads Avro archives of events, or of Pub/Sub messages that hold events.

    Out: `PayloadChunk`, bounded, in the global window; a file is split at its blocks.
    Raises: `InputError` at construction where no file matches, and while it runs where a file is
    damaged or holds other records.
    """

    def __init__(self, pattern: str) -> None:
        super().__init__()
        self.files = _files_of(pattern)
        for file in self.files:
            # Beam skips a file of no bytes, but even an archive without events has a header.
            if not file.size_in_bytes:
                raise InputError(f"{file.path} is empty; restore it or take it out of the input")
        self.source = _AvroSource(pattern, validate=False)

    def expand(self, root: Any) -> beam.PCollection[PayloadChunk]:
        return root | "ReadAvroBlocks" >> beam.io.Read(self.source)


class ReadJsonLines(beam.PTransform[Any, PayloadChunk]):
    """Reads files of one JSON event a line, compressed or not.

    Out: `PayloadChunk`, bounded, in the global window; a file is read by one worker.
    Raises: `InputError` as `ReadAvro`.
    """

    def __init__(self, pattern: str) -> None:
        super().__init__()
        self.files = _files_of(pattern)
        self.source = _JsonLinesSource(pattern, splittable=False, validate=False)

    def expand(self, root: Any) -> beam.PCollection[PayloadChunk]:
        return root | "ReadLines" >> beam.io.Read(self.source)


class ReadFiles(beam.PTransform[Any, PayloadChunk]):
    """Reads any number of patterns of Avro or JSON Lines files, each told by its ending.

    Out: `PayloadChunk`, bounded, in the global window.
    Raises: `InputError` at construction where an ending is unknown or no file matches.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        super().__init__()
        reads = [_read_of(literal_or_pattern(pattern)) for pattern in patterns]
        self._source = ConcatSource([read.source for read in reads])

    def expand(self, root: Any) -> beam.PCollection[PayloadChunk]:
        # One step whatever the number of patterns: a month of hours would be a graph of hundreds.
        return root | "ReadInputs" >> beam.io.Read(self._source)


class ReadPubSub(beam.PTransform[Any, PayloadChunk]):
    """Reads a Pub/Sub subscription, message by message, and gathers what arrives together.

    Out: `PayloadChunk`, unbounded. Guarantees: none about order or repetition; events are
    de-duplicated by their own id later on.
    Metrics: `read/original_publish_time_ahead`, messages whose attribute `original-publish-time` is
    ignored because it is later than their publish time.
    Raises: `InputError` at construction for a name that is none.

    Args:
      subscription: projects/<project>/subscriptions/<name>.
      timestamp_attribute: of the messages, event time for the runner's watermark; None takes the
        publish time.
      expansion_service: host and port of a Java expansion service, for a runner that has no Pub/Sub
        source of its own for Python (Flink); None for Dataflow and the direct runner.
    """

    def __init__(
        self,
        subscription: str,
        timestamp_attribute: str | None = None,
        expansion_service: str | None = None,
    ) -> None:
        super().__init__()
        try:
            parse_subscription(subscription)
        except ValueError:
            raise InputError(
                f"{subscription!r} is no subscription; "
                "write projects/<project>/subscriptions/<name>"
            ) from None
        if expansion_service and timestamp_attribute:
            raise InputError(
                "timestamp_attribute can't be had through an expansion service, whose only sign of "
                "the publish time is the timestamp; leave it out"
            )
        self._subscription = subscription
        self._timestamp_attribute = timestamp_attribute
        self._expansion_service = expansion_service

    def expand(self, root: Any) -> beam.PCollection[PayloadChunk]:
        return (
            self._messages(root)
            # All that a bundle brings: the adaptive sizes of the default begin at one.
            | "GatherMessages"
            >> beam.BatchElements(min_batch_size=ROWS_A_CHUNK, max_batch_size=ROWS_A_CHUNK)
            | "ToChunks" >> beam.FlatMap(_chunks_of, self._subscription.rsplit("/", 1)[-1])
            .with_output_types(PayloadChunk)
        )  # fmt: skip

    def _messages(self, root: Any) -> beam.PCollection[PubsubMessage]:
        if self._expansion_service is None:
            return root | "ReadSubscription" >> beam.io.ReadFromPubSub(
                subscription=self._subscription,
                with_attributes=True,
                timestamp_attribute=self._timestamp_attribute,
            )
        return (
            root
            | "ReadSubscription"
            >> java_pubsub.ReadFromPubSub(
                subscription=self._subscription,
                with_attributes=True,
                expansion_service=self._expansion_service,
            )
            | "RestorePublishTimes" >> beam.Map(_with_publish_time)
            .with_output_types(PubsubMessage)
        )  # fmt: skip


def _with_publish_time(message: PubsubMessage, at: Any = beam.DoFn.TimestampParam) -> PubsubMessage:
    # Java's source hands the publish time over as the timestamp, and not in the message.
    at_us: int = at.micros
    return PubsubMessage(message.data, message.attributes, message.message_id, _EPOCH + at_us * _US)


def records_in_order(patterns: Sequence[str]) -> Iterator[Record]:
    """Yields the records of files as they stand in them, one by one and without a runner.

    Pattern after pattern, and of each the files by name.

    Raises:
      InputError: as `ReadFiles`, before the first record; or where a file is damaged.
    """
    for read in [_read_of(literal_or_pattern(pattern)) for pattern in patterns]:
        for path in sorted(file.path for file in read.files if file.size_in_bytes):
            yield from read.source.records(path)


def literal_or_pattern(pattern: str) -> str:
    """Returns a pattern that Beam's file systems match as the user means it.

    They find nothing where the pattern stands in the first part of a path, and take brackets in the
    name of a file for a pattern.
    """
    if "://" in pattern:
        return pattern
    if os.path.isfile(pattern):
        pattern = re.sub(r"([\[*?])", r"[\1]", pattern)
    return pattern if os.path.isabs(pattern) else os.path.join(os.curdir, pattern)


def size_of(patterns: Sequence[str]) -> int:
    """Returns how many bytes the files that match take together."""
    matches = FileSystems.match([literal_or_pattern(pattern) for pattern in patterns])
    return sum(file.size_in_bytes for match in matches for file in match.metadata_list)


def _read_of(pattern: str) -> ReadAvro | ReadJsonLines:
    endings: Mapping[str, type[ReadAvro | ReadJsonLines]] = {
        ".avro": ReadAvro,
        ".jsonl": ReadJsonLines,
        ".jsonl.gz": ReadJsonLines,
    }
    for ending, read in endings.items():
        if pattern.endswith(ending):
            return read(pattern)
    raise InputError(
        f"{pattern} ends in none of {', '.join(endings)}; "
        "write chats as events first with: undertone import"
    )


class _AvroSource(filebasedsource.FileBasedSource):
    """Reads whole blocks; split points are the sync markers, as in Beam's own Avro source."""

    def read_records(self, file_name: str, range_tracker: Any) -> Iterator[PayloadChunk]:
        name = PurePath(file_name).name
        with self.open_file(file_name) as file:
            for rows, is_envelope in _avro_rows(file, name, range_tracker):
                note_read(len(rows))
                if is_envelope:
                    yield from _gathered(map(_opened, rows), name, is_live=False)
                else:
                    yield PayloadChunk(Encoding.AVRO, rows, None, name)

    def records(self, path: str) -> Iterator[Record]:
        """Yields the records of one file."""
        whole = OffsetRangeTracker(0, OffsetRangeTracker.OFFSET_INFINITY)
        with self.open_file(path) as file:
            for rows, is_envelope in _avro_rows(file, PurePath(path).name, whole):
                for row in rows:
                    yield _opened(row) if is_envelope else Record(Encoding.AVRO, row)


class _JsonLinesSource(filebasedsource.FileBasedSource):
    def read_records(self, file_name: str, range_tracker: Any) -> Iterator[PayloadChunk]:
        name = PurePath(file_name).name
        if not range_tracker.try_claim(range_tracker.start_position() or 0):
            return
        rows: list[bytes] = []
        size_bytes = 0
        with self.open_file(file_name) as file:
            for line in _lines(file, name):
                rows.append(line)
                size_bytes += len(line)
                if len(rows) >= ROWS_A_CHUNK or size_bytes >= BYTES_A_CHUNK:
                    yield _json_chunk(rows, name)
                    rows, size_bytes = [], 0
        if rows:
            yield _json_chunk(rows, name)

    def records(self, path: str) -> Iterator[Record]:
        """Yields the records of one file."""
        with self.open_file(path) as file:
            for line in _lines(file, PurePath(path).name):
                yield Record(Encoding.JSON, line)


def _avro_rows(file: Any, name: str, range_tracker: Any) -> Iterator[tuple[list[Any], bool]]:
    """Yields a chunk's rows at a time, with whether they are Pub/Sub messages and no events."""
    is_envelope = None
    try:
        # Bytes that are no UTF-8 stay visible as lone surrogates; `Decode` refuses them one by one,
        # where an error here would lose the block.
        blocks = block_reader(file, handle_unicode_errors="surrogateescape")
        is_envelope = _is_envelope(blocks.writer_schema, name)
    except InputError:
        raise
    except _NO_AVRO:
        pass
    if is_envelope is None:
        # Raised out here without a cause: that one may hold what was said, as bytes.
        raise InputError(f"{name} is no Avro file; give an archive of events")
    start = range_tracker.start_position() or 0
    sync_marker = blocks._header["sync"]
    # A bundle that begins at the end of a marker owns the block behind it.
    position = _skip_past(file, sync_marker, max(0, start - len(sync_marker)))
    if position is None:
        return
    range_tracker.set_split_points_unclaimed_callback(
        lambda stop: 0 if position >= stop else iobase.RangeTracker.SPLIT_POINTS_UNKNOWN
    )
    rows: list[Any] = []
    size_bytes = 0
    while range_tracker.try_claim(position):
        try:
            block = next(blocks)
            rows.extend(block)
            if block.bytes_.read(1):
                raise ValueError("bytes are left behind the block's last record")
        except StopIteration:
            break
        except _DAMAGE:
            raise InputError(
                f"{name} is damaged or cut short in the block at byte {position}; "
                "restore the file or take it out of the input"
            ) from None
        position = block.offset + block.size
        size_bytes += block.bytes_.getbuffer().nbytes
        if len(rows) >= ROWS_A_CHUNK or size_bytes >= BYTES_A_CHUNK:
            yield rows, is_envelope
            rows, size_bytes = [], 0
    if rows:
        yield rows, is_envelope


def _json_chunk(rows: list[bytes], name: str) -> PayloadChunk:
    note_read(len(rows))
    return PayloadChunk(Encoding.JSON, rows, None, name)


def _lines(file: Any, name: str) -> Iterator[bytes]:
    """Yields the lines that are not blank."""
    try:
        # Windows puts a byte order mark before the first line; JSON knows none.
        line = file.readline().removeprefix(codecs.BOM_UTF8)
        while line:
            if not line.isspace():
                yield line
            line = file.readline()
        # Beam takes the end of the file for the end of the packed stream.
        if isinstance(file, CompressedFile) and not file._decompressor.eof:
            raise EOFError("the packed stream has no end")
    except _DAMAGE:
        raise InputError(
            f"{name} is damaged or cut short; restore the file or take it out of the input"
        ) from None


def _files_of(pattern: str) -> list[Any]:
    """Returns the metadata of the files that match; raises InputError where none does."""
    files: list[Any] = FileSystems.match([pattern])[0].metadata_list
    if not files:
        shown = pattern.removeprefix(os.path.join(os.curdir, ""))
        raise InputError(f"no file matches {shown}; check the path")
    return files


def _is_envelope(schema: Any, name: str) -> bool:
    """Tells Pub/Sub messages from events; raises InputError where it is neither."""
    if not isinstance(schema, dict):  # A union, or the name of a primitive type.
        schema = {}
    if _holds_itself(schema):
        raise InputError(
            f"{name} holds records of schema {schema.get('name', 'unnamed')!r} that may hold "
            "themselves; write the archive with schemas/conversation_event.avsc"
        )
    types = {f["name"]: _type_names(f["type"]) for f in schema.get("fields", ())}
    if all(types.get(field, {""}) <= allowed for field, allowed in _ENVELOPE.items()):
        return True
    wrong = [f for f, allowed in _REQUIRED.items() if not types.get(f, {""}) <= allowed]
    wrong += [f for f, allowed in _OPTIONAL.items() if not types.get(f, set()) <= allowed]
    if wrong:
        raise InputError(
            f"{name} holds records of schema {schema.get('name', 'unnamed')!r}, whose "
            f"{', '.join(wrong)} is missing or of another type; "
            "write the archive with schemas/conversation_event.avsc"
        )
    return False


def _type_names(type_: Any) -> set[str]:
    if isinstance(type_, list):
        return set().union(*(_type_names(t) for t in type_))
    if isinstance(type_, dict) and type_["type"] == "map":
        return {f"map of {each}" for each in _type_names(type_["values"])}
    if isinstance(type_, dict):
        # fastavro turns a value of a logical type into an object of its own.
        return {" ".join(str(type_[key]) for key in ("type", "logicalType") if key in type_)}
    return {str(type_)}


def _holds_itself(schema: Any) -> bool:
    """Tells whether a record is among its own parts: fastavro dies of rows nested too deeply."""
    parts: list[tuple[Any, frozenset[str]]] = [(schema, frozenset())]
    while parts:
        type_, around = parts.pop()
        if isinstance(type_, list):
            parts += [(each, around) for each in type_]
        elif not isinstance(type_, dict):
            if type_ in around:
                return True
        elif "fields" in type_:
            within = around | {type_["name"]}
            parts += [(field["type"], within) for field in type_["fields"]]
        else:
            parts += [(type_[key], around) for key in ("type", "items", "values") if key in type_]
    return False


def _skip_past(file: Any, marker: bytes, start: int) -> int | None:
    """Moves the file just past the first marker from `start` on; None where there is none."""
    file.seek(start)
    window = b""
    window_start = start
    while chunk := file.read(1 << 16):
        window += chunk
        found = window.find(marker)
        if found >= 0:
            position: int = window_start + found + len(marker)
            file.seek(position)
            return position
        keep = len(marker) - 1
        window_start += max(0, len(window) - keep)
        window = window[-keep:]
    return None


def _chunks_of(messages: Iterable[PubsubMessage], source: str) -> Iterator[PayloadChunk]:
    received = (
        _message(m.data, m.attributes, m.publish_time)._replace(
            received_at_us=_instant_us(m.publish_time)
        )
        for m in messages
    )
    return _gathered(received, source, is_live=True)


def _opened(row: Mapping[str, Any]) -> Record:
    return _message(row["data"], row.get("attributes"), row["publish_time"])


def _message(
    data: bytes, attributes: Mapping[str, str] | None, publish_time: datetime | None
) -> Record:
    attributes = attributes or {}
    original_us = instant_of(attributes.get(ORIGINAL_PUBLISH_TIME))
    published_at_us = _instant_us(publish_time)
    if published_at_us is None or (original_us is not None and original_us <= published_at_us):
        published_at_us = original_us
    elif original_us is not None:
        _AHEAD.inc()
    encoding = encoding_of(attributes.get(CONTENT_TYPE))
    return Record(encoding, data, attributes, published_at_us)


def _gathered(messages: Iterable[Record], source: str, *, is_live: bool) -> Iterator[PayloadChunk]:
    by_encoding: defaultdict[Encoding, list[Record]] = defaultdict(list)
    for message in messages:
        by_encoding[message.encoding].append(message)
    for encoding, group in by_encoding.items():
        published = [message.published_at_us for message in group]
        received = [message.received_at_us for message in group] if is_live else None
        yield PayloadChunk(
            encoding, [message.row for message in group], published, source, received
        )


def _instant_us(publish_time: datetime | None) -> int | None:
    return None if publish_time is None else (publish_time - _EPOCH) // _US

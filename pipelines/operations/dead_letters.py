"""Resends dead letters once their cause is fixed, so that their events are counted.

A dead letter holds a keyed hash of its payload, never the payload itself. So the payload is looked
up in an archive and published again. If a table refused a row, the dead letter holds that row.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Final

from pipelines.operations.dead_letter_list import reason_condition
from pipelines.operations.replay import (
    BYTES_A_MESSAGE,
    ENCODINGS,
    Outbox,
    check_topic,
    outgoing_of,
)
from pipelines.operations.status import Query
from pipelines.sinks.bigquery import Dataset, InsertClient, OutageError
from pipelines.sources.chunks import CONTENT_TYPE, ORIGINAL_PUBLISH_TIME, Record
from pipelines.sources.files import records_in_order
from pipelines.terminal.text import aligned
from schemas.failures import InputError, Reason
from schemas.records import Encoding
from schemas.tables import DEAD_LETTERS, RESTRICTED_TABLES
from schemas.wire.event import bytes_of_row, encoding_of, instant_of, read_event
from schemas.wire.validate import Limits, Rejection
from transforms.conversation.pseudonyms import Pseudonyms
from transforms.policies import Clock

_ROWS_A_REQUEST: Final = 500
"""The number of rows per request that BigQuery recommends: https://cloud.google.com/bigquery/quotas#streaming_inserts."""
_OUTAGE_S: Final = 60.0
_WIRE: Final = (Encoding.PROTOBUF, Encoding.JSON)
_WAITS_FOR_A_BACKFILL: Final = {
    Reason.LATE: "a late event stays late when it is published again, because only its first "
    "publish time matters; to count it, backfill its days with more lateness allowed: "
    "python -m pipelines.backfill --allowed_lateness=7d",
    Reason.PAST_LIFE: "the stream no longer changes the days of these events; count them with a "
    "backfill of those days: python -m pipelines.backfill",
}

_PAYLOADS: Final = """\
SELECT DISTINCT payload_hash FROM `{restricted}.dead_letters` WHERE {condition}
"""
_ROWS: Final = """\
SELECT DISTINCT source, `row` FROM `{restricted}.dead_letters`
WHERE {condition} AND `row` IS NOT NULL
ORDER BY source, `row`
"""


@dataclass
class RedriveResult:
    """The outcome of publishing the dead letters of one reason again.

    All numbers are numbers of distinct payloads.

    Attributes:
      wanted: number of payloads to publish again.
      found: how many of these payloads the archive contains.
      refused: how many of the found payloads would still be refused today, by reason.
      sent: how many payloads were published, or would be published if this were not a dry run. An
        event that was refused in both encodings counts as two payloads, but is published once.
    """

    wanted: int
    found: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    sent: int = 0

    def lines(self, reason: str, *, dry_run: bool) -> list[str]:
        """Returns the outcome as lines of plain text."""
        why = ", ".join(f"{name} {count:,}" for name, count in sorted(self.refused.items()))
        sent = "would be published" if dry_run else "published again"
        rows = [
            (f"payloads refused as {reason}", f"{self.wanted:,}"),
            ("  not in the archive", f"{self.wanted - self.found:,}"),
            ("  found", f"{self.found:,}"),
            ("    still refused", f"{self.refused.total():,}"),
            (f"    {sent}", f"{self.sent:,}"),
        ]
        lines = aligned(rows)
        lines[3] += f"  ({why})" if why else ""
        return lines


@dataclass
class ReinsertResult:
    """The outcome of inserting refused rows again.

    Attributes:
      wanted: number of distinct rows.
      inserted: how many rows the tables accepted this time; in a dry run, how many would be sent.
      refused: how many rows the tables refused again, by table and BigQuery's answer.
    """

    wanted: int
    inserted: int = 0
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)

    def lines(self, *, dry_run: bool) -> list[str]:
        """Returns the outcome as lines of plain text."""
        rows = [
            ("rows refused by a table", f"{self.wanted:,}"),
            (f"  {'would be inserted' if dry_run else 'inserted'}", f"{self.inserted:,}"),
            ("  refused again", f"{self.refused.total():,}"),
        ]
        rows += [
            (f"    {table}: {said}", f"{count:,}")
            for (table, said), count in sorted(self.refused.items())
        ]
        return aligned(rows)


def check_mendable(reason: str) -> None:
    """Raises InputError if publishing again does not help. The error says what to do instead."""
    if (said := _WAITS_FOR_A_BACKFILL.get(Reason(reason))) is not None:
        raise InputError(said)
    if reason == Reason.REFUSED_BY_TABLE:
        raise InputError(
            f"dead letters of reason {reason} hold rows of a table, so they can't be published; "
            f"insert the rows again with: undertone dead-letters redrive --reason {reason}"
        )


def redrive(
    query: Query,
    reason: str,
    patterns: Sequence[str],
    topic: str,
    limits: Limits,
    clock: Clock,
    pseudonyms: Pseudonyms,
    *,
    encoding: str = str(Encoding.PROTOBUF),
    dry_run: bool = False,
) -> RedriveResult:
    """Publishes the dead letters of one reason again, if they are valid today.

    A payload is identified by the keyed hash that the job computed. For an archived Pub/Sub
    message, the hash is that of the message's bytes. For a row of an event archive, the hash is
    that of the payload that was published, in either encoding, or that of the row that a backfill
    read. A message that is published again keeps its first publish time, which decides whether it
    is late.

    Guarantees: a payload is not published if the job would refuse it under these limits. A second
    redrive publishes the same messages and leads to the same tables, because the job counts each
    event id once. Dead letters stay in their table. The ledger counts a redriven message as read a
    second time, with its new outcome.

    Args:
      query: runs a query on the tables.
      reason: the reason of the dead letters.
      patterns: files of the archive, in any format that `undertone replay` accepts.
      topic: projects/<project>/topics/<name>.
      limits: the limits of a valid event in the job that reads the topic.
      clock: returns the current time in microseconds since the epoch.
      pseudonyms: hashes payloads with the secret of the job that refused them. With another secret
        no payload is found.
      encoding: encoding in which to publish a row that a backfill refused, since such a row was
        never encoded.
      dry_run: whether to count only, without publishing anything.

    Raises:
      InputError: if publishing again does not help for this reason, the archive can't be read, or
        the topic does not accept the messages.
    """
    check_mendable(reason)
    check_topic(topic)
    if encoding not in ENCODINGS[:2]:
        raise InputError(f"encoding must be one of {', '.join(ENCODINGS[:2])}, got {encoding}")
    payloads = query(_PAYLOADS.replace("{condition}", reason_condition(reason)))
    wanted = {row["payload_hash"] for row in payloads}
    done = RedriveResult(len(wanted))
    if not wanted:
        return done
    encodings = sorted(_WIRE, key=lambda each: each != encoding)
    matches = _matches(records_in_order(patterns), wanted, encodings, pseudonyms)
    if dry_run:
        _send(matches, wanted, limits, clock, done, lambda _: None)
        return done
    with closing(Outbox(topic)) as outbox:
        _send(matches, wanted, limits, clock, done, outbox.add)
        outbox.flush()
    return done


def reinsert(query: Query, dataset: Dataset, *, dry_run: bool = False) -> ReinsertResult:
    """Inserts again the rows that tables refused, once the tables are fixed.

    Guarantees: this function may run any number of times. Rows are versions, so the views count a
    repeated row once and show the newest version.

    Raises:
      InputError: if BigQuery can't be reached.
    """
    condition = reason_condition(Reason.REFUSED_BY_TABLE)
    by_table: dict[str, list[str]] = {}
    for row in query(_ROWS.replace("{condition}", condition)):
        by_table.setdefault(row["source"], []).append(row["row"])
    done = ReinsertResult(sum(map(len, by_table.values())))
    client = InsertClient(dataset, _OUTAGE_S)
    for table, rows in by_table.items():
        if table not in {known.name for known in RESTRICTED_TABLES if known is not DEAD_LETTERS}:
            done.refused[table, "accepts no rows"] += len(rows)
        elif dry_run:
            done.inserted += len(rows)
        else:
            _insert(client, f"{dataset.restricted}.{table}", rows, done)
    return done


def _matches(
    records: Iterable[Record],
    wanted: set[str],
    encodings: Sequence[Encoding],
    pseudonyms: Pseudonyms,
) -> Iterator[tuple[set[str], Any]]:
    """Yields each wanted record of an archive as its hashes and the message to publish."""
    for record in records:
        hashes = {pseudonyms.payload(bytes_of_row(record.encoding, record.row))}
        message = None
        if record.encoding == Encoding.AVRO:
            for encoding in encodings:
                candidate = outgoing_of(record, encoding).message
                hashed = pseudonyms.payload(candidate.data)
                hashes.add(hashed)
                # Use the encoding that was refused. If neither was, use the requested encoding.
                if message is None and hashed in wanted:
                    message = candidate
        elif record.attributes is None:  # A line of JSON is sent without its line end.
            hashes.add(pseudonyms.payload(record.row.rstrip(b"\r\n")))
        if hashes := hashes & wanted:
            yield hashes, message or outgoing_of(record, encodings[0]).message


def _send(
    matches: Iterable[tuple[set[str], Any]],
    wanted: set[str],
    limits: Limits,
    clock: Clock,
    done: RedriveResult,
    send: Callable[[Any], None],
) -> None:
    """Sends each payload once.

    Of the records that match a payload, the first that is not refused is sent.
    """
    sent: set[str] = set()
    refused: dict[str, str] = {}
    for hashes, message in matches:
        if hashes <= sent:
            continue
        if reason := _refusal(message, limits, clock()):
            refused.update(dict.fromkeys(hashes - sent, reason))
            continue
        send(message)
        sent |= hashes
        if sent == wanted:
            break
    still = {each: reason for each, reason in refused.items() if each not in sent}
    done.found, done.sent = len(sent) + len(still), len(sent)
    done.refused.update(still.values())


def _refusal(message: Any, limits: Limits, now_us: int) -> str | None:
    """Returns the reason why the stream would refuse a message now; None if it would accept it."""
    if message.ByteSize() > BYTES_A_MESSAGE:
        return str(Reason.OVERSIZE)
    published_at_us = instant_of(message.attributes.get(ORIGINAL_PUBLISH_TIME))
    decoded = read_event(
        encoding_of(message.attributes.get(CONTENT_TYPE)),
        message.data,
        now_us if published_at_us is None else published_at_us,
        limits,
        now_us,
    )
    return str(decoded.reason) if isinstance(decoded, Rejection) else None


def _insert(client: InsertClient, table: str, rows: Sequence[str], done: ReinsertResult) -> None:
    name = table.rsplit(".", 1)[-1]
    for start in range(0, len(rows), _ROWS_A_REQUEST):
        batch = rows[start : start + _ROWS_A_REQUEST]
        ids = [hashlib.sha256(row.encode()).hexdigest() for row in batch]
        try:
            decoded = [json.loads(row) for row in batch]
            errors = client.insert_rows_json(table, decoded, ids, skip_invalid_rows=True)
        except OutageError as error:
            raise InputError(str(error)) from None
        done.inserted += len(batch) - len(errors)
        for each in errors:
            said = ", ".join(sorted({x.get("reason", "") for x in each["errors"]}))
            done.refused[name, said] += 1

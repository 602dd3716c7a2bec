"""Writes exact counts, dead letters and ledger to Parquet files or BigQuery.

All these tables are restricted.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import apache_beam as beam
from apache_beam.io.gcp.bigquery import RetryStrategy, WriteToBigQuery
from apache_beam.io.gcp.pubsub import PubsubMessage
from apache_beam.metrics import Metrics
from apache_beam.options.pipeline_options import GoogleCloudOptions
from apache_beam.pvalue import AsList

from pipelines.graph import Outputs
from pipelines.settings import Settings
from pipelines.sinks.bigquery import Dataset, InsertClient, LoadClient
from schemas.counts import COUNTS, CountsRow
from schemas.failures import InputError, Reason
from schemas.judged import CANDIDATES
from schemas.records import (
    BackfilledDay,
    DeadLetter,
    DeadLetterRow,
    LedgerTotal,
    LongConversation,
)
from schemas.table import Table, instant
from schemas.tables import BACKFILLS, BATCH, DEAD_LETTERS, LEDGER, STREAM
from schemas.wire.event import JSON_TYPE
from transforms.conversation.pseudonyms import LoadPseudonyms, Pseudonyms
from transforms.create import CreateValues
from transforms.logs import log_event
from transforms.policies import Clock, each_element

STAGE: Final = "write"

_Failed = tuple[str, dict[str, Any], Iterable[dict[str, Any]]]
"""The table that refused a row, the row, and the errors."""

_METHODS: Final = WriteToBigQuery.Method
_SHARDS: Final = 4
"""Keys over which a table's rows are spread. Each key costs one request per firing."""
_REFUSED: Final = Metrics.counter(STAGE, "refused_rows")
_ALERTS: Final = Metrics.counter(STAGE, "alerts")


@dataclass(frozen=True)
class Sinks:
    """The places where a deployed job writes.

    Attributes:
      dataset: the BigQuery dataset with the restricted tables.
      dead_letter_topic: Pub/Sub topic that also gets each dead letter, or None.
      alert_topic: Pub/Sub topic that gets an alert for each conversation that grows long, or None.
      outage: how long to wait for an outage of BigQuery to end before the bundle fails; None to
        wait for ever.
    """

    dataset: Dataset
    dead_letter_topic: str | None = None
    alert_topic: str | None = None
    outage: timedelta | None = None

    def __post_init__(self) -> None:
        for topic in (self.dead_letter_topic, self.alert_topic):
            if topic is not None:
                _topic(topic)


def write_parquet(outputs: Outputs, folder: Path, settings: Settings) -> None:
    """Writes each table to `<folder>/<table>-*.parquet`, with Beam's own writer."""
    dead_letters = outputs.dead_letters | "StampDeadLetters" >> _stamp(BATCH, settings)
    for rows, table in (*_tables(outputs), (dead_letters, DEAD_LETTERS)):
        prefix = str(folder / table.name)
        _ = (
            rows
            | f"ToRows{_label(table)}" >> beam.Map(table.row)
            | f"WriteParquet{_label(table)}"
            >> beam.io.WriteToParquet(prefix, table.arrow_schema(), file_name_suffix=".parquet")
        )


def load_bigquery(
    outputs: Outputs, days: Sequence[BackfilledDay], dataset: Dataset, settings: Settings
) -> None:
    """Appends a backfill's rows to the tables of a dataset, by one load per table at the end.

    Guarantees: a table gets all rows of the run or none. No row of `counts` is written before the
    ledger is known to balance, so a run whose ledger does not balance leaves the days as they were.
    """
    root = outputs.counts.pipeline
    backfilled = root | "BackfilledDays" >> CreateValues(days, BackfilledDay)
    # With an emulator Beam must neither check the bucket nor ask for credentials.
    to_emulator: dict[str, Any] = {}
    if dataset.url:
        options = root.options.view_as(GoogleCloudOptions)
        to_emulator = {
            "test_client": LoadClient(dataset.url),
            "custom_gcs_temp_location": options.temp_location,
            "validate": False,
        }
    balanced = AsList(outputs.ledger)
    counts = outputs.counts | "OnceBalanced" >> beam.Map(_after, balanced).with_output_types(
        CountsRow
    )
    dead_letters = outputs.dead_letters | "StampDeadLetters" >> _stamp(BATCH, settings)
    more = ((dead_letters, DEAD_LETTERS), (backfilled, BACKFILLS))
    for rows, table in (*_tables(outputs._replace(counts=counts)), *more):
        _ = (
            rows
            | f"ToRows{_label(table)}" >> beam.Map(table.bigquery_row)
            | f"WriteBigQuery{_label(table)}"
            >> WriteToBigQuery(
                _reference(dataset, table),
                schema=table.bigquery_schema(),
                method=_METHODS.FILE_LOADS,
                create_disposition=beam.io.BigQueryDisposition.CREATE_NEVER,
                write_disposition=beam.io.BigQueryDisposition.WRITE_APPEND,
                **to_emulator,
            )
        )


def stream_bigquery(outputs: Outputs, sinks: Sinks, settings: Settings) -> None:
    """Appends a stream's rows to the tables as they come, and publishes to the topics of its sinks.

    Guarantees: the stream waits until an outage ends; the bundle fails only if it lasts too long. A
    row that BigQuery refuses becomes a dead letter that contains the row; the other rows of the
    same request are written. A row may be written more than once, but the views count it once.
    Metrics: `write/refused_rows`, `write/alerts`.
    """
    letters = [outputs.dead_letters | "DeadLettersAtOnce" >> each_element()]
    letters += [
        _stream(rows, table, sinks, settings) | f"Refused{_label(table)}AtOnce" >> each_element()
        for rows, table in _tables(outputs)
    ]
    dead_letters = (
        letters
        | "FlattenDeadLetters" >> beam.Flatten()
        | "StampDeadLetters" >> _stamp(STREAM, settings)
    )
    # A row that is refused here goes only to the log; the topic gets every dead letter anyway.
    _stream(dead_letters, DEAD_LETTERS, sinks, settings)
    if sinks.dead_letter_topic:
        _ = (
            dead_letters
            | "DeadLettersToJson" >> beam.Map(_dead_letter_message)
            | "PublishDeadLetters" >> _topic(sinks.dead_letter_topic)
        )
    if sinks.alert_topic and outputs.grown_long is not None:
        _ = (
            outputs.grown_long
            | "AlertsAtOnce" >> each_element()
            | "AlertsToJson" >> beam.Map(alert_message)
            | "PublishAlerts" >> _topic(sinks.alert_topic)
        )


def _after(row: CountsRow, _: Sequence[LedgerTotal]) -> CountsRow:
    return row


def alert_message(grown: LongConversation) -> PubsubMessage:
    """Returns the message for the alert topic.

    If the same alert comes twice, both messages have the same `alert_id`.
    """
    _ALERTS.inc()
    said = {
        "alert": "long_conversation",
        "alert_id": f"{grown.conversation}-{grown.started_at_us}",
        "conversation": grown.conversation,
        "started_at": instant(grown.started_at_us).isoformat(),
        "last_at": instant(grown.last_at_us).isoformat(),
        "human_messages": grown.human_messages,
    }
    attributes = {"content-type": JSON_TYPE, "alert-id": said["alert_id"]}
    return PubsubMessage(json.dumps(said).encode(), attributes)


def _stamp(origin: str, settings: Settings) -> Any:
    """Adds the run and the time of writing to each dead letter.

    This step comes right before the sinks, so that our own shuffles do not carry values that all
    dead letters share.
    """
    return beam.Map(_stamped, settings.revision, origin, settings.clock).with_output_types(
        DeadLetterRow
    )


def _stamped(letter: DeadLetter, run: int, origin: str, clock: Clock) -> DeadLetterRow:
    return DeadLetterRow.of(letter, run, origin, clock())


def _dead_letter_message(letter: DeadLetterRow) -> PubsubMessage:
    data = json.dumps(DEAD_LETTERS.bigquery_row(letter)).encode()
    return PubsubMessage(data, {"content-type": JSON_TYPE, "reason": letter.reason})


def _stream(
    rows: beam.PCollection[Any], table: Table, sinks: Sinks, settings: Settings
) -> beam.PCollection[DeadLetter]:
    outage_s = sinks.outage.total_seconds() if sinks.outage else None
    written = (
        rows
        | f"ToRows{_label(table)}" >> beam.Map(table.bigquery_row)
        | f"WriteBigQuery{_label(table)}"
        >> WriteToBigQuery(
            _reference(sinks.dataset, table),
            schema=table.bigquery_schema(),
            method=_METHODS.STREAMING_INSERTS,
            insert_retry_strategy=RetryStrategy.RETRY_ON_TRANSIENT_ERROR,
            create_disposition=beam.io.BigQueryDisposition.CREATE_NEVER,
            write_disposition=beam.io.BigQueryDisposition.WRITE_APPEND,
            num_streaming_keys=_SHARDS,
            test_client=InsertClient(sinks.dataset, outage_s),
        )
    )
    return written.failed_rows_with_errors | f"Refused{_label(table)}" >> beam.ParDo(
        _RefusalFn(settings.load_pseudonyms)
    ).with_output_types(DeadLetter)


class _RefusalFn(beam.DoFn):
    def __init__(self, load_pseudonyms: LoadPseudonyms) -> None:
        self._load_pseudonyms = load_pseudonyms
        self._pseudonyms: Pseudonyms | None = None

    def setup(self) -> None:
        self._pseudonyms = self._load_pseudonyms()

    def process(self, failed: _Failed) -> Iterator[DeadLetter]:
        assert self._pseudonyms is not None
        yield refusal(failed, self._pseudonyms)


def refusal(failed: _Failed, pseudonyms: Pseudonyms) -> DeadLetter:
    """Returns the dead letter of a row that a table refused; a row is numbers, never text."""
    table, row, errors = failed
    encoded = json.dumps(row, sort_keys=True)
    source = table.rsplit(".", 1)[-1]
    _REFUSED.inc()
    log_event("row_refused", table=source, errors=sorted({e.get("reason", "") for e in errors}))
    return DeadLetter(
        STAGE, str(Reason.REFUSED_BY_TABLE), source, None, None, None, None,
        len(encoded), pseudonyms.payload(encoded.encode()), encoded,
    )  # fmt: skip


def _topic(topic: str) -> beam.PTransform[Any, Any]:
    try:
        return beam.io.WriteToPubSub(topic, with_attributes=True)
    except ValueError:
        raise InputError(
            f"{topic!r} is not a topic; write projects/<project>/topics/<name>"
        ) from None


def _tables(outputs: Outputs) -> tuple[tuple[beam.PCollection[Any], Table], ...]:
    return (
        (outputs.counts, COUNTS),
        (outputs.candidates, CANDIDATES),
        (outputs.ledger, LEDGER),
    )


def _reference(dataset: Dataset, table: Table) -> str:
    return f"{dataset.project}:{dataset.name}.{table.name}"


def _label(table: Table) -> str:
    return table.name.title().replace("_", "")

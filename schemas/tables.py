"""Defines the output tables once for BigQuery, Parquet and DuckDB.

All tables are append-only. `aggregates` contains immutable versions of cells, and the views in
`schemas/views/*.sql` select the current versions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
import pyarrow as pa

from schemas.breakdowns import ANY_NAME
from schemas.records import (
    AggregateRow,
    BackfilledDay,
    ClassifierRate,
    DeadLetterRow,
    LedgerTotal,
)

METRICS_VERSION: Final = "1"
"""Version of the definitions of the figures; it is raised when a definition changes."""

STREAM: Final = "stream"
BATCH: Final = "batch"
"""Values of the column `origin`."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ARROW: Final[Mapping[str, pa.DataType]] = {
    "STRING": pa.string(),
    "INT64": pa.int64(),
    "TIMESTAMP": pa.timestamp("us", tz="UTC"),
}


def instant(at_us: int) -> datetime:
    """Returns the instant, microseconds since the epoch, as a datetime in UTC."""
    return _EPOCH + timedelta(microseconds=at_us)


@dataclass(frozen=True)
class Column:
    """One column: its BigQuery type and its meaning."""

    name: str
    type: str
    description: str
    required: bool = True


@dataclass(frozen=True)
class Table:
    """One table.

    Attributes:
      name: name of the table within the dataset.
      description: explains what a row stands for.
      columns: the columns, in the order of the record's fields.
      record: type of the records that are written as rows; a field `x_us` goes to a TIMESTAMP
        column `x`.
      partition_by: TIMESTAMP column by whose day the table is partitioned, or None.
      cluster_by: columns by which the table is clustered.
    """

    name: str
    description: str
    columns: tuple[Column, ...]
    record: type[msgspec.Struct]
    partition_by: str | None
    cluster_by: tuple[str, ...]

    def bigquery_schema(self) -> dict[str, list[dict[str, str]]]:
        """Returns the schema in BigQuery's JSON form."""
        return {
            "fields": [
                {
                    "name": c.name,
                    "type": c.type,
                    "mode": "REQUIRED" if c.required else "NULLABLE",
                    "description": c.description,
                }
                for c in self.columns
            ]
        }

    def bigquery_parameters(self) -> dict[str, Any]:
        """Returns the partitioning and clustering as parameters for BigQuery's load API."""
        parameters: dict[str, Any] = {"clustering": {"fields": list(self.cluster_by)}}
        if self.partition_by:
            parameters["timePartitioning"] = {"type": "DAY", "field": self.partition_by}
        return parameters

    def arrow_schema(self) -> pa.Schema:
        """Returns the schema of the Parquet files."""
        return pa.schema(
            pa.field(c.name, _ARROW[c.type], nullable=not c.required) for c in self.columns
        )

    def row(self, record: msgspec.Struct) -> dict[str, Any]:
        """Returns the record as a dict of column names to values; instants are UTC datetimes."""
        values = msgspec.structs.astuple(record)
        return {
            c.name: instant(value) if c.type == "TIMESTAMP" and value is not None else value
            for c, value in zip(self.columns, values, strict=True)
        }

    def bigquery_row(self, record: msgspec.Struct) -> dict[str, Any]:
        """Returns the row as JSON for BigQuery, with instants in RFC 3339."""
        return {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in self.row(record).items()
        }


AGGREGATES: Final = Table(
    name="aggregates",
    description=(
        "One released version of one cell: the conversations that started in one hour or day, have "
        "one value of one breakdown, and belong to one value of one facet. Append-only; read it "
        "through the view aggregates_latest."
    ),
    columns=(
        Column("window_start", "TIMESTAMP", "Start of the hour or day, UTC, in which the "
               "conversations started (their first message)."),
        Column("granularity", "STRING", "hour or day."),
        Column("breakdown", "STRING", f"{ANY_NAME}."),
        Column("breakdown_value", "STRING", "Value of the breakdown; all for overall; unknown "
               "if no event states it; other if the value is not valid or not on the operator's "
               "list; not_published for the suppressed values together."),
        Column("facet", "STRING", "What the conversations have in common; the view facets says "
               "what each facet means."),
        Column("facet_value", "STRING", "Value of the facet; for long, sentiment and pushback the "
               "type within which they are counted, or all, or affective."),
        Column("conversations", "INT64", "Number of conversations; null if this version "
               "withdraws the cell.", required=False),
        Column("users", "INT64", "Number of distinct users of these conversations; a lower bound "
               "for not_published; null if this version withdraws the cell.", required=False),
        Column("sentiment_change_300ths", "INT64", "Facet sentiment: sum over the conversations "
               "of the change from the first to the last three human messages, in "
               "three-hundredths of a point of the scale -1..+1. Null for other facets.",
               required=False),
        Column("sentiment_change_squares", "INT64", "Facet sentiment: sum of the squares of the "
               "changes, in ninety-thousandths. Null for other facets.", required=False),
        Column("revision", "INT64", "Version of the cell: when it was released, microseconds since "
               "the epoch. The largest is current."),
        Column("snapshot", "INT64", "Revision of the complete release of the day that this row is "
               "part of or updates. Only the rows of a day's largest snapshot are current: its "
               "largest batch snapshot if a batch counted the day."),
        Column("min_users", "INT64", "Threshold in force: distinct users a cell must have."),
        Column("min_conversations", "INT64", "Threshold in force: conversations a cell must have."),
        Column("metrics_version", "STRING", "Version of the definitions."),
        Column("classifier_version", "STRING", "Version of the classifier's weights."),
        Column("origin", "STRING", "stream or batch. A batch is a bounded run over all events of "
               "the day; its rows override the stream's rows of that day, whatever the snapshot."),
    ),
    record=AggregateRow,
    partition_by="window_start",
    cluster_by=("granularity", "breakdown", "facet", "facet_value"),
)  # fmt: skip

DEAD_LETTERS: Final = Table(
    name="dead_letters",
    description=(
        "One record that is not counted, and the reason; never its text. Append-only: each run "
        "that reads the record writes it again, so count distinct values of payload_sha256."
    ),
    columns=(
        Column("stage", "STRING", "Step that refused the record."),
        Column("reason", "STRING", "Reason; a value of schemas.failures.Reason."),
        Column("source", "STRING", "File or subscription it came from."),
        Column("event_id", "STRING", "Id of the event; null unless it is readable and looks "
               "like an id.", False),
        Column("conversation_id", "STRING", "Id of the conversation; null unless it is readable "
               "and looks like an id.", False),
        Column("sent_at_us", "INT64", "Event time that the record states, microseconds since the "
               "epoch; may be outside the calendar.", False),
        Column("published_at_us", "INT64", "Publish time, microseconds since the epoch.", False),
        Column("size_bytes", "INT64", "Size of the payload."),
        Column("payload_sha256", "STRING", "SHA-256 of the payload, in hex; identifies it in "
               "the archive."),
        Column("row", "STRING", "The row that a table refused, as JSON; null for an input "
               "record.", False),
        Column("run", "INT64", "Run that wrote this row: its start, microseconds since the epoch, "
               "as in the table ledger. When a stream's job is updated, the ledger keeps its run, "
               "but this table begins a new one."),
        Column("origin", "STRING", "Whether the run was a stream or a batch."),
        Column("ingested_at", "TIMESTAMP", "When the run wrote this row, UTC."),
    ),
    record=DeadLetterRow,
    partition_by=None,
    cluster_by=("reason", "stage"),
)  # fmt: skip

LEDGER: Final = Table(
    name="ledger",
    description=(
        "How many records a run has read so far, and what became of them. "
        "Append-only; read it through the view ledger_latest."
    ),
    columns=(
        Column("run", "INT64", "Start of the run, microseconds since the epoch. A stream that "
               "restarts with its state keeps its run."),
        Column("account", "STRING", "read, or an outcome: counted, duplicate, sampled, "
               "system_turn, late, dead_letter or out_of_range (sent before or after the days that "
               "a backfill counts). The outcomes add up to read. conversation: conversations that "
               "the messages make up. It is the sum of tallied (in the tables), over_user_limit "
               "(past max_conversations_per_user), past_life (too late for a stream to add) and "
               "other_day (on a day that a backfill does not count). limit_shortfall: those "
               "over_user_limit that a backfill would count. revisions_past_life: revisions of "
               "conversations that a stream dropped because their day was closed. other_value: "
               "breakdown values that became other. open_at_drain: conversations that a drain of "
               "the stream may have cut in two. open_at_end: conversations that may go on after "
               "the last message that a backfill read."),
        Column("reason", "STRING", "For dead_letter the reason; for other_value the breakdown and "
               "why, e.g. platform/invalid or platform/unlisted; for over_user_limit, "
               "limit_shortfall, past_life, revisions_past_life, open_at_drain and open_at_end the "
               "day; otherwise empty."),
        Column("records", "INT64", "Number of records, conversations, revisions or values."),
        Column("revision", "INT64", "When the sum was made, microseconds since the epoch; a run's "
               "largest is current."),
        Column("origin", "STRING", "Whether the run was a stream or a batch."),
    ),
    record=LedgerTotal,
    partition_by=None,
    cluster_by=("run", "account"),
)  # fmt: skip

CLASSIFIER_RATES: Final = Table(
    name="classifier_rates",
    description=(
        "How often one version of the classifier errs on one value, as counts of conversations "
        "that no training step saw. Every run writes the rates of its classifier that rest on "
        "enough data to correct a share. Append-only; read it through the view "
        "classifier_rates_latest."
    ),
    columns=(
        Column("classifier_version", "STRING", "Version of the classifier's weights."),
        Column("language", "STRING", "Language of the judged conversations; all for every "
               "language."),
        Column("facet", "STRING", "What was judged: use, type, pushback or pushback_reason."),
        Column("facet_value", "STRING", "Value of the facet; all for pushback."),
        Column("true_positives", "INT64", "How many of the positives the classifier found."),
        Column("positives", "INT64", "Conversations that truly have the value."),
        Column("false_positives", "INT64", "How many of the negatives the classifier gave the "
               "value."),
        Column("negatives", "INT64", "Conversations that truly do not have the value."),
        Column("revision", "INT64", "Start of the run that wrote the row, microseconds since the "
               "epoch. A version's largest is current."),
    ),
    record=ClassifierRate,
    partition_by=None,
    cluster_by=("classifier_version", "facet", "facet_value"),
)  # fmt: skip

BACKFILLS: Final = Table(
    name="backfills",
    description=(
        "What a backfill counted one day from. The day is done once aggregates and ledger have "
        "rows of that run. Append-only."
    ),
    columns=(
        Column("run", "INT64", "Start of the backfill, microseconds since the epoch; also its run "
               "in ledger and its snapshot in aggregates."),
        Column("day", "TIMESTAMP", "Start of the day, UTC."),
        Column("files", "INT64", "Number of files read for the day, including its margins."),
        Column("size_bytes", "INT64", "Total size of these files."),
        Column("inputs_sha256", "STRING", "SHA-256 of their names, sizes and times; equal for the "
               "same files."),
        Column("settings", "STRING", "Settings that the day was counted with, as JSON."),
    ),
    record=BackfilledDay,
    partition_by=None,
    cluster_by=("run",),
)  # fmt: skip

TABLES: Final = (AGGREGATES, DEAD_LETTERS, LEDGER, CLASSIFIER_RATES, BACKFILLS)

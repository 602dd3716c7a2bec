"""The tables of both datasets. Each is declared once, for BigQuery, Parquet and DuckDB.

The published tables (`schemas.published`) are for analysts. All others are restricted: they hold
exact numbers. All tables are append-only, and the views in `schemas/views/*.sql` select the current
rows.
"""

from __future__ import annotations

from typing import Final

from schemas.counts import BASES, COUNTS
from schemas.judged import CANDIDATES, JUDGEMENTS, SAMPLE
from schemas.published import PUBLISHED_TABLES
from schemas.records import BackfilledDay, DeadLetterRow, LedgerTotal
from schemas.table import Column, Table

METRICS_VERSION: Final = "2"
"""Version of the definitions of the figures; it is raised when a definition changes."""

STREAM: Final = "stream"
BATCH: Final = "batch"
"""Values of the column `origin`."""

DEAD_LETTERS: Final = Table(
    name="dead_letters",
    description=(
        "One record that is not counted, and the reason; never its text. Append-only: each run "
        "that reads the record writes it again, so count distinct values of payload_hash."
    ),
    columns=(
        Column("stage", "STRING", "Step that refused the record."),
        Column("reason", "STRING", "Reason; a value of schemas.failures.Reason."),
        Column("source", "STRING", "File or subscription it came from."),
        Column("event", "STRING", "Keyed hash of the event's id, in hex; null unless the id is "
               "readable and looks like an id.", False),
        Column("conversation", "STRING", "Keyed hash of the conversation's id, in hex, as in an "
               "alert; null unless the id is readable and looks like an id.", False),
        Column("sent_at_us", "INT64", "Event time that the record states, microseconds since the "
               "epoch; may be outside the calendar.", False),
        Column("published_at_us", "INT64", "Publish time, microseconds since the epoch.", False),
        Column("size_bytes", "INT64", "Size of the payload, rounded to two digits."),
        Column("payload_hash", "STRING", "Keyed hash of the payload, in hex; identifies it in "
               "the archive for those who have the secret."),
        Column("row", "STRING", "The row that a table refused, as JSON; null for an input "
               "record.", False),
        Column("run", "INT64", "Run that wrote this row: its start, microseconds since the epoch, "
               "as in the table ledger. When a stream's job is updated, the ledger keeps its run, "
               "but this table begins a new one."),
        Column("origin", "STRING", "Whether the run was a stream or a batch."),
        Column("ingested_at", "TIMESTAMP", "When the run wrote this row, UTC."),
    ),
    record=DeadLetterRow,
    partition_by="ingested_at",
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

BACKFILLS: Final = Table(
    name="backfills",
    description=(
        "What a backfill counted one day from. The day is done once counts and ledger have rows of "
        "that run. Append-only."
    ),
    columns=(
        Column("run", "INT64", "Start of the backfill, microseconds since the epoch; also its run "
               "in ledger and its generation in counts."),
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

RESTRICTED_TABLES: Final = (
    COUNTS, CANDIDATES, SAMPLE, JUDGEMENTS, BASES, DEAD_LETTERS, LEDGER, BACKFILLS,
)  # fmt: skip
TABLES: Final = (*PUBLISHED_TABLES, *RESTRICTED_TABLES)

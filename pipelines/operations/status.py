"""Reads a job's status from its tables: lost records, the delay and refused records.

The tables may be those of a BigQuery dataset or those in the folder of a local run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from pipelines.terminal.text import ago, aligned, at
from schemas.failures import InputError
from schemas.records import LedgerTotal
from transforms.counting.ledger import (
    ACCOUNTS,
    CONVERSATION,
    FATES,
    LIMIT_SHORTFALL,
    OPEN_AT_DRAIN,
    OPEN_AT_END,
    OVER_USER_LIMIT,
    PAST_LIFE,
    PLACES,
    READ,
    REVISIONS_PAST_LIFE,
    imbalance,
)

Query = Callable[[str], list[dict[str, Any]]]
"""Runs a query in BigQuery's dialect and returns its rows.

`{dataset}` stands for the published dataset, `{restricted}` for the one with the exact counts.
"""

DAYS_SHOWN: Final = 7
"""The number of recent days to show. Older days no longer change."""

_LEDGER: Final = """\
SELECT run, account, reason, records, revision, origin FROM `{restricted}.ledger_latest`
"""
_DAYS: Final = f"""\
SELECT
  DATE(window_start) AS day,
  MAX(origin) AS origin,
  COUNT(DISTINCT generation) AS generations,
  MAX(revision) AS revision,
  COUNT(*) AS places,
  SUM(IF(window_kind = 'day' AND breakdown = 'overall', conversations, 0)) AS conversations
FROM `{{restricted}}.counts_current`
WHERE window_kind IN ('hour', 'day')
GROUP BY DATE(window_start)
ORDER BY day DESC
LIMIT {DAYS_SHOWN}
"""
_PUBLISHED: Final = """\
SELECT DATE(window_start) AS day, version
FROM `{dataset}.publications_current`
WHERE window_kind = 'day'
"""
_WRITTEN: Final = """\
SELECT
  (SELECT MAX(revision) FROM `{restricted}.counts`) AS counted_us,
  (SELECT MAX(attempt) FROM `{dataset}.publications`) AS published_us
"""
_DEAD_LETTERS: Final = """\
SELECT
  reason, COUNT(*) AS letters, COUNT(DISTINCT payload_hash) AS payloads,
  COUNT(DISTINCT run) AS runs
FROM `{restricted}.dead_letters`
GROUP BY reason
ORDER BY letters DESC, reason
"""


@dataclass(frozen=True)
class RunLedger:
    """The ledger of one run.

    Attributes:
      run: when the run began, microseconds since the epoch.
      totals: the totals by account and reason, in the order of `ACCOUNTS`.
    """

    run: int
    totals: tuple[LedgerTotal, ...]

    @property
    def revision(self) -> int:
        """When the ledger was last written, microseconds since the epoch."""
        return max(total.revision for total in self.totals)

    @property
    def origin(self) -> str:
        """Whether the run was a stream or a batch."""
        return self.totals[0].origin

    @property
    def under_way(self) -> int:
        """Number of records that were read and have no outcome yet."""
        return self.records(READ) - sum(map(self.records, FATES))

    @property
    def conversations_under_way(self) -> int:
        """Number of conversations that have messages but are not in any table yet."""
        return self.records(CONVERSATION) - sum(map(self.records, PLACES))

    @property
    def imbalance(self) -> str | None:
        """A sentence that says by how much the sides of the ledger differ; None if they agree."""
        return imbalance(self.totals)

    def records(self, account: str) -> int:
        """Returns the total of an account over all reasons."""
        return sum(total.records for total in self.totals if total.account == account)

    def notes(self) -> list[str]:
        """Returns sentences about conversations that the tables lack or that need a backfill."""
        notes = []
        if over := self.records(OVER_USER_LIMIT):
            notes.append(
                f"{OVER_USER_LIMIT}: {_counted(over)} begun on {self._days_of(OVER_USER_LIMIT)} "
                "are not in the tables, because their users had more than "
                "max_conversations_per_user that day"
            )
        if short := self.records(LIMIT_SHORTFALL):
            notes.append(
                f"{LIMIT_SHORTFALL}: {_counted(short)} of these, begun on "
                f"{self._days_of(LIMIT_SHORTFALL)}, should be counted, but the stream no longer "
                "remembers which ones; a backfill of those days counts them"
            )
        if late := self.records(PAST_LIFE):
            notes.append(
                f"{PAST_LIFE}: {_counted(late)} of {self._days_of(PAST_LIFE)} came after "
                "conversation_life, when the stream no longer changes a day; a backfill of those "
                "days counts them"
            )
        if revised := self.records(REVISIONS_PAST_LIFE):
            notes.append(
                f"{REVISIONS_PAST_LIFE}: {_revised(revised)} begun on "
                f"{self._days_of(REVISIONS_PAST_LIFE)} came after conversation_life and were "
                "dropped, so those days show an earlier state of them; a backfill of those days "
                "counts them"
            )
        if cut := self.records(OPEN_AT_DRAIN):
            notes.append(
                f"{OPEN_AT_DRAIN}: {_counted(cut)} begun on {self._days_of(OPEN_AT_DRAIN)} may "
                "have been cut in two by a drain of the stream; a backfill of those days joins them"
            )
        if going := self.records(OPEN_AT_END):
            notes.append(
                f"{OPEN_AT_END}: {_counted(going)} begun on {self._days_of(OPEN_AT_END)} may go on "
                "after the last message that was read; a later backfill, or one with a larger "
                "--margin, follows them"
            )
        return notes

    def _days_of(self, account: str) -> str:
        days = [f"{total.reason} ({total.records:,})" for total in self.totals
                if total.account == account and total.reason and total.records]  # fmt: skip
        return ", ".join(days) or "days that the ledger does not name"


@dataclass(frozen=True)
class Day:
    """The counts of one UTC day.

    Attributes:
      day: the day.
      origin: whether its rows come from a stream or a batch.
      generations: number of jobs that counted it, one after another.
      revision: revision of its newest row, microseconds since the epoch.
      places: number of current rows of the day and its hours.
      conversations: exact number of conversations.
      version: its published version; None if it is not published.
    """

    day: date
    origin: str
    generations: int
    revision: int
    places: int
    conversations: int
    version: int | None


@dataclass(frozen=True)
class DeadLetters:
    """The number of dead letters with one reason.

    Attributes:
      letters: number of rows; each run that reads a record writes a row for it again.
      payloads: number of distinct payloads.
      runs: number of runs that wrote these rows.
    """

    reason: str
    letters: int
    payloads: int
    runs: int


@dataclass(frozen=True)
class Status:
    """The status of a job.

    Attributes:
      now_us: time of the status, microseconds since the epoch.
      runs: the requested runs, the newest first.
      counted_us: newest revision of the counts; None if there are none.
      published_us: when the newest publication was made; None if there is none.
      days: the most recent days, the newest first.
      dead_letters: the dead letters of all runs, by reason.
    """

    now_us: int
    runs: tuple[RunLedger, ...]
    counted_us: int | None
    published_us: int | None
    days: tuple[Day, ...]
    dead_letters: tuple[DeadLetters, ...]


def read_status(
    query: Query, now_us: int, run: int | None = None, *, all_runs: bool = False
) -> Status:
    """Reads the status of a job.

    Args:
      query: runs a query on the tables.
      now_us: the current time in microseconds since the epoch.
      run: the run to show, as in the column `run`; None for the newest stream and the newest batch.
      all_runs: whether to include every run.

    Raises:
      InputError: if that run does not exist, or the tables can't be read.
    """
    totals = [LedgerTotal(**row) for row in query(_LEDGER)]
    runs = sorted({total.run for total in totals}, reverse=True)
    if run is not None and run not in runs:
        known = f"the newest run is {runs[0]}" if runs else "the ledger has no runs yet"
        raise InputError(f"run {run} is not in the ledger; {known}")
    # A backfill that was written last must not hide the stream.
    newest = sorted({max(t.run for t in totals if t.origin == o) for o in
                     {t.origin for t in totals}}, reverse=True)  # fmt: skip
    chosen = runs if all_runs else [run] if run is not None else newest
    versions = {row["day"]: row["version"] for row in query(_PUBLISHED)}
    (written,) = query(_WRITTEN)
    return Status(
        now_us,
        tuple(_ledger_of(number, totals) for number in chosen),
        written["counted_us"],
        written["published_us"],
        tuple(Day(**row, version=versions.get(row["day"])) for row in query(_DAYS)),
        tuple(DeadLetters(**row) for row in query(_DEAD_LETTERS)),
    )


def status_lines(status: Status) -> list[str]:
    """Returns a status as lines of plain text."""
    lines = [f"at {at(status.now_us)} UTC"]
    for run in status.runs:
        lines += ["", f"{run.origin} run {run.run}, begun {at(run.run)}", *_ledger_lines(run)]
    if not status.runs:
        lines += ["", "no run has written a ledger yet"]
    lines += ["", *aligned(_lags(status), names=2), "", *_day_lines(status.days), ""]
    if status.dead_letters:
        header = ("dead letters of all runs", "rows", "payloads", "runs")
        rows = [
            (x.reason, f"{x.letters:,}", f"{x.payloads:,}", f"{x.runs:,}")
            for x in status.dead_letters
        ]
        return lines + aligned([header, *rows])
    return [*lines, "no dead letters"]


def status_json(status: Status) -> dict[str, Any]:
    """Returns a status for JSON, with runs and revisions as in the tables."""
    return {
        "now": status.now_us,
        "runs": [
            {
                "run": run.run,
                "origin": run.origin,
                "revision": run.revision,
                "ledger": [
                    {"account": x.account, "reason": x.reason, "records": x.records}
                    for x in run.totals
                ],
                "under_way": run.under_way,
                "conversations_under_way": run.conversations_under_way,
                "balances": run.imbalance is None,
                "imbalance": run.imbalance,
                "notes": run.notes(),
                "lag_s": _lag_s(status.now_us, run.revision),
            }
            for run in status.runs
        ],
        "counts": {
            "revision": status.counted_us,
            "lag_s": _lag_s(status.now_us, status.counted_us),
        },
        "publications": {
            "attempt": status.published_us,
            "lag_s": _lag_s(status.now_us, status.published_us),
        },
        "days": [
            {
                "day": x.day.isoformat(),
                "origin": x.origin,
                "generations": x.generations,
                "revision": x.revision,
                "places": x.places,
                "conversations": x.conversations,
                "version": x.version,
            }
            for x in status.days
        ],
        "dead_letters": [
            {"reason": x.reason, "letters": x.letters, "payloads": x.payloads, "runs": x.runs}
            for x in status.dead_letters
        ],
    }


def _ledger_of(run: int, totals: Iterable[LedgerTotal]) -> RunLedger:
    mine = [total for total in totals if total.run == run]
    return RunLedger(run, tuple(sorted(mine, key=lambda x: (ACCOUNTS.index(x.account), x.reason))))


def _ledger_lines(run: RunLedger) -> list[str]:
    rows = [(x.account, x.reason, f"{x.records:,}") for x in run.totals]
    rows.append(("under way", "records", f"{run.under_way:,}"))
    rows.append(("", "conversations", f"{run.conversations_under_way:,}"))
    lines = aligned([("account", "reason", "records"), *rows], names=2)
    if run.imbalance is None:
        return [*lines, "the ledger balances", *run.notes()]
    return [
        *lines,
        run.imbalance,
        "(in a running stream the difference is the records under way; a bounded or drained "
        "run has none)",
        *run.notes(),
    ]


def _lags(status: Status) -> list[tuple[str, str, str]]:
    written_us = max((run.revision for run in status.runs), default=None)
    return [
        ("last written", "at", "ago"),
        ("ledger", at(written_us), ago(status.now_us, written_us)),
        ("counts", at(status.counted_us), ago(status.now_us, status.counted_us)),
        ("publications", at(status.published_us), ago(status.now_us, status.published_us)),
    ]


def _day_lines(days: Sequence[Day]) -> list[str]:
    if not days:
        return ["no day has been counted yet"]
    header = ("day", "origin", "counted at", "published", "generations", "places", "conversations")
    rows = [
        (
            x.day.isoformat(),
            x.origin,
            at(x.revision),
            "no" if x.version is None else f"version {x.version}",
            f"{x.generations:,}",
            f"{x.places:,}",
            f"{x.conversations:,}",
        )
        for x in days
    ]
    return aligned([header, *rows])


def _counted(conversations: int) -> str:
    return f"{conversations:,} conversation{'' if conversations == 1 else 's'}"


def _revised(revisions: int) -> str:
    return f"{revisions:,} revision{'' if revisions == 1 else 's'} of conversations"


def _lag_s(now_us: int, then_us: int | None) -> float | None:
    return None if then_us is None else (now_us - then_us) / 1e6

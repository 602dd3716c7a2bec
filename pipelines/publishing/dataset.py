"""Publishes from BigQuery to BigQuery: finds the windows to publish, and loads their rows."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, NamedTuple

from pipelines.publishing.windows import Batch, Scope, publish_windows
from pipelines.sinks.bigquery import Dataset, query
from pipelines.sinks.records import RecordT, load_records, query_records
from schemas.counts import BASES, COUNTS, BasisRow, CountsRow
from schemas.failures import InputError
from schemas.judged import JUDGEMENTS, SAMPLE, JudgementRow, SampleRow
from schemas.published import (
    AGGREGATES,
    FIGURES,
    PUBLICATIONS,
    FigureRow,
    PublicationRow,
)
from schemas.table import Table
from transforms.counting.cells import DAY_US
from transforms.counting.windows import DAY, HOUR, Window
from transforms.estimation.judged_figures import POOLED_DAYS
from transforms.estimation.rates import SHIPPED, GivenRates
from transforms.judging.conversations import JudgedConversation, join
from transforms.logs import log_event
from transforms.publishing.policy import Policy
from transforms.publishing.rows import Standing, standing_of, withdrawal_of

_US: Final = timedelta(microseconds=1)
SETTLED: Final = timedelta(minutes=15)
"""How old the newest snapshot of a stream must be. A younger one may still be incomplete, because
a stream writes all places of the day again after a restart."""

_SCOPES_SQL: Final = """\
WITH windows AS (
  SELECT
    IF(window_kind = 'hour', 'day', window_kind) AS kind,
    IF(window_kind = 'hour', TIMESTAMP_TRUNC(window_start, DAY), window_start) AS start_at,
    IF(
      window_kind = 'hour', TIMESTAMP_ADD(TIMESTAMP_TRUNC(window_start, DAY), INTERVAL 1 DAY),
      window_end
    ) AS end_at,
    revision, snapshot, origin
  FROM `{restricted}.counts_current`
),

touched AS (
  SELECT
    kind, start_at, end_at, MAX(revision) AS revision,
    MAX(IF(origin = 'stream', snapshot, 0)) AS snapshot
  FROM windows
  GROUP BY kind, start_at, end_at
),

judged AS (
  SELECT t.kind, t.start_at, t.end_at, MAX(j.judged_at) AS judged_at
  FROM touched AS t
  CROSS JOIN (
    SELECT day, MAX(judged_at) AS judged_at
    FROM `{restricted}.judgements`
    GROUP BY day
  ) AS j
  WHERE j.day >= t.start_at AND j.day < t.end_at
  GROUP BY t.kind, t.start_at, t.end_at
),

published AS (
  SELECT window_kind, window_start, window_end, MAX(attempt) AS attempt
  FROM `{dataset}.publications`
  GROUP BY window_kind, window_start, window_end
)

SELECT t.kind, UNIX_MICROS(t.start_at) AS start_us, UNIX_MICROS(t.end_at) AS end_us
FROM touched AS t
LEFT JOIN published AS p
  ON t.kind = p.window_kind AND t.start_at = p.window_start AND t.end_at = p.window_end
LEFT JOIN judged AS j
  ON t.kind = j.kind AND t.start_at = j.start_at AND t.end_at = j.end_at
WHERE
  UNIX_MICROS(t.end_at) <= {closed_us}
  AND UNIX_MICROS(t.start_at) >= {since_us}
  AND t.snapshot <= {settled_us}
  AND (
    p.attempt IS NULL
    OR t.revision > p.attempt - {overlap_us}
    OR UNIX_MICROS(j.judged_at) > p.attempt - {overlap_us}
  )
ORDER BY 2, 1, 3
"""
_OVERLAP: Final = timedelta(hours=1)
"""Counts that were made up to this long before a publication may have been written after it."""


@dataclass(frozen=True)
class Search:
    """Which windows to publish.

    Attributes:
      now_us: the current time, microseconds since the epoch.
      lookback: how far back windows are corrected.
      settled: how old a stream's newest snapshot must be.
    """

    now_us: int
    lookback: timedelta
    settled: timedelta = SETTLED


def find_scopes(dataset: Dataset, policy: Policy, search: Search) -> list[Scope]:
    """Returns the closed days and windows with counts or judgements newer than their publication.

    Raises:
      InputError: if BigQuery can't be reached or refuses the query.
    """
    now_us = search.now_us
    limits = {
        "closed_us": now_us - policy.publish_after // _US,
        "since_us": now_us - search.lookback // _US,
        "settled_us": now_us - search.settled // _US,
        "overlap_us": _OVERLAP // _US,
    }
    sql = _SCOPES_SQL
    for name, value in limits.items():
        sql = sql.replace(f"{{{name}}}", str(value))
    return [Scope(**row) for row in query(dataset, sql)]


class Outcome(NamedTuple):
    """What became of the windows of a scope.

    Attributes:
      published: how many were published.
      kept: how many may not be corrected any more.
      drifted: how many rates of the classifier are not what was measured before.
    """

    published: int
    kept: int
    drifted: int


def publish_scope(
    dataset: Dataset, scope: Scope, policy: Policy, attempt: int, rates: GivenRates = SHIPPED
) -> Outcome:
    """Publishes the windows of a scope.

    Args:
      dataset: the published dataset.
      scope: the scope.
      policy: how to protect the numbers.
      attempt: the current time, microseconds since the epoch.
      rates: the classifier's error rates.

    Guarantees: readers see a publication whole or not at all, because the rows of `publications`
    are loaded last. If the attempt fails halfway, its other rows stay hidden, and the next attempt
    makes the same publications.

    Raises:
      InputError: if BigQuery can't be reached or refuses a request.
    """
    rows = _rows(dataset, COUNTS, CountsRow, "{restricted}.counts_current", scope)
    standings, judged = standings_of(dataset, scope), _judged(dataset, scope)
    batch = publish_windows(rows, standings, policy, attempt, judged, rates)
    write_batch(dataset, batch)
    for sentence in batch.kept:
        log_event("window_kept", reason=sentence)
    log_drift(batch)
    return Outcome(len(batch.publications), len(batch.kept), len(batch.drifted))


def log_drift(batch: Batch) -> None:
    """Logs each rate of the classifier that is not what was measured before."""
    for publication, rate in batch.drifted:
        key = f"{publication} {rate.slice.facet} {rate.slice.value} {rate.measure}"
        log_event("model_drift", key=key, publication=publication, **rate.fields())


def _judged(dataset: Dataset, scope: Scope) -> list[JudgedConversation]:
    """Returns the judged conversations of a scope, and of the days that lend theirs to it."""
    since_us = scope.start_us - (POOLED_DAYS * DAY_US if scope.kind == DAY else 0)
    where = f"day >= TIMESTAMP_MICROS({since_us}) AND day < TIMESTAMP_MICROS({scope.end_us})"
    return join(
        query_records(dataset, SAMPLE, SampleRow, "{restricted}.sample_current", where),
        query_records(dataset, JUDGEMENTS, JudgementRow, "{restricted}.judgements_current", where),
    )


def write_batch(dataset: Dataset, batch: Batch) -> None:
    """Loads the rows of a batch; the rows that commit it come last."""
    load_records(dataset, AGGREGATES, batch.aggregates)
    load_records(dataset, FIGURES, batch.figures)
    load_records(dataset.restricted, BASES, batch.bases)
    load_records(dataset, PUBLICATIONS, batch.publications)


def standings_of(dataset: Dataset, scope: Scope) -> dict[Window, Standing]:
    """Returns what is published of each window of a scope. It leaves out unpublished windows."""
    receipts: defaultdict[Window, list[PublicationRow]] = defaultdict(list)
    bases: defaultdict[Window, list[BasisRow]] = defaultdict(list)
    for row in _rows(dataset, PUBLICATIONS, PublicationRow, "{dataset}.publications", scope):
        receipts[_window(row)].append(row)
    for basis in _rows(dataset, BASES, BasisRow, "{restricted}.bases", scope):
        bases[_window(basis)].append(basis)
    figures: defaultdict[Window, list[FigureRow]] = defaultdict(list)
    if any(row.judge for rows in receipts.values() for row in rows):
        for figure in _rows(dataset, FIGURES, FigureRow, "{dataset}.figures", scope):
            figures[_window(figure)].append(figure)
    return {
        window: standing_of(rows, bases[window], figures[window])
        for window, rows in receipts.items()
    }


def withdraw(dataset: Dataset, publication: str, attempt: int) -> None:
    """Withdraws a publication: the views no longer show its rows.

    Raises:
      InputError: if there is no such current publication, or BigQuery can't be reached.
    """
    if not all(c.isalnum() or c in "/-.:" for c in publication):
        raise InputError(f"{publication!r} is not a publication; write e.g. day/2026-11-20/1")
    found = query_records(
        dataset, PUBLICATIONS, PublicationRow, "{dataset}.publications_current",
        f"publication = '{publication}'",
    )  # fmt: skip
    if not found:
        raise InputError(
            f"there is no current publication {publication}; look into publications_current"
        )
    load_records(dataset, PUBLICATIONS, [withdrawal_of(found[0], attempt)])


def _window(row: PublicationRow | BasisRow | FigureRow) -> Window:
    return Window(row.window_kind, row.window_start_us, row.window_end_us)


def _rows(
    dataset: Dataset, table: Table, record: type[RecordT], source: str, scope: Scope
) -> list[RecordT]:
    """Returns the rows of a table or view that belong to the windows of a scope."""
    start, end = (f"TIMESTAMP_MICROS({us})" for us in (scope.start_us, scope.end_us))
    where = f"window_kind = '{scope.kind}' AND window_start = {start} AND window_end = {end}"
    if scope.kind == DAY:
        where += f" OR window_kind = '{HOUR}' AND window_start >= {start} AND window_end <= {end}"
    return query_records(dataset, table, record, source, where)

"""Has days in BigQuery judged: finds the days, chooses and loads samples, and loads judgements.

Text is read from the archive into the memory of this process. It goes to the judge and nowhere
else. BigQuery gets hashes, numbers and labels.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final, NamedTuple

from pipelines.judges.interface import Judge, Transcript
from pipelines.judges.registry import ChosenJudge, may_change
from pipelines.judges.transcripts import read_transcripts
from pipelines.judging.work import Tally, check_secret, current_of, judge_sample, some_of, unjudged
from pipelines.operations.plan import list_archive
from pipelines.publishing.dataset import SETTLED
from pipelines.settings import Settings
from pipelines.sinks.bigquery import Dataset, query
from pipelines.sinks.records import load_records, query_records
from schemas.failures import InputError
from schemas.judged import (
    CANDIDATES,
    JUDGEMENTS,
    SAMPLE,
    CandidatesRow,
    JudgementRow,
    SampleRow,
)
from transforms.conversation.pseudonyms import Pseudonyms
from transforms.counting.cells import DAY_US
from transforms.counting.days import DayRange, date_of
from transforms.judging.choice import choose
from transforms.policies import Clock

_US: Final = timedelta(microseconds=1)
_OVERLAP: Final = timedelta(hours=1)
"""Candidates that were made up to this long before a sample may have been written after it."""
_ROWS_A_LOAD: Final = 50
_SECONDS_A_LOAD: Final = 60.0
"""BigQuery takes 1,500 loads a day into a table. So judgements are loaded some at a time, and a
crash loses at most these; they are judged again."""

_DAYS_SQL: Final = """\
WITH counted AS (
  SELECT
    TIMESTAMP_TRUNC(window_start, DAY) AS day,
    MAX(revision) AS revision,
    MAX(IF(origin = 'stream', snapshot, 0)) AS snapshot
  FROM `{restricted}.candidates_current`
  GROUP BY TIMESTAMP_TRUNC(window_start, DAY)
),

sampled AS (
  SELECT day, MAX(attempt) AS attempt
  FROM `{restricted}.sample`
  GROUP BY day
)

SELECT
  UNIX_MICROS(c.day) AS start_us,
  s.attempt IS NULL OR c.revision > s.attempt - {overlap_us} AS is_changed
FROM counted AS c
LEFT JOIN sampled AS s ON c.day = s.day
WHERE
  UNIX_MICROS(c.day) + {day_us} <= {closed_us}
  AND UNIX_MICROS(c.day) >= {since_us}
  AND c.snapshot <= {settled_us}
ORDER BY 1
"""


@dataclass(frozen=True)
class Search:
    """Which days to judge.

    Attributes:
      now_us: the current time, microseconds since the epoch.
      lookback: how far back to look for days.
      after: how long after its end a day is judged.
      settled: how old a stream's newest snapshot must be.
    """

    now_us: int
    lookback: timedelta
    after: timedelta = timedelta(hours=48)
    settled: timedelta = SETTLED


class Day(NamedTuple):
    """A day to judge: its start, and whether it must be sampled because its counts changed."""

    start_us: int
    is_changed: bool


@dataclass(frozen=True)
class JudgingJob:
    """What the job does with each day. It can be pickled, and holds neither text nor secret.

    Attributes:
      dataset: the published dataset; its restricted one has the candidates.
      inputs: patterns of the archive.
      settings: how the days were counted, how to load the secret, and how many conversations of a
        day to judge.
      margin: how long to follow conversations after their day.
      load_judge: makes the judge.
      days_a_pass: for how many days in a row the archive is read once.
      retry_missing: whether to look again for conversations that the archive lacked.
    """

    dataset: Dataset
    inputs: tuple[str, ...]
    settings: Settings
    margin: timedelta
    load_judge: ChosenJudge
    days_a_pass: int = 7
    retry_missing: bool = False


def find_days(dataset: Dataset, search: Search) -> list[Day]:
    """Returns the days that are over and have candidates, in order.

    Raises:
      InputError: if BigQuery can't be reached or refuses the query.
    """
    limits = {
        "day_us": DAY_US,
        "closed_us": search.now_us - search.after // _US,
        "since_us": search.now_us - search.lookback // _US,
        "settled_us": search.now_us - search.settled // _US,
        "overlap_us": _OVERLAP // _US,
    }
    sql = _DAYS_SQL
    for name, value in limits.items():
        sql = sql.replace(f"{{{name}}}", str(value))
    return [Day(row["start_us"], bool(row["is_changed"])) for row in query(dataset, sql)]


def judge_days(
    job: JudgingJob, days: Sequence[Day], judge: Judge, pseudonyms: Pseudonyms, clock: Clock
) -> Iterator[Tally]:
    """Judges days one after another, and yields a tally for each group of days in a row.

    Guarantees: a conversation is not judged again by the same version of a judge, except for the
    last few before a crash. What was loaded before an error stays valid.

    Args:
      job: what to do.
      days: the days, in order.
      judge: the judge.
      pseudonyms: the secret that the days were counted with.
      clock: returns the current time.

    Raises:
      InputError: if BigQuery can't be reached or refuses a request, the judge can't go on, the
        archive is damaged, or the days were counted with another secret.
    """
    for group in in_a_row(days, job.days_a_pass):
        sample = [row for day in group for row in _sample_of(job, day, pseudonyms.key_id, clock)]
        where = _within(group)
        rows = query_records(
            job.dataset, JUDGEMENTS, JudgementRow, "{restricted}.judgements_current", where
        )
        known = current_of(rows, judge)
        todo = unjudged(
            sample,
            known,
            retry_missing=job.retry_missing,
            may_change=may_change(job.load_judge.name),
        )
        tally = Tally(sampled=len(sample), known=len(sample) - len(todo))
        if todo:
            loads = _Loads(job.dataset)
            try:
                found = _transcripts(job, group, todo, pseudonyms, clock())
                tally += judge_sample(todo, found, judge, known, loads.save, clock)
            finally:
                loads.flush()
        yield tally


def in_a_row(days: Sequence[Day], most: int) -> list[list[Day]]:
    """Divides days into groups of at most `most` that follow each other without a gap."""
    groups: list[list[Day]] = []
    for day in days:
        last = groups[-1] if groups else []
        if last and day.start_us == last[-1].start_us + DAY_US and len(last) < most:
            last.append(day)
        else:
            groups.append([day])
    return groups


def _sample_of(job: JudgingJob, day: Day, key_id: str, clock: Clock) -> list[SampleRow]:
    """Returns the sample of a day; chooses and loads it first if the day's counts changed."""
    if not day.is_changed:
        return query_records(
            job.dataset, SAMPLE, SampleRow, "{restricted}.sample_current", _within([day])
        )
    candidates = query_records(
        job.dataset,
        CANDIDATES,
        CandidatesRow,
        "{restricted}.candidates_current",
        _within([day], "window_start"),
    )
    check_secret({row.key_id for row in candidates}, key_id)
    try:
        sample = choose(candidates, job.settings.judgements_per_day, clock())
    except ValueError as error:
        raise InputError(f"{date_of(day.start_us)}: {error}") from None
    load_records(job.dataset.restricted, SAMPLE, sample)
    return sample


def _transcripts(
    job: JudgingJob,
    group: Sequence[Day],
    todo: Sequence[SampleRow],
    pseudonyms: Pseudonyms,
    now_us: int,
) -> Iterator[Transcript]:
    first, last = date_of(group[0].start_us), date_of(group[-1].start_us)
    gap = job.settings.session_gap
    try:
        asked = DayRange.of(first, last, gap, job.margin, now_us)
    except ValueError as error:
        raise InputError(str(error)) from None
    settings = replace(job.settings, revision=now_us)
    listing = list_archive(job.inputs, first, last, settings, job.margin)
    groups = [files for files in listing.groups if files.found]
    if not groups:
        raise InputError(
            f"no file matches {', '.join(job.inputs)} for {first} to {last}; check the paths"
        )
    found = read_transcripts(
        [files.pattern for files in groups],
        todo,
        pseudonyms,
        gap,
        limits=settings.limits,
        listed=[files.found for files in groups],
        asked=asked,
    )
    return some_of(found, f"the archive from {first} to {last}", len(todo))


class _Loads:
    """Loads judgements into BigQuery, some at a time."""

    def __init__(self, dataset: Dataset, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._dataset = dataset
        self._clock_s = clock_s
        self._rows: list[JudgementRow] = []
        self._since_s = 0.0

    def save(self, row: JudgementRow) -> None:
        """Takes a judgement, and loads all that it has if they are many or old enough."""
        if not self._rows:
            self._since_s = self._clock_s()
        self._rows.append(row)
        is_old = self._clock_s() - self._since_s >= _SECONDS_A_LOAD
        if is_old or len(self._rows) >= _ROWS_A_LOAD:
            self.flush()

    def flush(self) -> None:
        """Loads all that it has."""
        load_records(self._dataset.restricted, JUDGEMENTS, self._rows)
        self._rows = []


def _within(days: Sequence[Day], column: str = "day") -> str:
    start, end = days[0].start_us, days[-1].start_us + DAY_US
    return f"{column} >= TIMESTAMP_MICROS({start}) AND {column} < TIMESTAMP_MICROS({end})"

"""Plans a backfill: the files to read for each day, the days already done, and the cost."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from importlib.metadata import version
from typing import Any, Final

from apache_beam.io.filesystem import FileMetadata

from pipelines.settings import Settings
from pipelines.sinks.bigquery import Dataset, query
from pipelines.sources.listing import Files, Listing
from pipelines.terminal.text import aligned, at
from schemas.failures import InputError
from schemas.records import BackfilledDay
from schemas.tables import METRICS_VERSION
from schemas.wire.values import lists_of
from transforms.counting.cells import DAY_US
from transforms.counting.days import DayRange, date_of, start_of

BYTES_A_VCPU_S: Final = 1_100_000
"""Bytes of an archive that one vCPU counts per second. Two cores took 37 s for 82 MB, a million
simulated events (`python -m tests.benchmarks.bench_cluster`). Long messages cost less per byte."""

VCPU_HOUR_USD: Final = 0.07
"""List price of a Dataflow batch vCPU with 3.75 GB of memory, us-central1, 2025."""

SETTLE: Final = timedelta(minutes=15)
"""The longest time from the publishing of a message until it is in the archive. A subscription
writes a file at least every ten minutes. So a day may be counted this long after the day's end, and
the time in a file's name may be earlier than the messages in the file by this much."""

_US: Final = timedelta(microseconds=1)
_DAYS_AGO: Final = re.compile(r"(\d{1,4})d")
_DONE_SQL: Final = """\
SELECT b.run, b.day, b.inputs_sha256, b.settings
FROM `{restricted}.backfills` AS b
INNER JOIN (
  SELECT DATE(window_start) AS day, MAX(generation) AS generation
  FROM `{restricted}.counts`
  WHERE origin = 'batch' AND window_kind = 'day'
  GROUP BY DATE(window_start)
) AS c
  ON DATE(b.day) = c.day AND b.run = c.generation
WHERE b.run IN (SELECT run FROM `{restricted}.ledger` WHERE origin = 'batch')
"""
_CURRENT_SQL: Final = """\
SELECT DATE(window_start) AS day, MAX(origin) AS origin, MAX(generation) AS generation
FROM `{restricted}.counts_current`
WHERE window_kind = 'day'
GROUP BY DATE(window_start)
"""
_SHOWN: Final = 6

Done = tuple[int, str, str]
"""A day's start, the SHA-256 of its list of input files, and the settings of its count."""


@dataclass(frozen=True)
class Plan:
    """One job of a backfill.

    Attributes:
      run: the number of the job's run in the ledger, which is also the generation of its rows.
      asked: the days that the job counts.
      inputs: the patterns that the job reads; each matches at least one file.
      listed: the files that each pattern matches.
      days: the inputs and settings of each day, for the table `backfills`.
      files, size_bytes: number and total size of the files that the job reads.
    """

    run: int
    asked: DayRange
    inputs: tuple[str, ...]
    listed: tuple[tuple[FileMetadata, ...], ...]
    days: tuple[BackfilledDay, ...]
    files: int
    size_bytes: int

    @property
    def vcpu_hours(self) -> float:
        """The estimated work of the job on Dataflow in vCPU hours."""
        return self.size_bytes / BYTES_A_VCPU_S / 3600


def day_of_text(text: str, now_us: int) -> date:
    """Parses a day that is written as a date, such as 2026-11-22, or as days ago: 1d is yesterday.

    Raises:
      ValueError: if the text is not a day.
    """
    ago = _DAYS_AGO.fullmatch(text.strip())
    if ago:
        return date_of(now_us) - timedelta(days=int(ago[1]))
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(
            f"{text!r} is not a day; write it as 2026-11-22, or as 7d for the day a week ago"
        ) from None


def check_is_over(last: date, now_us: int) -> None:
    """Checks that a day is over.

    Raises:
      InputError: if the day is not over. Its later events would stay hidden until the next
        backfill.
    """
    if start_of(last) + DAY_US + SETTLE // _US > now_us:
        over = date_of(now_us - SETTLE // _US) - timedelta(days=1)
        raise InputError(
            f"{last} is not over, and only the stream counts a day before its end; "
            f"backfill up to {over}"
        )


def list_archive(
    patterns: Sequence[str], first: date, last: date, settings: Settings, margin: timedelta
) -> Listing:
    """Lists the files that are needed to count a range of days, or any part of the range.

    Args:
      patterns: patterns of files; strftime fields in them stand for the publish time.
      first: the first day to count.
      last: the last day to count.
      settings: how to count; the revision in them is the present time.
      margin: how long to follow conversations after the last day.

    Raises:
      InputError: if a pattern can't be listed.
    """
    return Listing.of(patterns, *_published(_asked(first, last, settings, margin), settings))


def plan(
    archive: Listing,
    first: date,
    last: date,
    settings: Settings,
    margin: timedelta,
    *,
    may_be_empty: bool = False,
) -> Plan:
    """Plans to count some days in one job.

    Args:
      archive: the files of these days; the archive may also list files of other days.
      first: the first day to count.
      last: the last day to count.
      settings: how to count; the revision in them is the present time.
      margin: how long to follow conversations after the last day.
      may_be_empty: whether to count a day without files as a day without conversations.

    Raises:
      InputError: if no file matches, or if a day has no file and `may_be_empty` is False.
    """
    asked = _asked(first, last, settings, margin)
    groups = archive.within(*_published(asked, settings))
    days = [date_of(us) for us in asked.starts()]
    if not may_be_empty:
        _check_has_files(days, groups)
    if not any(group.found for group in groups):
        raise InputError(
            f"no file matches {', '.join(archive.patterns)} for {first} to {last}; check the paths"
        )
    settings_text = _settings_text(settings, margin)
    return Plan(
        settings.revision,
        asked,
        tuple(group.pattern for group in groups if group.found),
        tuple(group.found for group in groups if group.found),
        tuple(
            _day(day, groups, _asked(day, day, settings, margin), settings, settings_text)
            for day in days
        ),
        sum(len(group.found) for group in groups),
        _size(group.found for group in groups),
    )


def first_with_files(archive: Listing, first: date, last: date) -> date:
    """Returns the day of the earliest file, but no day before `first` or after `last`.

    Days before the returned day have no files, for example because old files were deleted. If there
    are no files at all, the function returns `last`.
    """
    starts = [date_of(group.start_us) for group in archive.groups if group.found]
    return min(max([first, *([min(starts)] if starts else [last])]), last)


def undone_days(planned: Plan, done: Collection[Done]) -> list[date]:
    """Returns the days of a plan that are not done, in order.

    Args:
      planned: the plan of the days.
      done: the days that are done, as returned by `done_days`.
    """
    return [
        date_of(day.day_us)
        for day in planned.days
        if (day.day_us, day.inputs_sha256, day.settings) not in done
    ]


def done_days(dataset: Dataset) -> frozenset[Done]:
    """Returns the days that are done: the days whose newest batch was written by a backfill.

    Raises:
      InputError: if BigQuery can't be reached or refuses the query.
    """
    return frozenset(
        (
            (row["day"] - datetime(1970, 1, 1, tzinfo=UTC)) // _US,
            row["inputs_sha256"],
            row["settings"],
        )
        for row in query(dataset, _DONE_SQL)
    )


def counted_days(dataset: Dataset) -> dict[date, tuple[str, int]]:
    """Returns the current origin and newest generation of each day.

    Raises:
      InputError: if BigQuery can't be reached or refuses the query.
    """
    return {row["day"]: (row["origin"], row["generation"]) for row in query(dataset, _CURRENT_SQL)}


def plan_lines(plans: Sequence[Plan], counted: Mapping[date, tuple[str, int]]) -> list[str]:
    """Returns lines of plain text that say what the plans would read, replace and cost."""
    if not plans:
        return ["nothing to do: every day is done from the same files with the same settings"]
    table = [("day", "replaces", "counted since", "files", "MB")]
    for day in (day for each in plans for day in each.days):
        origin, generation = counted.get(date_of(day.day_us), (None, None))
        table.append(
            (
                str(date_of(day.day_us)), origin or "nothing", at(generation),
                f"{day.files:,}", f"{day.size_bytes / 1e6:,.1f}",
            )
        )  # fmt: skip
    lines = aligned(table, names=2)
    for each in plans:
        lines += ["", *_job_lines(each)]
    hours = sum(each.vcpu_hours for each in plans)
    lines += [
        "",
        f"about {hours:.2f} vCPU hours, ${hours * VCPU_HOUR_USD:.2f} at the list price of Dataflow "
        f"(${VCPU_HOUR_USD} an hour with its memory), and some minutes for its machines to start; "
        "loading into BigQuery costs nothing",
        "dry run: nothing was read or written",
    ]
    return lines


def _job_lines(planned: Plan) -> list[str]:
    asked = planned.asked
    return [
        f"job: {date_of(asked.first_us)} to {date_of(asked.last_us)}, "
        f"{planned.files:,} files, {planned.size_bytes / 1e6:,.1f} MB",
        f"  counts messages sent from {at(asked.sent_from_us)} to {at(asked.sent_before_us)} UTC",
        *(f"  reads {pattern}" for pattern in planned.inputs[:_SHOWN]),
        *([f"  and {rest} more"] if (rest := len(planned.inputs) - _SHOWN) > 0 else []),
    ]


def _asked(first: date, last: date, settings: Settings, margin: timedelta) -> DayRange:
    try:
        return DayRange.of(first, last, settings.session_gap, margin, settings.revision)
    except ValueError as error:
        raise InputError(str(error)) from None


def _published(asked: DayRange, settings: Settings) -> tuple[int, int]:
    """Returns the earliest and latest publish time of the days' messages, with some margin."""
    limits = settings.limits
    return (
        asked.sent_from_us - limits.max_future_us - SETTLE // _US,
        min(asked.sent_before_us + limits.allowed_lateness_us, settings.revision) + SETTLE // _US,
    )


def _check_has_files(days: Iterable[date], groups: Sequence[Files]) -> None:
    for day in days:
        start_us = start_of(day)
        mine = [g for g in groups if g.start_us < start_us + DAY_US and start_us < g.end_us]
        if not any(group.found for group in mine):
            raise InputError(
                f"there is no file for {day}, so a backfill would show no conversations on it; "
                "restore the archive, or give --empty_days if the day really had no conversations"
            )


def _day(
    day: date, groups: Sequence[Files], asked: DayRange, settings: Settings, settings_text: str
) -> BackfilledDay:
    start_us, end_us = _published(asked, settings)
    files = sorted(
        (file.path, file.size_in_bytes, file.last_updated_in_seconds)
        for group in groups
        if group.start_us < end_us and start_us < group.end_us
        for file in group.found
    )
    return BackfilledDay(
        run=settings.revision,
        day_us=start_of(day),
        files=len(files),
        size_bytes=sum(size for _, size, _ in files),
        inputs_sha256=hashlib.sha256(json.dumps(files).encode()).hexdigest(),
        settings=settings_text,
    )


def _settings_text(settings: Settings, margin: timedelta) -> str:
    said: dict[str, Any] = {
        # Another release may count differently, if only because a bug is fixed.
        "release": version("undertone"),
        "session_gap_s": settings.session_gap.total_seconds(),
        "margin_s": margin.total_seconds(),
        "allowed_lateness_s": settings.allowed_lateness.total_seconds(),
        "max_conversations_per_user": settings.max_conversations_per_user,
        "judgements_per_day": settings.judgements_per_day,
        "max_event_bytes": settings.max_event_bytes,
        "values": lists_of(settings.values),
        "metrics_version": METRICS_VERSION,
        "classifier_version": settings.classifier_version,
    }
    return json.dumps(said, sort_keys=True)


def _size(groups: Iterable[Sequence[FileMetadata]]) -> int:
    return sum(file.size_in_bytes for group in groups for file in group)

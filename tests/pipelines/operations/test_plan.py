"""The files that a backfill reads, leaves out or refuses, in an archive with folders by day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from pipelines.operations.plan import (
    Plan,
    check_is_over,
    day_of_text,
    first_with_files,
    list_archive,
    plan,
    plan_lines,
    undone_days,
)
from schemas.failures import InputError
from tests.builders import HOUR_US, MONDAY_US, avro_event
from tests.pipelines.running import EXACT
from tests.schemas.payloads import write_avro
from transforms.counting.cells import DAY_US
from transforms.counting.days import start_of

MONDAY: Final = date(2025, 6, 2)
DAY: Final = timedelta(days=1)
NOW_US: Final = MONDAY_US + 40 * DAY_US
SETTINGS: Final = replace(EXACT, revision=NOW_US)


def archive(folder: Path, days: Sequence[int]) -> str:
    """Writes one file into each day's folder, and returns the pattern of the archive.

    Days are numbers counted from Monday.
    """
    for offset in days:
        day = MONDAY + offset * DAY
        path = folder / f"{day:%Y}" / f"{day:%m}" / f"{day:%d}" / "12_00_00Z.avro"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_avro(path, [avro_event()])
    return str(folder / "%Y" / "%m" / "%d" / "*.avro")


def planned(pattern: str, first: int = 0, last: int = 0, **more: Any) -> Plan:
    """Plans a range of days; days are numbers counted from Monday."""
    margin = more.pop("margin", timedelta(days=2))
    settings = more.pop("settings", SETTINGS)
    days = MONDAY + first * DAY, MONDAY + last * DAY
    return plan(list_archive([pattern], *days, settings, margin), *days, settings, margin, **more)


def days_read(made: Plan) -> list[str]:
    """Returns the months and days of the files that a plan reads."""
    return ["/".join(pattern.split("/")[-3:-1]) for pattern in made.inputs]


def test_the_days_around_are_read_too(tmp_path: Path) -> None:
    """Before the day, a plan also reads the gap plus some minutes.

    After the day, it reads the margin plus the lateness.
    """
    made = planned(archive(tmp_path, range(-9, 12)))
    assert days_read(made) == ["05/31", *(f"06/{day:02}" for day in range(1, 8))]
    assert made.files == 8
    assert (
        made.size_bytes
        == sum(p.stat().st_size for p in tmp_path.rglob("0[1-7]/*.avro"))
        + (tmp_path / "2025/05/31/12_00_00Z.avro").stat().st_size
    )


def test_hours_are_read_if_the_pattern_names_them(tmp_path: Path) -> None:
    """If the pattern has %H, a plan searches only the hours that it needs."""
    for hour in (22, 23):
        path = tmp_path / "2025" / "05" / "31" / f"{hour}_10_00Z.avro"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_avro(path, [avro_event()])
    archive(tmp_path, [0])
    made = planned(str(tmp_path / "%Y" / "%m" / "%d" / "%H_*.avro"))
    assert [Path(pattern).name for pattern in made.inputs] == ["23_*.avro", "12_*.avro"]


def test_a_pattern_without_a_time_is_read_whole(tmp_path: Path) -> None:
    """Without a time in the pattern, every day is counted from all files."""
    write_avro(tmp_path / "a.avro", [avro_event()])
    made = planned(str(tmp_path / "*.avro"), 0, 1)
    assert made.inputs == (str(tmp_path / "*.avro"),)
    assert [day.files for day in made.days] == [1, 1]


def test_a_day_without_files_is_refused(tmp_path: Path) -> None:
    """A day without files is an error, unless empty days are allowed."""
    pattern = archive(tmp_path, [0, 2])
    with pytest.raises(InputError, match="there is no file for 2025-06-03"):
        planned(pattern, 0, 2)
    assert len(planned(pattern, 0, 2, may_be_empty=True).days) == 3


@pytest.mark.parametrize("may_be_empty", [False, True])
def test_an_archive_without_files_is_refused(tmp_path: Path, may_be_empty: bool) -> None:
    """Even if empty days are allowed, an archive without any file is taken for a wrong path."""
    with pytest.raises(InputError, match="no file"):
        planned(str(tmp_path / "%Y" / "%m" / "%d" / "*.avro"), may_be_empty=may_be_empty)


@pytest.mark.parametrize("pattern", ["a/%Y/*.avro", "a/%Y/%m/%d/%M.avro", "a/100%/x.avro"])
def test_a_pattern_with_other_fields_is_refused(pattern: str) -> None:
    """A pattern may have only year, month, day and optionally hour."""
    with pytest.raises(InputError, match="must name the time of its files by %Y, %m, %d"):
        planned(pattern)


def test_what_a_day_is_counted_from_does_not_depend_on_the_range(tmp_path: Path) -> None:
    """A day has the same files and the same hash, whether planned alone or in a range."""
    pattern = archive(tmp_path, range(-9, 12))
    alone, (_, among, _) = planned(pattern, 1, 1).days, planned(pattern, 0, 2).days
    assert alone == (among,)
    assert among.files == 8


def test_a_done_day_is_left_out_until_a_file_comes(tmp_path: Path) -> None:
    """A done day must be counted again if a file in its span is new or a setting has changed."""
    pattern = archive(tmp_path, range(-2, 12))
    made = planned(pattern)
    done = {(day.day_us, day.inputs_sha256, day.settings) for day in made.days}
    assert undone_days(made, done) == []
    later = replace(SETTINGS, revision=NOW_US + HOUR_US)
    assert undone_days(planned(pattern, settings=later), done) == []
    assert undone_days(planned(pattern, margin=timedelta(days=1)), done) == [MONDAY]
    write_avro(tmp_path / "2025" / "06" / "06" / "late.avro", [avro_event()])
    assert undone_days(planned(pattern, 0, 1), done) == [MONDAY, MONDAY + DAY]


def test_a_file_outside_the_margin_changes_nothing(tmp_path: Path) -> None:
    """A file later than a day's margin and lateness does not change the plan of that day.

    The file belongs to other days.
    """
    pattern = archive(tmp_path, range(-2, 12))
    before = planned(pattern).days
    write_avro(tmp_path / "2025" / "06" / "09" / "late.avro", [avro_event()])
    assert planned(pattern).days == before


@pytest.mark.parametrize(
    ("text", "expected"),
    [("2025-06-02", MONDAY), ("1d", MONDAY + 39 * DAY), ("0d", MONDAY + 40 * DAY)],
)
def test_a_day_is_a_date_or_so_many_days_ago(text: str, expected: date) -> None:
    """A day may be a date or a number of days ago; both are in UTC."""
    assert day_of_text(text, NOW_US + 23 * HOUR_US) == expected


@pytest.mark.parametrize("text", ["yesterday", "2025-13-01", "7", "-1d", "99999d", ""])
def test_another_word_is_not_a_day(text: str) -> None:
    """If a word is not a day, the error shows it and gives examples."""
    with pytest.raises(ValueError, match="is not a day; write it as 2026-11-22, or as 7d"):
        day_of_text(text, NOW_US)


def test_a_day_that_is_not_over_is_refused() -> None:
    """A day is refused until it is over and its archive is complete."""
    end_us = start_of(MONDAY) + DAY_US
    with pytest.raises(InputError, match=r"2025-06-02 is not over.*backfill up to 2025-06-01"):
        check_is_over(MONDAY, end_us + 60_000_000)
    check_is_over(MONDAY, end_us + 15 * 60_000_000)


def test_a_dry_run_says_what_it_would_do(tmp_path: Path) -> None:
    """A dry run shows the days and the rows that they replace.

    It also shows the files, their sizes, the work and the price.
    """
    made = planned(archive(tmp_path, range(-2, 12)), 0, 1)
    lines = plan_lines([made], {MONDAY: ("stream", NOW_US)})
    assert [line.split()[:2] for line in lines[1:3]] == [
        ["2025-06-02", "stream"], ["2025-06-03", "nothing"],
    ]  # fmt: skip
    assert any("job: 2025-06-02 to 2025-06-03, 9 files" in line for line in lines)
    assert any("vCPU hours" in line for line in lines)
    assert plan_lines([], {}) == [
        "nothing to do: every day is done from the same files with the same settings"
    ]


def test_days_of_a_larger_listing_are_planned_as_if_listed_alone(tmp_path: Path) -> None:
    """A job reads only the files that its days need, even if the listing has more files."""
    pattern = archive(tmp_path, range(-9, 12))
    days = MONDAY + DAY, MONDAY + 2 * DAY
    whole = list_archive([pattern], MONDAY - 5 * DAY, MONDAY + 8 * DAY, SETTINGS, 2 * DAY)
    assert plan(whole, *days, SETTINGS, 2 * DAY) == planned(pattern, 1, 2)


def test_days_before_the_archive_are_left_out(tmp_path: Path) -> None:
    """The first day to count is the day of the earliest file, but within the requested range."""
    pattern = archive(tmp_path, [1, 2])

    def found(first: date, last: date) -> date:
        return first_with_files(
            list_archive([pattern], first, last, SETTINGS, 2 * DAY), first, last
        )

    assert found(MONDAY - 3 * DAY, MONDAY + 2 * DAY) == MONDAY + DAY
    assert found(MONDAY + 2 * DAY, MONDAY + 2 * DAY) == MONDAY + 2 * DAY
    assert found(MONDAY - 30 * DAY, MONDAY - 20 * DAY) == MONDAY - 20 * DAY

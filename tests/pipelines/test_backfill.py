"""Tests the graph of a backfill: its days are counted as in a run over all data."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

import apache_beam as beam
import pytest
from apache_beam.io.filesystems import FileSystems
from apache_beam.io.gcp.bigquery import WriteToBigQuery

from pipelines import backfill
from pipelines.sinks.bigquery import Dataset
from pipelines.sources.secret import local_secret
from pipelines.terminal.errors import exit_code_of
from schemas.counts import CountsRow
from schemas.tables import BATCH
from tests.builders import HOUR_US, MONDAY_US, avro_event
from tests.pipelines.running import EXACT, KEPT, Result, chunk, keep, run_bounded
from tests.schemas.payloads import write_avro
from transforms.counting.cells import DAY_US, day_of
from transforms.counting.days import DayRange

SECRET: Final = f"--secret={local_secret().path}"
NOWHERE: Final = [
    "--dataset=my-project.undertone", "--from=2025-06-02", "--to=2025-06-03", SECRET,
]  # fmt: skip
TUESDAY: Final = date(2025, 6, 3)


class _Keep(beam.PTransform[Any, Any]):
    """Replaces BigQuery, and records the table of each row."""

    Method = WriteToBigQuery.Method

    def __init__(self, table: str, **_: Any) -> None:
        super().__init__()
        self._table = table

    def expand(self, rows: Any) -> Any:
        return rows | beam.Map(keep, self._table)


GAP: Final = EXACT.session_gap


def said(conversation: str, *hours: int) -> list[dict[str, Any]]:
    """Returns messages of one conversation; `hours` are counted from Monday, 00:00."""
    return [
        avro_event(
            event_id=f"{conversation}-{hour}",
            conversation_id=conversation,
            user_id=conversation,
            text="label:coaching:0",
            sent_at_us=MONDAY_US + hour * HOUR_US,
        )
        for hour in hours
    ]


def asked(last: date = TUESDAY, margin: timedelta = timedelta(days=7), **more: int) -> DayRange:
    """Returns a range of days that begins on Tuesday."""
    return DayRange.of(TUESDAY, last, GAP, margin, **more)


EVENTS: Final = [
    *said("began-monday", 20, 25, 30),
    *said("stays", 30, 31),
    *said("goes-on", 40, 60, 80, 100),
    *said("twice", 24, 55),
    *said("wednesday", 50),
    *said("long-ago", -40),
]


def rows_of_day(result: Result, day_us: int) -> list[CountsRow]:
    """Returns the rows of a day and its hours, in order."""
    rows = [r for r in result.rows if r.window_kind in {"hour", "day"}]
    return sorted((r for r in rows if day_of(r.window_start_us) == day_us), key=repr)


def test_a_day_is_counted_as_in_a_run_over_everything() -> None:
    """A backfill writes the same rows for its days as a run over all data, and no other rows."""
    everything = run_bounded([chunk(EVENTS)])
    only = run_bounded([chunk(EVENTS)], replace(EXACT, asked=asked()))
    of_tuesday = rows_of_day(everything, MONDAY_US + DAY_US)
    assert rows_of_day(only, MONDAY_US + DAY_US) == of_tuesday
    others = [r for r in only.rows if r.window_kind in {"hour", "day"} and r not in of_tuesday]
    assert others == []
    assert {r.window_kind for r in only.rows} == {"hour", "day", "range"}  # No week is whole.
    assert {row.origin for row in only.rows} == {BATCH}
    assert len(of_tuesday) > 0


def test_every_record_and_conversation_is_accounted_for() -> None:
    """The ledger balances.

    It has accounts for messages out of range and for conversations that count on other days.
    """
    accounts = run_bounded([chunk(EVENTS)], replace(EXACT, asked=asked())).accounts()
    assert accounts == {
        ("read", ""): 13,
        ("counted", ""): 12,
        ("out_of_range", ""): 1,
        ("conversation", ""): 6,
        ("tallied", ""): 3,
        ("other_day", ""): 3,
    }


def test_conversations_that_may_go_on_are_counted() -> None:
    """A conversation that may continue after the period that is read is counted on its own day."""
    short = asked(margin=timedelta(hours=24))
    accounts = run_bounded([chunk(EVENTS)], replace(EXACT, asked=short)).accounts()
    assert accounts["open_at_end", "2025-06-03"] == 1


def test_a_day_without_conversations_is_counted() -> None:
    """A day without conversations gets a row, which replaces all counts of the stream."""
    last = TUESDAY + timedelta(days=1)
    settings = replace(EXACT, asked=asked(last))
    rows = run_bounded([chunk(said("stays", 30))], settings).rows
    (empty,) = [r for r in rows if r.window_start_us == MONDAY_US + 2 * DAY_US]
    assert (empty.window_kind, empty.breakdown, empty.cells) == ("day", "overall", "{}")
    assert (empty.conversations, empty.generation) == (0, settings.revision)


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ([], "BigQuery loads rows from files, which need a folder; give --temp_location=gs://…"),
        (["--days_a_job=0"], "days_a_job must be at least 1, got 0; use e.g. 31"),
        (["--from=2025-06-04"], "--to 2025-06-03 is before --from 2025-06-04; swap the two"),
        (
            ["--to=soon"],
            "'soon' is not a day; write it as 2026-11-22, or as 7d for the day a week ago",
        ),
        (["--resume_now"], "neither Undertone nor Beam has a flag --resume_now; see --help"),
    ],
)
def test_a_wrong_flag_is_one_sentence(
    flags: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is read or written, the error says what is wrong and what to do."""
    archive = write_avro(tmp_path / "a.avro", said("stays", 30))
    given = [*NOWHERE, f"--input={archive}", *flags]
    assert exit_code_of(lambda: backfill.run(given)) == 2
    assert capsys.readouterr().err == f"undertone: {sentence}\n"


def test_the_archive_is_listed_once_for_all_jobs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A single listing gives the archive's start, the finished days, and the files of every job."""
    folders = [tmp_path / f"2025/06/{day:02}" for day in range(2, 8)]
    for folder in folders:
        folder.mkdir(parents=True)
        write_avro(folder / "a.avro", said("stays", 30))
    listed: Counter[str] = Counter()
    match = FileSystems.match

    def counted(patterns: list[str], limits: list[int] | None = None) -> Any:
        listed.update(patterns)
        return match(patterns, limits)

    monkeypatch.setattr(FileSystems, "match", counted)
    pattern = str(tmp_path / "%Y/%m/%d/*.avro")
    given = ["--dataset=my-project.undertone", "--from=2025-06-02", "--to=2025-06-05", SECRET]
    arguments = backfill.parser().parse_args([*given, f"--input={pattern}", "--margin=1d"])
    settings = replace(EXACT, revision=MONDAY_US + 40 * DAY_US)
    plans = backfill._plans(arguments, settings, frozenset(), days_a_job=2)
    monkeypatch.setattr("pipelines.sinks.write.WriteToBigQuery", _Keep)
    for planned in plans:
        dataset = Dataset.of("my-project.undertone", "")
        backfill.build(beam.Pipeline(), planned, dataset, settings)
    assert len(plans) == 2
    assert set(listed) >= {f"{folder}/*.avro" for folder in folders}
    assert max(listed.values()) == 1


def test_no_row_is_written_before_the_ledger_balances(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counts wait for the ledger. If it does not balance, no count is written."""
    KEPT.clear()
    monkeypatch.setattr("pipelines.sinks.write.WriteToBigQuery", _Keep)
    monkeypatch.setattr("transforms.balance.imbalance", lambda _: "the ledger does not balance")
    archive = write_avro(tmp_path / "a.avro", said("stays", 30))
    given = [*NOWHERE, f"--input={archive}", "--temp_location=gs://b/t"]
    assert exit_code_of(lambda: backfill.run(given)) == 2
    assert not [table for table in KEPT if table.endswith(".counts")]
    monkeypatch.undo()
    monkeypatch.setattr("pipelines.sinks.write.WriteToBigQuery", _Keep)
    assert exit_code_of(lambda: backfill.run(given)) == 0
    assert [table for table in KEPT if table.endswith(".counts")]

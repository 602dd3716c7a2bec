"""Tests the judging job on the BigQuery emulator: sampled, judged once, resumed, without text."""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Container, Iterable
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from pipelines import judge
from pipelines.judges.registry import ChosenJudge
from pipelines.judging.dataset import Day, JudgingJob, Search, find_days, in_a_row, judge_days
from pipelines.judging.work import JudgeStoppedError, Tally
from pipelines.settings import Settings
from pipelines.sinks.archive import write_archive
from pipelines.sinks.bigquery import Dataset, query
from pipelines.sinks.records import load_records
from pipelines.terminal.errors import exit_code_of
from schemas.failures import InputError
from schemas.judged import CANDIDATES, CandidatesRow
from tests.builders import (
    GAP_US,
    HOUR_US,
    MONDAY_US,
    OPERATOR_SECRET,
    PSEUDONYMS,
    SECOND_US,
    avro_event,
    load_pseudonyms,
)
from tests.pipelines.judges.builders import counted, name_of
from tests.pipelines.judging.judges import SimpleJudge
from transforms.counting.candidates import Candidates, candidate_of
from transforms.counting.cells import DAY_US, day_of
from transforms.counting.contribution import rank_of
from transforms.counting.profile import profile_of

SAID: Final = "zanzibar-quetzal-7731"
NOW_US: Final = MONDAY_US + 40 * DAY_US
MONDAY: Final = date(2025, 6, 2)
SETTINGS: Final = Settings(load_pseudonyms=load_pseudonyms, judgements_per_day=5)


def events(day: int, conversations: int) -> list[dict[str, Any]]:
    """Builds conversations of two human messages that begin on a day, one in each hour."""
    return [
        avro_event(
            event_id=f"{day}-{number}-{at}",
            conversation_id=f"{day}-{number}",
            text=f"label:other:0:{SAID}",
            sent_at_us=MONDAY_US + day * GAP_US + number * HOUR_US + at * SECOND_US,
        )
        for number in range(conversations)
        for at in range(2)
    ]


def candidates(rows: Iterable[dict[str, Any]], **other: Any) -> list[CandidatesRow]:
    """Counts events, and returns the candidates of each hour, as a stream writes them."""
    hours: defaultdict[int, Candidates] = defaultdict(Candidates)
    for conversation, _, summary in counted(rows):
        start_us = summary.started_at_us
        hour = hours[start_us - start_us % HOUR_US]
        hour.add(candidate_of(rank_of(conversation), day_of(start_us), profile_of(summary)))
    fields: dict[str, Any] = {
        "edge": None, "generation": 1, "snapshot": 1, "revision": 1, "origin": "stream",
        "key_id": PSEUDONYMS.key_id, "metrics_version": "2", "classifier_version": "labels",
    }  # fmt: skip
    return [
        CandidatesRow(
            window_start_us=start_us, window_end_us=start_us + HOUR_US, candidates=hour.text(),
            **(fields | other),
        )
        for start_us, hour in hours.items()
    ]  # fmt: skip


def archive(folder: Path, *days: int, conversations: int = 6) -> str:
    """Writes an archive with a file for each day, and returns its pattern."""
    for day in days:
        name = f"{MONDAY + timedelta(days=day):%Y-%m-%d}.avro"
        write_archive(folder / name, events(day, conversations))
    return str(folder / "%Y-%m-%d.avro")


def job_of(dataset: Dataset, pattern: str, **other: Any) -> JudgingJob:
    """Builds a job that judges at most five conversations of each day."""
    chosen = ChosenJudge(argparse.Namespace(judge="simple"))
    return JudgingJob(dataset, (pattern,), SETTINGS, timedelta(days=2), chosen, **other)


def found(dataset: Dataset, days: Container[int], now_us: int = NOW_US) -> list[Day]:
    """Returns those of some days, counted from `MONDAY`, that are to be judged."""
    every = find_days(dataset, Search(now_us, timedelta(days=50)))
    return [day for day in every if (day.start_us - MONDAY_US) // DAY_US in days]


def judged(job: JudgingJob, by: Any, days: Container[int], now_us: int = NOW_US) -> Tally:
    """Judges some days."""
    given = found(job.dataset, days, now_us)
    return sum(judge_days(job, given, by, PSEUDONYMS, lambda: now_us), Tally())


def rows(dataset: Dataset, table: str, days: range) -> list[dict[str, Any]]:
    """Returns the rows of a restricted table or view that belong to some days."""
    first, last = (MONDAY + timedelta(days=day) for day in (days[0], days[-1]))
    return query(
        dataset,
        f"SELECT * FROM `{{restricted}}.{table}` WHERE day BETWEEN '{first}' AND '{last}' "
        "ORDER BY conversation",
    )


def test_days_that_are_over_are_judged_once(dataset: Dataset, tmp_path: Path) -> None:
    """Each day gets a sample within the budget, and the second run finds nothing to do."""
    load_records(dataset.restricted, CANDIDATES, candidates(events(0, 6) + events(1, 3)))
    job, days = job_of(dataset, archive(tmp_path, 0, 1)), range(2)
    first, second = SimpleJudge(), SimpleJudge()
    tally = judged(job, first, days)
    assert (tally.sampled, tally.statuses) == (8, {"judged": 8})
    sampled = rows(dataset, "sample_current", days)
    said = rows(dataset, "judgements_current", days)
    assert [row["conversation"] for row in said] == [row["conversation"] for row in sampled]
    assert [row["human_messages"] for row in said] == [row["human_messages"] for row in sampled]
    assert not any(day.is_changed for day in found(dataset, days))
    tally = judged(job, second, days, NOW_US + HOUR_US)
    assert (tally.sampled, tally.known, second.asked) == (8, 8, [])
    assert rows(dataset, "sample", days) == sampled
    assert SAID not in str(rows(dataset, "sample", days) + rows(dataset, "judgements", days))


def test_a_backfilled_day_is_sampled_again(dataset: Dataset, tmp_path: Path) -> None:
    """New counts make a new sample; only conversations that are new in it are judged."""
    load_records(dataset.restricted, CANDIDATES, candidates(events(4, 2)))
    job, days = job_of(dataset, archive(tmp_path, 4)), range(4, 5)
    first, second = SimpleJudge(), SimpleJudge()
    judged(job, first, days)
    batch = {"origin": "batch", "generation": NOW_US, "snapshot": NOW_US, "revision": NOW_US}
    load_records(dataset.restricted, CANDIDATES, candidates(events(4, 4), **batch))
    tally = judged(job, second, days, NOW_US + 2 * HOUR_US)
    assert (tally.sampled, tally.known, len(second.asked)) == (4, 2, 2)
    assert len(rows(dataset, "sample_current", days)) == 4
    assert len(rows(dataset, "sample", days)) == 6


def test_a_judge_that_stops_goes_on_later(dataset: Dataset, tmp_path: Path) -> None:
    """What it said before is loaded; a conversation that the archive lacks is missing."""
    load_records(dataset.restricted, CANDIDATES, candidates(events(7, 5)))
    job, days = job_of(dataset, archive(tmp_path, 7, conversations=4)), range(7, 8)
    first, second = SimpleJudge(most=2), SimpleJudge()
    with pytest.raises(JudgeStoppedError, match="the money is spent"):
        judged(job, first, days)
    assert len(rows(dataset, "judgements", days)) == 2
    tally = judged(job, second, days)
    assert tally.statuses == {"judged": 2, "missing": 1}
    again = SimpleJudge()
    assert judged(job, again, days).known == 5
    archive(tmp_path, 7, conversations=5)
    tally = judged(job_of(dataset, job.inputs[0], retry_missing=True), again, days)
    assert tally.statuses == {"judged": 1}
    current = rows(dataset, "judgements_current", days)
    assert [row["status"] for row in current] == ["judged"] * 5


def test_the_job_is_a_beam_job(
    dataset: Dataset, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The program judges with a file of labels, says what became of the sample, and no text."""
    load_records(dataset.restricted, CANDIDATES, candidates(events(10, 3)))
    names = [name_of(PSEUDONYMS.conversation(f"10-{number}")) for number in range(3)]
    labels = tmp_path / "labels.jsonl"
    lines = [json.dumps({"conversation": name, "use": "work"}) for name in names[:2]]
    labels.write_text("\n".join(lines) + "\n")
    secret = tmp_path / "secret"
    secret.touch(mode=0o600)
    secret.write_bytes(OPERATOR_SECRET)
    flags = [
        f"--dataset={dataset}", f"--bigquery_url={dataset.url}", f"--secret={secret}",
        f"--input={archive(tmp_path, 10)}", "--judge=labels", f"--labels={labels}", "--days=100000",
    ]  # fmt: skip
    only = found(dataset, range(10, 11))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judge, "find_days", lambda *_: only)
        assert exit_code_of(lambda: judge.run(flags)) == 0
    shown = capfd.readouterr()
    assert "1 days, 3 conversations sampled: 0 judged before, 2 judged" in shown.err
    assert SAID not in shown.out + shown.err
    said = {row["conversation"]: row["use"] for row in rows(dataset, "judgements", range(10, 11))}
    assert said == dict.fromkeys(names[:2], "work")


def test_only_closed_and_settled_days_are_found(dataset: Dataset) -> None:
    """A day is judged some time after its end, and not while a stream writes it again."""
    fresh = candidates(events(36, 1), snapshot=NOW_US - 60 * SECOND_US)
    load_records(
        dataset.restricted, CANDIDATES,
        [*candidates(events(39, 1)), *candidates(events(37, 1)), *fresh],
    )  # fmt: skip
    days = [(day.start_us - MONDAY_US) // DAY_US for day in found(dataset, range(30, 45))]
    assert days == [37]


def test_a_missing_archive_or_another_secret_is_refused(dataset: Dataset, tmp_path: Path) -> None:
    """Neither marks conversations as missing."""
    load_records(dataset.restricted, CANDIDATES, candidates(events(13, 2), key_id="00000000"))
    with pytest.raises(InputError, match="were counted with the secret 00000000"):
        judged(job_of(dataset, archive(tmp_path, 13)), SimpleJudge(), range(13, 14))
    load_records(dataset.restricted, CANDIDATES, candidates(events(16, 2)))
    with pytest.raises(InputError, match=r"no file matches .* for 2025-06-18 to 2025-06-18"):
        judged(job_of(dataset, archive(tmp_path)), SimpleJudge(), range(16, 17))
    assert rows(dataset, "judgements", range(13, 17)) == []


def test_days_in_a_row_share_a_pass() -> None:
    """The archive is read once for some days, but not for the weeks between two days."""
    days = [Day(number * DAY_US, True) for number in (0, 1, 2, 3, 9, 10)]
    groups = [[day.start_us // DAY_US for day in group] for group in in_a_row(days, 3)]
    assert groups == [[0, 1, 2], [3], [9, 10]]

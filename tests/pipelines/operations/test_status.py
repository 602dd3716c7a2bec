"""The status of a job, as read from the tables in a run's folder."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from pipelines.commands.main import main
from pipelines.operations.status import Status, read_status, status_json, status_lines
from pipelines.sinks.database import query_run
from pipelines.terminal.text import ago, aligned, at
from schemas.counts import CountsRow
from schemas.failures import InputError
from schemas.published import PUBLICATIONS
from schemas.records import DeadLetter, LedgerTotal
from schemas.tables import BATCH, DEAD_LETTERS, LEDGER, STREAM
from tests.builders import HOUR_US, MONDAY_US, SECOND_US
from tests.run_folders import as_written, counted, counts_row, receipt, write_table
from transforms.counting.cells import DAY_US

NOW_US: Final = MONDAY_US + DAY_US
RUN: Final = MONDAY_US
BALANCED: Final = (
    ("read", "", 9),
    ("counted", "", 5),
    ("late", "", 1),
    ("dead_letter", "oversize", 2),
    ("dead_letter", "invalid_role", 1),
    ("conversation", "", 4),
    ("tallied", "", 4),
)


def ledger(
    accounts: Iterable[tuple[str, str, int]], run: int = RUN, revision: int = RUN
) -> list[LedgerTotal]:
    """Builds the ledger totals of a run; a repeated account becomes a later revision."""
    return [
        LedgerTotal(run, account, reason, records, revision + place)
        for place, (account, reason, records) in enumerate(accounts)
    ]


def letter(reason: str, payload: str = "0") -> DeadLetter:
    """Builds a dead letter."""
    return DeadLetter("decode", reason, "s", "e0", None, None, MONDAY_US, 9, payload * 64)


def status_of(
    folder: Path,
    totals: Sequence[LedgerTotal] = (),
    rows: Iterable[CountsRow] = (),
    letters: Iterable[DeadLetter] = (),
    **options: Any,
) -> Status:
    """Reads the status of a run with these rows, one day after its start."""
    write_table(folder, LEDGER, totals)
    write_table(folder, DEAD_LETTERS, as_written(letters))
    return read_status(partial(query_run, counted(folder, *rows)), NOW_US, **options)


def test_records_without_an_outcome_are_under_way(tmp_path: Path) -> None:
    """Records without an outcome are under way; the ledger does not balance yet."""
    accounts = [("read", "", 12), *BALANCED[1:5], ("conversation", "", 7), ("tallied", "", 4)]
    (run,) = status_of(tmp_path, ledger(accounts)).runs
    assert (run.under_way, run.conversations_under_way) == (3, 3)
    assert run.imbalance is not None
    assert "conversation 7, but tallied 4" in run.imbalance


def test_a_backfill_does_not_hide_the_stream(tmp_path: Path) -> None:
    """The newest run of each origin (stream or batch) is shown, with the newest of these first."""
    old, new = ledger(BALANCED, RUN), ledger(BALANCED, RUN + 1)
    batch = [msgspec.structs.replace(t, origin=BATCH) for t in ledger(BALANCED, RUN + 2)]
    runs = status_of(tmp_path, [*old, *new, *batch]).runs
    assert [(run.run - RUN, run.origin) for run in runs] == [(2, "batch"), (1, "stream")]


def test_a_balanced_ledger_says_so(tmp_path: Path) -> None:
    """If every record has an outcome, the status says that the ledger balances."""
    status = status_of(tmp_path, ledger(BALANCED))
    assert status.runs[0].under_way == 0
    lines = status_lines(status)
    assert "the ledger balances" in lines
    assert [line.split() for line in lines if line.startswith("dead_letter ")] == [
        ["dead_letter", "invalid_role", "1"], ["dead_letter", "oversize", "2"],
    ]  # fmt: skip


def test_an_unbalanced_ledger_names_both_sides(tmp_path: Path) -> None:
    """If records are missing, the status shows the sentence of a failed run below the ledger."""
    text = "\n".join(status_lines(status_of(tmp_path, ledger([("read", "", 5), *BALANCED[1:]]))))
    assert "the ledger does not balance: read 5, but counted 5" in text
    assert "the ledger balances" not in text
    assert ["under", "way", "records", "-4"] in [line.split() for line in text.splitlines()]


def test_only_the_newest_totals_of_the_newest_run_are_shown(tmp_path: Path) -> None:
    """Older revisions of a total are left out; older runs are too, unless they are requested."""
    old = ledger([("read", "", 77), ("counted", "", 77)], run=RUN - 1)
    new = ledger([("read", "", 1), ("read", "", 2), ("counted", "", 2)])
    (run,) = status_of(tmp_path, [*new, *old]).runs
    assert (run.run, run.revision, run.records("read")) == (RUN, RUN + 2, 2)
    query = partial(query_run, tmp_path)
    assert [each.run for each in read_status(query, NOW_US, RUN - 1).runs] == [RUN - 1]
    assert [each.run for each in read_status(query, NOW_US, all_runs=True).runs] == [RUN, RUN - 1]


def test_an_unknown_run_is_refused(tmp_path: Path) -> None:
    """For an unknown run, the error names the newest run, or says that no run exists."""
    with pytest.raises(InputError, match=f"run 5 is not in the ledger; the newest run is {RUN}"):
        status_of(tmp_path, ledger(BALANCED), run=5)
    with pytest.raises(InputError, match="the ledger has no runs yet"):
        status_of(tmp_path / "empty", run=5)


def test_what_waits_for_a_backfill_is_explained(tmp_path: Path) -> None:
    """Notes explain the conversations that came after `conversation_life` or were cut by a drain.

    They give the days of these conversations.
    """
    accounts = [
        *BALANCED[:5], ("conversation", "", 6), ("tallied", "", 4), ("past_life", "", 2),
        ("open_at_drain", "2025-06-01", 1), ("open_at_drain", "2025-06-02", 1200),
        ("open_at_drain", "2025-05-31", 0), ("revisions_past_life", "2025-05-01", 1),
        ("revisions_past_life", "2025-05-02", 3000),
    ]  # fmt: skip
    (run,) = status_of(tmp_path, ledger(accounts)).runs
    late, revised, cut = run.notes()
    assert (run.imbalance, run.conversations_under_way) == (None, 0)
    assert late.startswith("past_life: 2 conversations of days that the ledger does not name")
    assert revised.startswith(
        "revisions_past_life: 3,001 revisions of conversations begun on 2025-05-01 (1), "
        "2025-05-02 (3,000) came after conversation_life"
    )
    assert "1,201 conversations begun on 2025-06-01 (1), 2025-06-02 (1,200) may" in cut


def test_what_is_over_the_user_limit_is_explained(tmp_path: Path) -> None:
    """Notes explain conversations over the user limit, and say which of them a backfill counts."""
    accounts = [
        *BALANCED[:5], ("conversation", "", 9), ("tallied", "", 4),
        ("over_user_limit", "2025-06-01", 5), ("limit_shortfall", "2025-06-01", 1),
    ]  # fmt: skip
    (run,) = status_of(tmp_path, ledger(accounts)).runs
    over, short = run.notes()
    assert run.imbalance is None
    assert over.startswith("over_user_limit: 5 conversations begun on 2025-06-01 (5) are not in")
    assert short.startswith("limit_shortfall: 1 conversation of these, begun on 2025-06-01 (1),")


def test_nothing_to_explain(tmp_path: Path) -> None:
    """If a total is zero, it has no note."""
    (run,) = status_of(tmp_path, ledger([*BALANCED, ("past_life", "", 0)])).runs
    assert run.notes() == []


def test_a_day_shows_its_current_counts(tmp_path: Path) -> None:
    """The generations of a stream add up; rows of a void snapshot do not count."""
    of_stream = partial(counts_row, origin=STREAM, snapshot=2)
    hour = {"window_kind": "hour", "window_end_us": MONDAY_US + HOUR_US}
    rows = [
        of_stream(99, snapshot=1, revision=9),
        of_stream(19, revision=2),
        of_stream(20, revision=3),
        of_stream(20, **hour),
        of_stream(5, generation=2, revision=4),
    ]
    status = status_of(tmp_path, rows=rows)
    (day,) = status.days
    assert (day.generations, day.revision, day.places, day.conversations) == (2, 4, 3, 25)
    assert (status.counted_us, status.published_us, day.version) == (9, None, None)
    assert any(" no " in line and line.startswith("2025-06-02") for line in status_lines(status))


def test_a_published_day_shows_its_version(tmp_path: Path) -> None:
    """The newest committed version of the day is shown."""
    write_table(tmp_path, PUBLICATIONS, [receipt(), receipt(version=2, attempt=7)])
    status = status_of(tmp_path, rows=[counts_row(20)])
    assert (status.published_us, status.days[0].version) == (7, 2)
    assert any("version 2" in line for line in status_lines(status))


def test_the_most_recent_days_are_shown(tmp_path: Path) -> None:
    """The seven newest days are shown, newest first."""
    rows = [counts_row(20 + n, window_start_us=MONDAY_US + n * DAY_US) for n in range(9)]
    days = status_of(tmp_path, rows=rows).days
    assert [day.conversations for day in days] == [28, 27, 26, 25, 24, 23, 22]
    assert days[0].day.isoformat() == "2025-06-10"


def test_dead_letters_by_reason(tmp_path: Path) -> None:
    """The most frequent reason is first.

    A letter that is written twice counts as one payload of one run.
    """
    letters = [letter("late"), letter("oversize", "1"), letter("oversize", "1")]
    status = status_of(tmp_path, letters=letters)
    assert [(x.reason, x.letters, x.payloads, x.runs) for x in status.dead_letters] == [
        ("oversize", 2, 1, 1), ("late", 1, 1, 1),
    ]  # fmt: skip


def test_lag_is_since_the_last_write(tmp_path: Path) -> None:
    """For ledger, counts and publications, the status says when each was last written."""
    status = status_of(
        tmp_path,
        ledger([("read", "", 0)], revision=NOW_US - 90 * SECOND_US),
        [counts_row(20, revision=NOW_US - 25 * HOUR_US)],
    )
    lines = status_lines(status)
    assert "ledger        2025-06-02 23:58:30  1 min 30 s" in lines
    assert "counts        2025-06-01 23:00:00     1 d 1 h" in lines
    assert any(line.split() == ["publications", "–", "–"] for line in lines)
    said = status_json(status)
    assert said["runs"][0]["lag_s"] == 90
    assert said["counts"]["lag_s"] == 25 * 3600


def test_an_empty_dataset(tmp_path: Path) -> None:
    """The status of empty tables can be shown too."""
    status = status_of(tmp_path)
    lines = status_lines(status)
    assert "no run has written a ledger yet" in lines
    assert "no day has been counted yet" in lines
    assert lines[-1] == "no dead letters"
    assert status_json(status)["counts"] == {"revision": None, "lag_s": None}


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-5, "0 s"), (0.9, "0 s"), (59, "59 s"), (60, "1 min"), (3601, "1 h"), (7500, "2 h 5 min"),
     (86_400 * 3 + 7200, "3 d 2 h")],
)  # fmt: skip
def test_how_long_ago(seconds: float, said: str) -> None:
    """A lag has at most two units, and a negative lag is shown as 0 s."""
    assert ago(NOW_US, NOW_US - round(seconds * SECOND_US)) == said


def test_an_instant_outside_the_calendar() -> None:
    """A publish time outside the calendar is shown as a number."""
    assert at(2**62) == str(2**62)
    assert at(None) == ago(NOW_US, None) == "–"


def test_columns_line_up() -> None:
    """Names are left-aligned and numbers right-aligned."""
    assert aligned([("a", "bb", "1"), ("aa", "b", "10")], names=2) == ["a   bb   1", "aa  b   10"]


def test_the_command_over_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command reads a run's folder like a dataset, and prints text or JSON."""
    status_of(tmp_path, ledger(BALANCED), [counts_row(20)], [letter("oversize")])
    assert main(["status", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert f"run {RUN}, begun 2025-06-02 00:00:00" in text
    assert main(["status", str(tmp_path), "--all", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["runs"][0]["balances"] is True
    assert said["days"][0]["conversations"] == 20
    assert said["dead_letters"] == [{"reason": "oversize", "letters": 1, "payloads": 1, "runs": 1}]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ([], "name either --dataset"),
        (["folder", "--dataset=my-project.undertone"], "name either --dataset"),
        (["folder"], "folder has no undertone.duckdb"),
        (["--dataset=undertone"], "is not a BigQuery dataset"),
        (["folder", "--watch=0"], "watch must be at least 1 second, got 0"),
        (["folder", "--watch=nan"], "watch must be at least 1 second, got nan"),
    ],
)
def test_wrong_flags_are_one_sentence(
    flags: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong place or interval is refused in one sentence."""
    assert main(["status", *flags]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_a_damaged_database_is_one_sentence(tmp_path: Path) -> None:
    """If the database file is not a database, the error names it."""
    (tmp_path / "undertone.duckdb").write_bytes(b"no database at all" * 1000)
    with pytest.raises(InputError, match=r"undertone\.duckdb can't be read"):
        query_run(tmp_path, "SELECT 1")

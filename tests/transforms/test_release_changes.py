"""Tests the versions of a day: after any crash the current rows equal the sum of all changes."""

from __future__ import annotations

import pickle
from typing import Final

import msgspec
import pytest
from apache_beam.pvalue import TaggedOutput
from apache_beam.utils.timestamp import Timestamp
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.records import AggregateRow, LedgerEntry
from tests.builders import MONDAY_US, SECOND_US, summary
from tests.random_days import busy_day
from transforms.counting.cells import DAY_US
from transforms.counting.ledger import PAST_LIFE, REVISIONS_PAST_LIFE, TALLIED
from transforms.counting.totals import DayTotals, TotalsChange, totals_of
from transforms.publishing.rows import RowStamp, release_day
from transforms.publishing.suppression import Thresholds
from transforms.release import _ReleaseChangesFn

OPEN: Final = RowStamp(
    Thresholds(1, 1), metrics_version="m1", classifier_version="plain-1", origin="stream"
)
GUARDED: Final = RowStamp(
    Thresholds(3, 4), metrics_version="m1", classifier_version="plain-1", origin="stream"
)
LIFE_US: Final = 28 * DAY_US

ADA, BOB, EVE, DAN = (totals_of([summary(user)]) for user in ("ada", "bob", "eve", "dan"))


class KeptState:
    """The state of a day as a runner keeps it. A test may restore an earlier state."""

    def __init__(self) -> None:
        self.encoded: bytes | None = None

    def read(self) -> bytes | None:
        return self.encoded

    def write(self, encoded: bytes) -> None:
        self.encoded = encoded


class KeptTimer:
    """A timer that remembers when it is due."""

    def __init__(self) -> None:
        self.due: Timestamp | None = None

    def set(self, due: Timestamp) -> None:
        self.due = due


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now_us = MONDAY_US + DAY_US

    def __call__(self) -> int:
        return self.now_us


class Monday:
    """A day that is released by a series of workers, with its state and all rows written."""

    def __init__(self, stamp: RowStamp = OPEN) -> None:
        self.stamp = stamp
        self.clock, self.state, self.timer = Clock(), KeptState(), KeptTimer()
        self.written: list[AggregateRow] = []
        self.start_worker()

    def start_worker(self) -> None:
        """Starts a worker that knows only the state."""
        self.use(_ReleaseChangesFn(self.stamp, self.clock, LIFE_US))

    def use(self, step: _ReleaseChangesFn) -> None:
        """Continues with a different object of the step."""
        self.step = step
        step.setup()

    def add(self, *totals: DayTotals, revisions: int = 0) -> list[AggregateRow]:
        """Adds totals to the day in one change; returns the rows written."""
        change = TotalsChange(total(*totals), revisions)
        given = list(self.step.process((MONDAY_US, change), self.state, self.timer))
        self.entries: list[LedgerEntry] = [e.value for e in given if isinstance(e, TaggedOutput)]
        rows = [e for e in given if isinstance(e, AggregateRow)]
        self.written += rows
        return rows

    def come_due(self) -> None:
        """Fires the timer."""
        self.step.close(self.state, self.timer.due)

    @property
    def current(self) -> set[AggregateRow]:
        """The current rows according to the views, without their versions."""
        ordered = sorted(self.written, key=lambda row: (row.snapshot, row.revision))
        newest = [row for row in ordered if row.snapshot == ordered[-1].snapshot]
        return {row for row in {cell_of(row): plain(row) for row in newest}.values() if shows(row)}


def total(*totals: DayTotals) -> DayTotals:
    """Adds up totals."""
    sums = DayTotals()
    for each in totals:
        sums.add_all(each)
    return sums


def minus(totals: DayTotals) -> DayTotals:
    """Returns the totals with the opposite sign, so that adding them cancels the originals."""
    return DayTotals().add_all(totals, -1)


def plain(row: AggregateRow) -> AggregateRow:
    """Returns a row without its version."""
    return msgspec.structs.replace(row, revision=0, snapshot=0)


def shows(row: AggregateRow) -> bool:
    """Returns whether a row has counts; a row without counts withdraws its cell."""
    return row.conversations is not None


def cell_of(row: AggregateRow) -> tuple[object, ...]:
    """Returns the fields that name the cell of a row."""
    return msgspec.structs.astuple(row)[:6]


def rows_of(*totals: DayTotals, stamp: RowStamp = OPEN) -> set[AggregateRow]:
    """Returns the rows that a backfill of the same totals writes, without their versions."""
    return set(filter(shows, release_day((MONDAY_US, total(*totals)), stamp, 0)))


def test_the_first_release_is_a_complete_snapshot() -> None:
    """The first release has the rows that a backfill would write.

    Its revision is later than the start of the worker.
    """
    monday = Monday()
    rows = monday.add(ADA, BOB)
    assert rows == release_day((MONDAY_US, total(ADA, BOB)), OPEN, rows[0].revision)
    assert rows[0].revision > monday.clock()
    assert monday.entries == [LedgerEntry(TALLIED, "", 2)]
    assert monday.timer.due == Timestamp(micros=MONDAY_US + DAY_US + LIFE_US)


def test_a_later_release_writes_only_changed_cells() -> None:
    """A cell that stays the same is not written again, and the snapshot stays the same."""
    monday = Monday()
    first = monday.add(ADA)
    longer = totals_of([summary("bob", human_messages=9)])
    second = monday.add(longer)
    assert set(map(plain, second)) == rows_of(ADA, longer) - rows_of(ADA)
    assert {row.snapshot for row in second} == {first[0].snapshot}
    assert {row.revision for row in second} == {first[0].revision + 1}


@pytest.mark.parametrize("steps_us", [0, -3600 * SECOND_US, 1, 60 * SECOND_US])
def test_revisions_increase_even_if_the_clock_does_not(steps_us: int) -> None:
    """A clock that stands still or goes back never makes a revision smaller than the last."""
    monday = Monday()
    revisions = []
    for totals in (ADA, BOB, EVE, DAN):
        revisions.append({row.revision for row in monday.add(totals)})
        monday.clock.now_us += steps_us
    assert [len(revision) for revision in revisions] == [1] * 4
    ordered = [max(revision) for revision in revisions]
    assert ordered == sorted(set(ordered))
    assert monday.current == rows_of(ADA, BOB, EVE, DAN)


def test_a_new_worker_writes_a_complete_snapshot_first() -> None:
    """A new worker starts with a snapshot, as it does not know the rows of a lost attempt.

    After that, it writes only changes.
    """
    monday = Monday()
    first = monday.add(ADA)
    monday.clock.now_us += 60 * SECOND_US
    monday.start_worker()
    again, after = monday.add(BOB), monday.add(EVE)
    assert again == release_day((MONDAY_US, total(ADA, BOB)), OPEN, again[0].revision)
    assert again[0].revision > first[0].revision
    assert {row.snapshot for row in after} == {again[0].revision}
    assert monday.current == rows_of(ADA, BOB, EVE)


def test_a_copy_of_the_step_starts_no_snapshot() -> None:
    """A runner may copy the step for each bundle; a copy does not start a snapshot."""
    monday = Monday()
    first = monday.add(ADA)
    monday.clock.now_us += 60 * SECOND_US
    monday.use(pickle.loads(pickle.dumps(monday.step)))
    assert {row.snapshot for row in monday.add(BOB)} == {first[0].snapshot}


def test_a_state_that_goes_back_leads_to_a_complete_snapshot() -> None:
    """The snapshot supersedes all rows of the lost attempt, even in cells that are now empty."""
    monday = Monday()
    monday.add(ADA)
    saved = monday.state.encoded
    lost = monday.add(BOB) + monday.add(totals_of([summary("eve", types=["coaching"])]))
    monday.state.encoded = saved
    monday.clock.now_us -= 60 * SECOND_US
    rows = monday.add(DAN)
    assert {row.snapshot for row in rows} == {row.revision for row in rows}
    assert rows[0].revision > max(row.revision for row in lost)
    assert monday.current == rows_of(ADA, DAN)
    assert {row.snapshot for row in monday.add(EVE)} == {rows[0].snapshot}


def test_a_cell_that_falls_below_the_thresholds_is_withdrawn() -> None:
    """The last version of a withdrawn cell has no counts.

    When the cell has enough users again, it is shown again.
    """
    monday = Monday(GUARDED)
    shown = monday.add(ADA, BOB, EVE, DAN)
    assert monday.current == rows_of(ADA, BOB, EVE, DAN, stamp=GUARDED)
    withdrawn = monday.add(minus(DAN))
    assert {cell_of(row) for row in withdrawn} == {cell_of(row) for row in shown}
    assert not any(map(shows, withdrawn))
    assert monday.entries == [LedgerEntry(TALLIED, "", -1)]
    assert set(map(plain, monday.add(DAN))) == set(map(plain, shown))


def test_below_the_thresholds_only_the_first_snapshot_is_written() -> None:
    """The first snapshot supersedes the rows of an earlier job.

    After that, there is nothing to withdraw.
    """
    monday = Monday(GUARDED)
    (row,) = monday.add(ADA)
    assert not shows(row)
    assert monday.add(BOB) == monday.add(EVE) == []
    assert set(map(plain, monday.add(DAN))) == rows_of(ADA, BOB, EVE, DAN, stamp=GUARDED)


def test_changes_that_cancel_out_write_nothing() -> None:
    """A summary that is added and taken back in one firing period writes no row."""
    monday = Monday()
    assert monday.add(ADA, minus(ADA)) == []
    assert (monday.state.encoded, monday.timer.due, monday.entries) == (None, None, [])
    monday.add(ADA)
    assert len(monday.add(BOB, minus(ADA))) == 0
    assert monday.current == rows_of(BOB)


def test_a_closed_day_is_not_written_again() -> None:
    """The rows of a closed day stay; the ledger counts later conversations and revisions."""
    monday = Monday()
    monday.add(ADA)
    monday.clock.now_us = MONDAY_US + DAY_US + LIFE_US
    monday.come_due()
    assert monday.add(BOB, EVE) == []
    assert monday.entries == [LedgerEntry(PAST_LIFE, "2025-06-02", 2)]
    longer = totals_of([summary("ada", human_messages=9)])
    assert monday.add(minus(ADA), longer, revisions=1) == []
    assert monday.entries == [LedgerEntry(REVISIONS_PAST_LIFE, "2025-06-02", 1)]
    assert monday.add(minus(ADA), longer, EVE, revisions=2) == []
    assert monday.entries == [
        LedgerEntry(PAST_LIFE, "2025-06-02", 1), LedgerEntry(REVISIONS_PAST_LIFE, "2025-06-02", 2)
    ]  # fmt: skip
    assert monday.add(minus(ADA), ADA, revisions=1) == []
    assert monday.entries == []  # The change cancels out.
    assert monday.current == rows_of(ADA)


def test_revisions_of_an_open_day_are_in_its_rows() -> None:
    """Revisions of an open day have no entries in the ledger."""
    monday = Monday()
    monday.add(ADA)
    longer = totals_of([summary("ada", human_messages=9)])
    monday.add(minus(ADA), longer, revisions=1)
    assert monday.entries == []
    assert monday.current == rows_of(longer)


def test_a_drain_does_not_close_a_day() -> None:
    """In a drain the timer fires ahead of the clock, and later changes still count."""
    monday = Monday()
    monday.add(ADA)
    monday.come_due()
    monday.add(BOB)
    assert monday.entries == [LedgerEntry(TALLIED, "", 1)]
    assert monday.current == rows_of(ADA, BOB)


EVENTS = st.sampled_from(["add", "add", "take back", "new worker", "checkpoint", "failure"])


@settings(deadline=None, max_examples=60)
@given(st.lists(EVENTS, max_size=16))
def test_the_current_rows_equal_the_sum(events: list[str]) -> None:
    """The rows are right after additions, retractions, new workers and failures in any order."""
    monday, coming = Monday(), busy_day(20, seed=len(events))
    present: list[DayTotals] = []
    checkpoint = (monday.state.encoded, present)
    for event in [*events, "add"]:
        monday.clock.now_us += SECOND_US
        if event == "new worker":
            monday.start_worker()
        elif event == "checkpoint":
            checkpoint = (monday.state.encoded, present)
        elif event == "failure":
            monday.state.encoded, present = checkpoint
        elif event == "add":
            present = [*present, totals_of([coming.pop()])]
            monday.add(present[-1])
            assert monday.current == rows_of(*present)
        elif present:
            monday.add(minus(present[-1]))
            present = present[:-1]
            assert monday.current == rows_of(*present)

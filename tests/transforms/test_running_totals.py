"""Tests a stream's totals: after any crash the current rows equal the sum of all changes."""

from __future__ import annotations

import pickle
from collections import defaultdict
from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Final

import msgspec
from apache_beam.pvalue import TaggedOutput
from apache_beam.utils.timestamp import Timestamp
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.counts import CountsRow
from schemas.judged import CandidatesRow
from schemas.records import LedgerEntry
from schemas.tables import STREAM
from tests.builders import MONDAY_US, PSEUDONYMS, SECOND_US, rank_for, summary
from tests.counted import ranked, totals_of
from tests.pipelines.running import current
from tests.random_days import busy_day
from transforms.counting.candidates import Candidate, candidate_of, candidates_of_text
from transforms.counting.cells import DAY_US
from transforms.counting.contribution import RankedSummary
from transforms.counting.ledger import PAST_LIFE, REVISIONS_PAST_LIFE, TALLIED
from transforms.counting.profile import profile_of
from transforms.counting.register import Stamp
from transforms.counting.rows import Provenance, counts_row
from transforms.counting.totals import DayTotals, PlaceChange, PlaceKey, whole_day, whole_hour
from transforms.running_totals import _AddFn, _RegisterFn

LIFE_US: Final = 28 * DAY_US
PROVENANCE: Final = Provenance(STREAM, "m1", "plain-1")
GENERATION: Final = MONDAY_US - 5

ADA, BOB, EVE, DAN = (
    totals_of([(rank_for(user), summary(user))]) for user in ("ada", "bob", "eve", "dan")
)
LONGER: Final = totals_of([(rank_for("ada"), summary("ada", human_messages=9))])
EVERYONE: Final = whole_day(MONDAY_US)
MOST_CANDIDATES: Final = 100


class KeptState:
    """A state as a runner keeps it: bytes, which a test may set back."""

    def __init__(self, spec: Any) -> None:
        self._coder = spec.coder
        self.encoded: bytes | None = None

    def read(self) -> Any:
        return None if self.encoded is None else self._coder.decode(self.encoded)

    def write(self, value: Any) -> None:
        self.encoded = self._coder.encode(value)

    def clear(self) -> None:
        self.encoded = None


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
    """A day that is counted by a series of workers, with their state and all rows written."""

    def __init__(self) -> None:
        self.clock, self.close, self.forget = Clock(), KeptTimer(), KeptTimer()
        self.register = KeptState(_RegisterFn.DAY)
        self.places: defaultdict[PlaceKey, KeptState] = defaultdict(
            lambda: KeptState(_AddFn.TOTALS)
        )
        self.written: list[CountsRow] = []
        self.written_candidates: list[CandidatesRow] = []
        self.start_worker()

    def start_worker(self) -> None:
        """Starts a worker that knows only the state."""
        self.use(_RegisterFn(GENERATION, self.clock, LIFE_US))
        self.step = _AddFn(PROVENANCE, lambda: PSEUDONYMS, self.clock, LIFE_US, MOST_CANDIDATES)
        self.step.setup()

    def use(self, stamping: _RegisterFn) -> None:
        """Continues with a different object of the first step."""
        self.stamping = stamping
        stamping.setup()

    def add(self, *totals: DayTotals, revisions: int = 0) -> list[CountsRow]:
        """Adds totals to the day in one firing; returns the rows written."""
        return self.fire(changes_of(*totals, revisions=revisions))

    def fire(self, changes: Mapping[PlaceKey, PlaceChange]) -> list[CountsRow]:
        """Adds the changes of one firing; returns the rows of `counts` that it writes."""
        rows: list[CountsRow] = []
        self.entries: list[LedgerEntry] = []
        for key, change in changes.items():
            keyed = MONDAY_US, (key, change)
            for given_ in list(self.stamping.process(keyed, self.register, self.close)):
                if isinstance(given_, TaggedOutput):
                    self.entries.append(given_.value)
                    continue
                for row in self.step.process(given_, self.places[given_[0]], self.forget):
                    if isinstance(row, TaggedOutput):
                        self.written_candidates.append(row.value)
                    else:
                        rows.append(row)
        self.written += rows
        return rows

    def checkpoint(self) -> Any:
        """Returns all state, for `restore`."""
        return deepcopy((self.register.encoded, {k: s.encoded for k, s in self.places.items()}))

    def restore(self, checkpoint: Any) -> None:
        """Sets all state back."""
        self.register.encoded, places = checkpoint
        for key, state in self.places.items():
            state.encoded = places.get(key)

    @property
    def candidates(self) -> list[Candidate]:
        """The candidates of all hours, according to the view."""
        snapshot = max(row.snapshot for row in self.written_candidates)
        rows = [row for row in self.written_candidates if row.snapshot == snapshot]
        newest = {row.window_start_us: row for row in sorted(rows, key=lambda row: row.revision)}
        return sorted(c for row in newest.values() for c in candidates_of_text(row.candidates))

    @property
    def current(self) -> set[CountsRow]:
        """The current rows according to the view, without versions and without empty places."""
        return {plain(row) for row in current(self.written) if row.cells != "{}"}


def changes_of(*totals: DayTotals, revisions: int = 0) -> dict[PlaceKey, PlaceChange]:
    """Returns the change of each place that the totals touch, as `SumChanges` emits them."""
    changes: defaultdict[PlaceKey, PlaceChange] = defaultdict(PlaceChange)
    for each in totals:
        for key, cells in each.by_place(MONDAY_US).items():
            changes[key].add(PlaceChange(cells))
    if revisions:
        changes[EVERYONE].revisions += revisions
    return changes


def with_candidates(each: RankedSummary, times: int) -> dict[PlaceKey, PlaceChange]:
    """Returns the changes that add a conversation, or take it back, with its candidate."""
    changes = changes_of(DayTotals().add_all(totals_of([each]), times))
    changes[whole_hour(each[1].started_at_us)].candidates.add(candidate(each), times)
    return changes


def candidate(each: RankedSummary) -> Candidate:
    """Returns a conversation of Monday as a candidate."""
    return candidate_of(each[0], MONDAY_US, profile_of(each[1]))


def minus(totals: DayTotals) -> DayTotals:
    """Returns the totals with the opposite sign, so that adding them cancels the originals."""
    return DayTotals().add_all(totals, -1)


def plain(row: CountsRow) -> CountsRow:
    """Returns a row without its version."""
    return msgspec.structs.replace(row, revision=0, snapshot=0)


def rows_of(*totals: DayTotals) -> set[CountsRow]:
    """Returns the rows of these totals, without their versions."""
    stamp = Stamp(GENERATION, 0)
    return {
        counts_row(key, change.cells, stamp, 0, PROVENANCE, PSEUDONYMS.key_id)
        for key, change in changes_of(*totals).items()
        if change.cells
    }


def test_each_change_of_a_place_writes_its_totals() -> None:
    """The rows of a first firing are the totals; they name the generation and one snapshot."""
    monday = Monday()
    rows = monday.add(ADA, BOB)
    assert monday.current == rows_of(ADA, BOB)
    assert {row.generation for row in rows} == {GENERATION}
    assert len({row.snapshot for row in rows}) == 1
    assert rows[0].snapshot > monday.clock()
    assert monday.entries == [LedgerEntry(TALLIED, "", 2)]
    assert monday.close.due == Timestamp(micros=MONDAY_US + DAY_US + LIFE_US)


def test_only_touched_places_are_written_again() -> None:
    """A place that does not change is not written again, and the snapshot stays the same."""
    monday = Monday()
    first = monday.add(ADA)
    german = totals_of([(rank_for("bob"), summary("bob", country="DE"))])
    second = monday.add(german)
    assert {row.breakdown_value for row in second if row.breakdown == "country"} == {"DE"}
    assert {row.snapshot for row in second} == {first[0].snapshot}
    assert monday.current == rows_of(ADA, german)


def test_a_touched_place_is_written_even_if_nothing_changes() -> None:
    """A replay may cancel out what a lost attempt wrote, so its row must be written again."""
    monday = Monday()
    monday.add(ADA)
    assert {plain(row) for row in monday.add(BOB, minus(BOB))} == rows_of(ADA)
    assert monday.current == rows_of(ADA)


def test_revisions_increase_even_if_the_clock_does_not() -> None:
    """A clock that goes back never makes a revision smaller than the last."""
    monday = Monday()
    for totals in (ADA, BOB, EVE, DAN):
        monday.add(totals)
        monday.clock.now_us -= 3600 * SECOND_US
    revisions = [row.revision for row in monday.written if row.breakdown == "overall"]
    assert len(set(revisions)) == len(revisions) / 2  # The hour and the day have the same.
    assert monday.current == rows_of(ADA, BOB, EVE, DAN)


def test_a_new_worker_writes_all_places_again() -> None:
    """A new worker starts a snapshot, as it does not know the rows of a lost attempt."""
    monday = Monday()
    first = monday.add(totals_of([(rank_for("ada"), summary(country="DE"))]))
    monday.clock.now_us += 60 * SECOND_US
    monday.start_worker()
    again, after = monday.add(BOB), monday.add(EVE)
    assert {row.breakdown_value for row in again if row.breakdown == "country"} > {"DE"}
    assert {row.snapshot for row in again} == {row.snapshot for row in after}
    assert again[0].snapshot > first[0].snapshot


def test_a_copy_of_the_step_starts_no_snapshot() -> None:
    """A runner may copy the step for each bundle; a copy does not start a snapshot."""
    monday = Monday()
    first = monday.add(ADA)
    monday.clock.now_us += 60 * SECOND_US
    monday.use(pickle.loads(pickle.dumps(monday.stamping)))
    assert {row.snapshot for row in monday.add(BOB)} == {first[0].snapshot}


def test_a_state_that_goes_back_voids_the_rows_of_the_lost_attempt() -> None:
    """The new snapshot supersedes all rows of the lost attempt, even in places that are empty."""
    monday = Monday()
    monday.add(ADA)
    saved = monday.checkpoint()
    lost = monday.add(totals_of([(rank_for("eve"), summary("eve", country="NZ"))]))
    monday.restore(saved)
    monday.clock.now_us -= 60 * SECOND_US
    rows = monday.add(DAN)
    assert rows[0].snapshot > max(row.snapshot for row in lost)
    assert monday.current == rows_of(ADA, DAN)


def test_a_closed_day_is_not_written_again() -> None:
    """The rows of a closed day stay; the ledger counts later conversations and revisions."""
    monday = Monday()
    monday.add(ADA)
    monday.clock.now_us = MONDAY_US + DAY_US + LIFE_US
    monday.stamping.close(monday.register, monday.close.due)
    assert monday.add(BOB, EVE) == []
    assert monday.entries == [LedgerEntry(PAST_LIFE, "2025-06-02", 2)]
    assert monday.add(minus(ADA), LONGER, revisions=1) == []
    assert monday.entries == [LedgerEntry(REVISIONS_PAST_LIFE, "2025-06-02", 1)]
    assert monday.current == rows_of(ADA)


def test_revisions_of_an_open_day_are_in_its_rows() -> None:
    """Revisions of an open day have no entries in the ledger."""
    monday = Monday()
    monday.add(ADA)
    monday.add(minus(ADA), LONGER, revisions=1)
    assert monday.entries == []
    assert monday.current == rows_of(LONGER)


def test_a_drain_neither_closes_a_day_nor_forgets_totals() -> None:
    """In a drain the timers fire ahead of the clock, and later changes still count."""
    monday = Monday()
    monday.add(ADA)
    monday.stamping.close(monday.register, monday.close.due)
    monday.step.forget(monday.places[EVERYONE], monday.forget.due)
    monday.add(BOB)
    assert monday.entries == [LedgerEntry(TALLIED, "", 1)]
    assert monday.current == rows_of(ADA, BOB)


def test_totals_are_forgotten_after_the_register_is_closed() -> None:
    """The totals go last: otherwise a late change would begin them anew."""
    monday = Monday()
    monday.add(ADA)
    assert monday.forget.due is not None
    assert monday.close.due is not None
    assert monday.forget.due > monday.close.due
    monday.clock.now_us = monday.forget.due.micros
    monday.step.forget(monday.places[EVERYONE], monday.forget.due)
    assert monday.places[EVERYONE].encoded is None


EVENTS = st.sampled_from(["add", "add", "take back", "new worker", "checkpoint", "failure"])


@settings(deadline=None, max_examples=40)
@given(st.lists(EVENTS, min_size=4, max_size=20))
@example(["add", "checkpoint", "add", "failure"])
@example(["add", "checkpoint", "add", "add", "add", "failure", "take back"])
def test_the_current_rows_equal_the_sum(events: list[str]) -> None:
    """The rows are right after additions, retractions, new workers and failures in any order."""
    monday, coming = Monday(), ranked(*busy_day(20, seed=len(events)))
    present: list[RankedSummary] = []
    checkpoint = (monday.checkpoint(), present)
    for event in [*events, "add"]:
        monday.clock.now_us += SECOND_US
        if event == "new worker":
            monday.start_worker()
        elif event == "checkpoint":
            checkpoint = (monday.checkpoint(), present)
        elif event == "failure":
            saved, present = checkpoint
            monday.restore(saved)
        elif event == "add":
            present = [*present, coming.pop()]
            monday.fire(with_candidates(present[-1], 1))
            assert monday.candidates == sorted(map(candidate, present))
            assert monday.current == rows_of(*(totals_of([each]) for each in present))
        elif present:
            monday.fire(with_candidates(present[-1], -1))
            present = present[:-1]
            assert monday.candidates == sorted(map(candidate, present))
            assert monday.current == rows_of(*(totals_of([each]) for each in present))

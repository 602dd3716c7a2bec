"""Tests the rows of cells, and that the snapshot of a day is complete and ordered."""

from __future__ import annotations

import pytest

from schemas.records import AggregateRow, StructCodec
from tests.builders import MONDAY_US, summary
from transforms.counting.cells import DAY, Cell, Sums
from transforms.counting.totals import DayTotals, totals_of
from transforms.facets.facet import ALL
from transforms.facets.registry import INDEX, Slice
from transforms.publishing.rows import RowStamp, release_day, row_of
from transforms.publishing.suppression import Thresholds

STAMP = RowStamp(Thresholds(3, 4), "m1", "plain-1", "batch")
OPEN = RowStamp(Thresholds(1, 1), "m1", "plain-1", "batch")
SENTIMENT = INDEX[Slice("sentiment", "coaching")]
LONG = INDEX[Slice("long", "coaching")]


def test_a_row_fills_every_column() -> None:
    """A row has the window, names, counts, versions and thresholds in the table's columns."""
    row = row_of(MONDAY_US, Cell(DAY, 2, "DE", SENTIMENT), Sums(9, 8, -7, 60), STAMP, 20, 10)
    assert row == AggregateRow(
        MONDAY_US, "day", "country", "DE", "sentiment", "coaching", 9, 8, -7, 60,
        20, 10, 3, 4, "m1", "plain-1", "batch",
    )  # fmt: skip


@pytest.mark.parametrize(("hour", "granularity", "after_h"), [
    (DAY, "day", 0), (0, "hour", 0), (23, "hour", 23),
])  # fmt: skip
def test_the_window_starts_at_the_hour_or_the_day(
    hour: int, granularity: str, after_h: int
) -> None:
    """A day and its first hour start together, and the granularity tells them apart."""
    row = row_of(MONDAY_US, Cell(hour, 0, ALL, LONG), Sums(9, 8, 0, 0), STAMP, 1, 1)
    assert row.granularity == granularity
    assert row.window_start_us == MONDAY_US + after_h * 3_600_000_000


def test_only_sentiment_rows_have_a_change() -> None:
    """In rows of other facets the change is null. In a sentiment row a change of 0 is 0."""
    other = row_of(MONDAY_US, Cell(DAY, 0, ALL, LONG), Sums(9, 8, 0, 0), STAMP, 1, 1)
    assert (other.sentiment_change_300ths, other.sentiment_change_squares) == (None, None)
    still = row_of(MONDAY_US, Cell(DAY, 0, ALL, SENTIMENT), Sums(9, 8, 0, 0), STAMP, 1, 1)
    assert (still.sentiment_change_300ths, still.sentiment_change_squares) == (0, 0)


def test_a_withdrawal_has_no_numbers() -> None:
    """A row without sums names its cell and has no counts."""
    row = row_of(MONDAY_US, Cell(DAY, 0, ALL, SENTIMENT), None, STAMP, 2, 1)
    assert (row.conversations, row.users) == (None, None)
    assert (row.sentiment_change_300ths, row.sentiment_change_squares) == (None, None)
    assert (row.facet, row.facet_value, row.revision) == ("sentiment", "coaching", 2)


def test_a_snapshot_has_every_cell_in_order() -> None:
    """With thresholds of 1, each cell has one row. All rows share a revision and a snapshot."""
    totals = totals_of([summary(types=["coaching"], human_messages=6, at_s=7200)])
    rows = release_day((MONDAY_US, totals), OPEN, 7)
    assert rows == [row_of(MONDAY_US, c, t, OPEN, 7, 7) for c, t in sorted(totals.items())]
    assert {(row.revision, row.snapshot) for row in rows} == {(7, 7)}


def test_a_snapshot_does_not_depend_on_the_order_of_cells() -> None:
    """Totals that were filled in another order give the same rows."""
    totals = totals_of([summary(at_s=i * 3600) for i in range(3)])
    other = DayTotals(reversed(totals.items()))
    assert release_day((MONDAY_US, other), OPEN, 1) == release_day((MONDAY_US, totals), OPEN, 1)


def test_nothing_below_the_thresholds_is_released() -> None:
    """If four conversations are required, three are withheld and four are shown."""
    people = [totals_of([summary(user)]) for user in ("a", "b", "c")]
    totals = DayTotals()
    for person in people:
        totals.add_all(person)
    assert counts(release_day((MONDAY_US, totals), STAMP, 1)) == {(None, None)}
    totals.add_all(totals_of([summary("d")]))
    rows = release_day((MONDAY_US, totals), STAMP, 1)
    assert counts(rows) == {(4, 4)}


def test_an_empty_day_supersedes_earlier_rows() -> None:
    """The snapshot of an empty day is one row without counts, which withdraws the day's rows."""
    (row,) = release_day((MONDAY_US, DayTotals()), STAMP, 7)
    assert (row.granularity, row.breakdown, row.facet, row.snapshot) == ("day", "overall", "all", 7)
    assert row.conversations is None


def counts(rows: list[AggregateRow]) -> set[tuple[int | None, int | None]]:
    """Returns the counts that rows show."""
    return {(row.conversations, row.users) for row in rows}


def test_a_row_survives_its_codec() -> None:
    """A row is unchanged after encoding and decoding, and so is a withdrawal."""
    codec = StructCodec(AggregateRow)
    for sums in (Sums(9, 8, -7, 60), None):
        row = row_of(MONDAY_US, Cell(3, 2, "DE", SENTIMENT), sums, STAMP, 1, 1)
        assert codec.decode(codec.encode(row)) == row

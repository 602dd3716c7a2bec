"""Tests the rows of a publication, and that they are read back."""

from __future__ import annotations

import random

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.counts import BasisRow
from schemas.published import COMMITTED, WITHDRAWN, AggregateRow, PublicationRow
from tests.random_days import busy_day
from tests.transforms.publishing.windows import (
    FEW,
    MONDAY,
    PROVENANCE,
    STRICT,
    WHOLE,
    counts_of,
    crowd,
    keyed,
)
from transforms.counting.places import WindowCounts, cells_text
from transforms.publishing.publication import Published, publish
from transforms.publishing.rows import (
    UNPUBLISHED,
    PublicationRows,
    Standing,
    rows_of,
    standing_of,
    withdrawal_of,
)


def versions_of(*counts: WindowCounts) -> list[Published]:
    """Publishes a window with each of these counts."""
    versions: list[Published] = []
    for each in counts:
        last = versions[-1] if versions else None
        next_ = publish(MONDAY, each, last, FEW, PROVENANCE)
        versions += [next_] if next_ else []
    return versions


def crowds(*sizes: int) -> list[Published]:
    """Publishes a window with these numbers of users."""
    return versions_of(*(counts_of(keyed(crowd(size))) for size in sizes))


def read(*written: PublicationRows) -> Standing:
    """Reads the rows of several publications, last ones first."""
    return standing_of(
        [rows.receipt for rows in reversed(written)],
        [row for rows in reversed(written) for row in reversed(rows.bases)],
    )


def test_rows_fill_every_column() -> None:
    """A receipt and a row of each table have the publication's facts in the right columns."""
    published = publish(MONDAY, counts_of(keyed(crowd(20))), None, STRICT, PROVENANCE)
    assert published is not None
    rows = rows_of(published, 7, [])
    name, day = "day/2025-06-02/1", (MONDAY.start_us, MONDAY.end_us)
    assert rows.receipt == PublicationRow(
        name, 7, COMMITTED, "day", *day, 1, STRICT.encode(), "key-1", "1", "plain-1",
        len(rows.aggregates), 0,
    )  # fmt: skip
    first = rows.aggregates[0]
    assert first == AggregateRow(
        name, 7, "day", *day, "overall", "all", "all", "all", first.conversations
    )
    assert abs(first.conversations - 20) <= 5
    whole = cells_text(published.basis[WHOLE])
    assert rows.bases[0] == BasisRow(name, 7, "day", *day, "overall", "all", whole)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 60), st.integers(0, 2**20), st.randoms())
def test_the_same_counts_give_the_same_bytes(size: int, seed: int, chance: random.Random) -> None:
    """Rows don't depend on the order of conversations."""
    people = keyed(busy_day(size, seed))
    one, other = (
        rows_of(versions_of(counts_of(found))[0], 7, [])
        for found in (people, chance.sample(people, len(people)))
    )
    assert msgspec.json.encode(one) == msgspec.json.encode(other)
    keys = [
        (row.breakdown, row.breakdown_value, row.facet, row.facet_value) for row in one.aggregates
    ]
    assert len(set(keys)) == len(keys) == one.receipt.aggregates


@settings(deadline=None, max_examples=20)
@given(st.integers(10, 60), st.integers(0, 2**20))
def test_the_last_publication_is_read_back(size: int, seed: int) -> None:
    """After any number of versions, the rows in any order give the last one with its past."""
    people = keyed(busy_day(size, seed))
    versions = versions_of(
        counts_of(people[: size // 2]), counts_of(people), counts_of(people[size // 3 :])
    )
    standing = read(*(rows_of(each, 9 - each.version, []) for each in versions))
    assert standing == Standing(versions[-1], versions[-1].version + 1)
    assert repr(standing) == repr(Standing(versions[-1], versions[-1].version + 1))


def test_rows_of_attempts_without_a_receipt_are_ignored() -> None:
    """If an attempt failed before its receipt was written, the version before it is the last."""
    one, two = crowds(5, 10)
    failed = rows_of(two, 9, [])
    written = rows_of(one, 7, [])
    again = rows_of(one, 8, [])
    standing = standing_of([written.receipt], [*failed.bases, *again.bases, *written.bases])
    assert standing == Standing(one, 2)


def test_a_window_without_rows_is_unpublished() -> None:
    """Its first version is 1."""
    assert standing_of([], []) == UNPUBLISHED == Standing(None, 1)


def test_a_withdrawn_publication_still_binds_the_next_one() -> None:
    """Readers may have kept the withdrawn numbers, so the next version may not isolate anybody."""
    one, two = (rows_of(each, 7, []) for each in crowds(5, 10))
    taken_back = withdrawal_of(two.receipt, 8)
    assert taken_back.status == WITHDRAWN
    gone = standing_of([taken_back, one.receipt, two.receipt], [*one.bases, *two.bases])
    assert (gone.next_version, gone.is_withdrawn) == (3, True)
    assert gone.last is not None
    near = counts_of(keyed(crowd(10 + FEW.min_users - 1)))
    third = publish(MONDAY, near, gone.last, FEW, PROVENANCE, is_withdrawn=True)
    assert third is not None
    assert (third.version, third.cells) == (3, gone.last.cells)
    rows = rows_of(third, 9, [])
    receipts = [rows.receipt, taken_back, one.receipt, two.receipt]
    assert standing_of(receipts, [*one.bases, *two.bases, *rows.bases]) == Standing(third, 4)


def test_a_publication_without_cells_is_read_back() -> None:
    """Its receipt alone says that the window is published."""
    (empty,) = crowds(1)
    assert read(rows_of(empty, 7, [])) == Standing(empty, 2)

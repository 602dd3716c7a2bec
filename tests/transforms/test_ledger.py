"""Tests the ledger: a run fails if the outcomes do not add up to what was read."""

from __future__ import annotations

from collections import Counter

import apache_beam as beam
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.util import assert_that, equal_to
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.records import LedgerEntry, LedgerTotal
from schemas.tables import BATCH
from transforms.balance import BalanceLedger
from transforms.counting.ledger import (
    ACCOUNTS,
    CONVERSATION,
    COUNTED,
    FATES,
    LIMIT_SHORTFALL,
    OVER_USER_LIMIT,
    PAST_LIFE,
    READ,
    REVISIONS_PAST_LIFE,
    TALLIED,
    entries_of,
    imbalance,
)

BALANCED = [
    LedgerEntry("read", "", 5),
    LedgerEntry("dead_letter", "oversize", 1),
    LedgerEntry("read", "", 2),
    LedgerEntry("counted", "", 3),
    LedgerEntry("dead_letter", "invalid_role", 1),
    LedgerEntry("late", "", 1),
    LedgerEntry("dead_letter", "oversize", 1),
]


@pytest.mark.parametrize("outcome", FATES)
def test_every_outcome_balances_a_record_read(outcome: str) -> None:
    """An outcome balances one record read, and does not balance without it."""
    assert imbalance([LedgerEntry(READ, "", 1), LedgerEntry(outcome, "", 1)]) is None
    assert imbalance([LedgerEntry(outcome, "", 1)]) is not None


def test_replaced_values_do_not_disturb_the_balance() -> None:
    """A value that became `other` is counted separately and does not affect the balance."""
    assert imbalance([*BALANCED, LedgerEntry("other_value", "platform/invalid", 3)]) is None


def test_an_empty_ledger_balances() -> None:
    """A run without records balances."""
    assert imbalance([]) is None


@pytest.mark.parametrize("read", [9, 11])
def test_an_imbalance_shows_both_sides(read: int) -> None:
    """A lost or doubled record is reported in one sentence with the sum of every account."""
    entries = [LedgerEntry(READ, "", read), LedgerEntry("counted", "", 4), *BALANCED[1:2]] * 2
    problem = imbalance(entries)
    assert problem is not None
    assert "\n" not in problem
    assert f"read {2 * read}" in problem
    assert all(outcome in problem for outcome in FATES)
    assert "= 10" in problem


@settings(deadline=None, max_examples=100)
@given(st.lists(st.sampled_from(FATES)), st.integers(-3, 3))
def test_only_an_exact_balance_passes(outcomes: list[str], lost: int) -> None:
    """The ledger balances if and only if every record read has one outcome."""
    entries = [LedgerEntry(outcome, "", 1) for outcome in outcomes]
    entries.append(LedgerEntry(READ, "", len(outcomes) + lost))
    assert (imbalance(entries) is None) == (lost == 0)


def test_a_count_of_zero_gives_no_entry() -> None:
    """An account with a count of zero has no entry."""
    counts = Counter({(READ, ""): 2, ("late", ""): 0, ("dead_letter", "oversize"): 2})
    assert entries_of(counts) == [
        LedgerEntry(READ, "", 2),
        LedgerEntry("dead_letter", "oversize", 2),
    ]


def test_balance_sums_by_account_and_reason() -> None:
    """A balanced run gives one total for each account and reason."""
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        sums = {"All": pipeline | beam.Create(BALANCED)} | BalanceLedger(5)
        assert_that(
            sums | beam.combiners.ToList() | beam.Map(lambda entries: sorted(entries, key=_place)),
            equal_to([[
                LedgerTotal(5, "read", "", 7, 5, BATCH), LedgerTotal(5, "counted", "", 3, 5, BATCH),
                LedgerTotal(5, "late", "", 1, 5, BATCH),
                LedgerTotal(5, "dead_letter", "invalid_role", 1, 5, BATCH),
                LedgerTotal(5, "dead_letter", "oversize", 2, 5, BATCH),
            ]]),
        )  # fmt: skip


def _place(entry: LedgerTotal) -> tuple[int, str]:
    return ACCOUNTS.index(entry.account), entry.reason


def test_an_unbalanced_run_fails() -> None:
    """A run that lost a record ends with an error that shows both sides."""
    pipeline = beam.Pipeline(runner=FnApiRunner())
    _ = {"All": pipeline | beam.Create(BALANCED[1:])} | BalanceLedger(5)
    with pytest.raises(Exception, match=r"ledger does not balance: read 2, but .* = 7"):
        pipeline.run().wait_until_finish()


def test_a_run_that_read_nothing_passes() -> None:
    """Without entries the ledger balances and gives no totals."""
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        entries = pipeline | beam.Create([]).with_output_types(LedgerEntry)
        assert_that({"All": entries} | BalanceLedger(5), equal_to([]))


def test_a_conversation_missing_from_the_totals_is_reported() -> None:
    """A conversation that is missing from the totals is reported even if the messages balance."""
    messages = [LedgerEntry(READ, "", 3), LedgerEntry(COUNTED, "", 3)]
    made = [*messages, LedgerEntry(CONVERSATION, "", 2)]
    assert imbalance([*made, LedgerEntry(TALLIED, "", 2)]) is None
    assert "conversation 2, but tallied 1" in str(imbalance([*made, LedgerEntry(TALLIED, "", 1)]))
    past = [LedgerEntry(TALLIED, "", 1), LedgerEntry(PAST_LIFE, "", 1)]
    assert imbalance([*made, *past]) is None
    assert imbalance([*made, *past, LedgerEntry(REVISIONS_PAST_LIFE, "2025-06-02", 7)]) is None
    over = [LedgerEntry(TALLIED, "", 1), LedgerEntry(OVER_USER_LIMIT, "2025-06-02", 1)]
    assert imbalance([*made, *over, LedgerEntry(LIMIT_SHORTFALL, "2025-06-02", 1)]) is None

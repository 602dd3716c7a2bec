"""Tests how a stream and a batch run are compared.

Only the stream's ledger counts heartbeats. Only a batch run always knows all users of a cell.
"""

from __future__ import annotations

from deploy.local.compare import (
    Accounts,
    Counted,
    account_differences,
    count_differences,
    is_settled,
)
from transforms.counting.cells import Sums

EVENTS = 10
BATCH: Accounts = {
    ("read", ""): EVENTS, ("counted", ""): 7, ("system_turn", ""): 2, ("dead_letter", "late"): 1,
    ("conversation", ""): 3, ("tallied", ""): 3,
}  # fmt: skip


def streamed(heartbeats: int, **changes: int) -> Accounts:
    """Returns the ledger of a stream that read the same events and heartbeats."""
    accounts = BATCH | {(account, ""): BATCH[account, ""] + n for account, n in changes.items()}
    for account in ("read", "system_turn"):
        accounts[account, ""] += heartbeats
    return accounts


def test_heartbeats_are_left_out() -> None:
    """Heartbeats do not count as a difference if the comparison knows how many were sent."""
    assert account_differences(streamed(0), BATCH) == []
    assert account_differences(streamed(1234), BATCH, heartbeats=1234) == []


def test_a_lost_system_turn_shows() -> None:
    """A heartbeat does not hide a system turn that the stream lost."""
    found = account_differences(streamed(5, read=-1, system_turn=-1), BATCH, heartbeats=5)
    assert found == [
        "read: 9 in the stream, 10 in the batch",
        "system_turn: 1 in the stream, 2 in the batch",
    ]


def test_an_unknown_heartbeat_shows() -> None:
    """A heartbeat that the comparison does not know of counts as a difference."""
    found = account_differences(streamed(6), BATCH, heartbeats=5)
    assert found[0] == "read: 11 in the stream, 10 in the batch"


def test_heartbeats_do_not_pass_for_events() -> None:
    """A stream counts as settled only when it has read all events and all heartbeats."""
    unread = streamed(3, read=-3, counted=-3)
    assert not is_settled(unread, EVENTS, heartbeats=3)
    assert is_settled(streamed(3), EVENTS, heartbeats=3)


CELL = ("day", 0, "overall", "all", "all", "all")
COUNTED: Counted = {CELL: Sums(conversations=5, users=4, key=9, change=0, change_squares=0)}


def with_sums(**changed: int) -> Counted:
    """Returns the batch's counts with some sums of the cell changed."""
    return {CELL: COUNTED[CELL]._replace(**changed)}


def test_missing_users_may_be_allowed() -> None:
    """If several generations counted a cell, fewer users than the batch's are no difference."""
    assert count_differences(with_sums(users=3), COUNTED, may_lack_users=True) == []
    assert count_differences(with_sums(users=3), COUNTED) != []


def test_other_differences_are_never_allowed() -> None:
    """More users, other sums and a missing cell are differences even if users may be missing."""
    for counted in (with_sums(users=5), with_sums(users=3, conversations=4), {}):
        assert len(count_differences(counted, COUNTED, may_lack_users=True)) == 1

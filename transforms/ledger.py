"""Conservation: every record read meets exactly one fate, and the counts must say so.

The entries come from both ends of the job: `read` is counted at the door, the fates where they
befall a record; conversations are counted where messages become them, and again in the finished
sheets. What is lost or doubled in between leaves two sides unequal, and the run fails.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import apache_beam as beam

from schemas.records import LedgerEntry

READ: Final = "read"
COUNTED: Final = "counted"
"""Messages that stand in a conversation's state, one by one."""
DUPLICATE: Final = "duplicate"
"""Messages whose event had been seen in the conversation before."""
SAMPLED: Final = "sampled"
"""Messages of conversations too long to hold each, past those held; repeated ones among them."""
SYSTEM_TURN: Final = "system_turn"
LATE: Final = "late"
DEAD_LETTER: Final = "dead_letter"

FATES: Final = (COUNTED, DUPLICATE, SAMPLED, SYSTEM_TURN, LATE, DEAD_LETTER)

CONVERSATION: Final = "conversation"
"""Conversations that the messages make up."""
TALLIED: Final = "tallied"
"""Conversations that stand in the sheets of the days."""

ACCOUNTS: Final = (READ, *FATES, CONVERSATION, TALLIED)


class LedgerImbalanceError(RuntimeError):
    """Raised when records were lost or made up on the way."""


def imbalance(entries: Iterable[LedgerEntry]) -> str | None:
    """Returns one sentence saying by how much the two sides differ, or None if they agree."""
    sums = dict.fromkeys(ACCOUNTS, 0)
    for entry in entries:
        sums[entry.account] += entry.records
    if sums[CONVERSATION] != sums[TALLIED]:
        return (
            f"the ledger does not balance: {sums[CONVERSATION]} conversations were made up of "
            f"messages, but {sums[TALLIED]} were tallied"
        )
    met = sum(sums[fate] for fate in FATES)
    if met == sums[READ]:
        return None
    parts = " + ".join(f"{fate} {sums[fate]}" for fate in FATES)
    return f"the ledger does not balance: read {sums[READ]}, but {parts} = {met}"


class BalanceLedger(beam.PTransform[LedgerEntry, LedgerEntry]):
    """Sums the ledger entries of a bounded run and checks that they balance.

    In: `LedgerEntry`, in the global window. Out: one `LedgerEntry` an account and reason.
    Raises: `LedgerImbalanceError` while the pipeline runs, so that the run fails.
    """

    def expand(self, entries: beam.PCollection[LedgerEntry]) -> beam.PCollection[LedgerEntry]:
        return (
            entries
            | "KeyByAccount" >> beam.Map(_key).with_output_types(tuple[tuple[str, str], int])
            | "SumAccounts" >> beam.CombinePerKey(sum)
            | "GatherAccounts" >> beam.combiners.ToList()
            | "CheckBalance" >> beam.FlatMap(_checked).with_output_types(LedgerEntry)
        )


def _key(entry: LedgerEntry) -> tuple[tuple[str, str], int]:
    return (entry.account, entry.reason), entry.records


def _checked(sums: Iterable[tuple[tuple[str, str], int]]) -> list[LedgerEntry]:
    entries = [LedgerEntry(account, reason, records) for (account, reason), records in sums]
    problem = imbalance(entries)
    if problem is not None:
        raise LedgerImbalanceError(problem)
    return sorted(entries, key=lambda e: (ACCOUNTS.index(e.account), e.reason))


def entries_of(counts: Mapping[tuple[str, str], int]) -> list[LedgerEntry]:
    """Returns an entry for each (account, reason) that was met at least once."""
    return [LedgerEntry(account, reason, n) for (account, reason), n in counts.items() if n]

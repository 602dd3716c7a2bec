"""The ledger: checks that every record read has exactly one outcome.

The job counts each thing twice, in different places. Records are counted as `read` when they enter
the job, and again at the step that decides their outcome. Conversations are counted when they are
built from messages, and again in the finished totals. If something is lost or counted twice in
between, the two sides differ.

This module does not use Beam.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from schemas.records import LedgerEntry, LedgerTotal

READ: Final = "read"
"""All records that were read."""

COUNTED: Final = "counted"
"""Messages that the state of a conversation holds individually."""

DUPLICATE: Final = "duplicate"
"""Further copies of messages already counted in the same conversation, even if they differ."""

SAMPLED: Final = "sampled"
"""Messages of a very long conversation that its state does not hold, duplicates included."""

SYSTEM_TURN: Final = "system_turn"
LATE: Final = "late"
DEAD_LETTER: Final = "dead_letter"

OUT_OF_RANGE: Final = "out_of_range"
"""Messages that a backfill read but that do not count for the requested days."""

FATES: Final = (COUNTED, DUPLICATE, SAMPLED, SYSTEM_TURN, LATE, DEAD_LETTER, OUT_OF_RANGE)
"""The outcomes of a record. Together they add up to `READ`."""

CONVERSATION: Final = "conversation"
"""Conversations built from the messages."""

TALLIED: Final = "tallied"
"""Conversations in the totals of the days."""

PAST_LIFE: Final = "past_life"
"""Conversations of a day that is closed to a stream. The entry's reason is the day. A backfill
counts them."""

OVER_USER_LIMIT: Final = "over_user_limit"
"""Conversations over the limit for one user on a day. The entry's reason is the day."""

OTHER_DAY: Final = "other_day"
"""Conversations of days that the backfill was not asked to recompute."""

OPEN_AT_DRAIN: Final = "open_at_drain"
"""Conversations that a drain may have cut in two. The entry's reason is the day on which they
started. A new job counts their later messages as a separate conversation, until a backfill
recomputes that day."""

OPEN_AT_END: Final = "open_at_end"
"""Conversations that may continue after the last message read by a backfill. The entry's reason is
the day on which they started. A later backfill or a larger margin may count more of their
messages."""

REVISIONS_PAST_LIFE: Final = "revisions_past_life"
"""Revisions that a stream dropped because the day on which their conversations started is closed.
The entry's reason is that day. Most revisions do not change the number of conversations, so
`PAST_LIFE` does not show them. A backfill of the day counts them."""

LIMIT_SHORTFALL: Final = "limit_shortfall"
"""Conversations that are over the user limit only in a stream. The entry's reason is their day.
They should take the place of conversations that left the user's day, but the stream no longer
remembers them. A backfill counts them."""

OTHER_VALUE: Final = "other_value"
"""Values of breakdowns that were replaced by `other`. The reason gives the breakdown and the cause.
The messages with these values also have an outcome, like all other messages."""

PLACES: Final = (TALLIED, OVER_USER_LIMIT, PAST_LIFE, OTHER_DAY)
"""The outcomes of a conversation. Together they add up to `CONVERSATION`."""

ACCOUNTS: Final = (
    READ, *FATES, CONVERSATION, *PLACES, REVISIONS_PAST_LIFE, LIMIT_SHORTFALL, OPEN_AT_DRAIN,
    OPEN_AT_END, OTHER_VALUE,
)  # fmt: skip
"""Every account, in the order in which a ledger is shown."""

_VERSION: Final = 1


class LedgerImbalanceError(RuntimeError):
    """Raised if a run lost records or counted them twice."""


def imbalance(entries: Iterable[LedgerEntry | LedgerTotal]) -> str | None:
    """Returns one sentence that shows how the two sides differ, or None if they agree."""
    sums = dict.fromkeys(ACCOUNTS, 0)
    for entry in entries:
        sums[entry.account] += entry.records
    for whole, parts in ((CONVERSATION, PLACES), (READ, FATES)):
        added_up = sum(sums[part] for part in parts)
        if added_up != sums[whole]:
            shown = " + ".join(f"{part} {sums[part]}" for part in parts)
            return f"the ledger does not balance: {whole} {sums[whole]}, but {shown} = {added_up}"
    return None


@dataclass(frozen=True)
class RunningTotals:
    """The sums of all ledger entries since the run began, by (account, reason)."""

    run: int
    revision: int
    sums: Counter[tuple[str, str]]

    def encode(self) -> bytes:
        rows = [(*key, records) for key, records in sorted(self.sums.items())]
        return _encode((_VERSION, self.run, self.revision, rows))

    @classmethod
    def decode(cls, encoded: bytes) -> RunningTotals:
        version, run, revision, rows = _decode(encoded)
        if version != _VERSION:
            raise ValueError(
                f"ledger state has layout version {version}, but this version of Undertone reads "
                f"only {_VERSION}; start a new job and backfill"
            )
        return cls(run, revision, Counter({(row[0], row[1]): row[2] for row in rows}))


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[int, int, int, list[tuple[str, str, int]]]).decode


def entries_of(counts: Mapping[tuple[str, str], int]) -> list[LedgerEntry]:
    """Returns an entry for each (account, reason) whose count is not 0."""
    return [LedgerEntry(account, reason, n) for (account, reason), n in counts.items() if n]

"""Conservation: every record read has one outcome, and the counts must say so. No Beam here.

The entries come from both ends of the job: `read` is counted at the door, the outcomes where they
happen. Conversations are counted where messages become them, and again in the finished totals. If
something is lost or doubled in between, the two sides differ.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from schemas.records import LedgerEntry, LedgerTotal

READ: Final = "read"


COUNTED: Final = "counted"
"""Messages that stand in a conversation's state, one by one."""


DUPLICATE: Final = "duplicate"
"""More copies of messages that are counted in the same conversation, also copies that differ."""


SAMPLED: Final = "sampled"
"""Messages of conversations too long to hold each, past those held; repeated ones among them."""


SYSTEM_TURN: Final = "system_turn"


LATE: Final = "late"


DEAD_LETTER: Final = "dead_letter"


OUT_OF_RANGE: Final = "out_of_range"
"""Messages that a backfill read and that do not count for the days it was asked for."""


FATES: Final = (COUNTED, DUPLICATE, SAMPLED, SYSTEM_TURN, LATE, DEAD_LETTER, OUT_OF_RANGE)


CONVERSATION: Final = "conversation"
"""Conversations that the messages make up."""


TALLIED: Final = "tallied"
"""Conversations that stand in the totals of the days."""


PAST_LIFE: Final = "past_life"
"""Conversations, by day (the reason), of days that a stream no longer changes: for a backfill."""


OVER_USER_LIMIT: Final = "over_user_limit"
"""Conversations, by day (the reason), past those that count of one user on one day."""


OTHER_DAY: Final = "other_day"
"""Conversations of days that a backfill was not asked for."""


OPEN_AT_DRAIN: Final = "open_at_drain"
"""Conversations, by the day they started (the reason), that a drain may have cut in two: what
comes of them later a new job takes for another conversation, until a backfill of that day."""


OPEN_AT_END: Final = "open_at_end"
"""Conversations, by the day they started (the reason), that may go on after the last message that
a backfill read: a later backfill, or one with a larger margin, may count more of them."""


REVISIONS_PAST_LIFE: Final = "revisions_past_life"
"""Revisions of conversations, by the day they started (the reason), that a stream dropped: it no
longer changes that day. Most leave the number of conversations as it is, so `PAST_LIFE` does not
show them. A backfill of the day counts them."""


LIMIT_SHORTFALL: Final = "limit_shortfall"
"""Conversations, by day (the reason), that are over the user limit in a stream only: others left
the user's day, and the stream no longer remembers which ones come next. A backfill counts them."""


OTHER_VALUE: Final = "other_value"
"""Values of breakdowns that became `other`, by breakdown and why (the reason); the messages that
stated them have a fate like every other."""


PLACES: Final = (TALLIED, OVER_USER_LIMIT, PAST_LIFE, OTHER_DAY)
"""What becomes of a conversation; together they are all."""


ACCOUNTS: Final = (
    READ, *FATES, CONVERSATION, *PLACES, REVISIONS_PAST_LIFE, LIMIT_SHORTFALL, OPEN_AT_DRAIN,
    OPEN_AT_END, OTHER_VALUE,
)  # fmt: skip


_VERSION: Final = 1


class LedgerImbalanceError(RuntimeError):
    """Raised when records were lost or made up on the way."""


def imbalance(entries: Iterable[LedgerEntry | LedgerTotal]) -> str | None:
    """Returns one sentence saying by how much the two sides differ, or None if they agree."""
    sums = dict.fromkeys(ACCOUNTS, 0)
    for entry in entries:
        sums[entry.account] += entry.records
    for whole, parts in ((CONVERSATION, PLACES), (READ, FATES)):
        met = sum(sums[part] for part in parts)
        if met != sums[whole]:
            shown = " + ".join(f"{part} {sums[part]}" for part in parts)
            return f"the ledger does not balance: {whole} {sums[whole]}, but {shown} = {met}"
    return None


@dataclass(frozen=True)
class RunningTotals:
    """Everything added up since the run began."""

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
            raise ValueError(f"ledger state has version {version}, not {_VERSION}")
        return cls(run, revision, Counter({(row[0], row[1]): row[2] for row in rows}))


_encode = msgspec.msgpack.Encoder().encode


_decode = msgspec.msgpack.Decoder(tuple[int, int, int, list[tuple[str, str, int]]]).decode


def entries_of(counts: Mapping[tuple[str, str], int]) -> list[LedgerEntry]:
    """Returns an entry for each (account, reason) that was met at least once."""
    return [LedgerEntry(account, reason, n) for (account, reason), n in counts.items() if n]

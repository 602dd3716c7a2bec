"""The days that a backfill recomputes, and the messages that count for them.

A conversation belongs to the day of its first message. So a backfill must recognize conversations
that began before its range of days. Such a conversation continues into the range only if one of its
messages was sent less than a session gap before the range. So it is enough to read one session gap
before the range. Then no earlier conversation is mistaken for one that begins in the range.

Nobody knows in advance how long a conversation continues. So the operator chooses a margin after
the range. The ledger counts the conversations that may continue beyond the margin.

This module does not use Beam.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import NamedTuple, Self

from transforms.counting.cells import DAY_US

_EPOCH = date(1970, 1, 1)
_US = timedelta(microseconds=1)


class DayRange(NamedTuple):
    """Consecutive UTC days, and the times of the messages that count for them.

    Attributes:
      first_us, last_us: starts of the first and the last day, microseconds since the epoch.
      sent_from_us: messages sent before this time are left out.
      sent_before_us: messages sent at this time or later are left out.
      gap_us: the session gap.
    """

    first_us: int
    last_us: int
    sent_from_us: int
    sent_before_us: int
    gap_us: int

    @classmethod
    def of(
        cls, first: date, last: date, gap: timedelta, margin: timedelta, now_us: int = 2**63 - 1
    ) -> Self:
        """Returns the range from the first to the last day, both included.

        Args:
          first: the first day.
          last: the last day.
          gap: the session gap.
          margin: how long after the end of the last day messages are still read.
          now_us: messages sent at this time or later are left out too. So messages that arrive
            while the backfill runs make no difference.

        Raises:
          ValueError: if the last day is before the first, or the margin is shorter than the gap.
        """
        if last < first:
            raise ValueError(f"the last day {last} is before the first, {first}; swap the two")
        if margin < gap:
            raise ValueError(
                f"margin must be at least session_gap ({gap}), got {margin}; use e.g. 7d"
            )
        first_us, last_us = start_of(first), start_of(last)
        gap_us = gap // _US
        until_us = min(last_us + DAY_US + margin // _US, now_us)
        return cls(first_us, last_us, first_us - gap_us, until_us, gap_us)

    def starts(self) -> range:
        """Returns the starts of the days, microseconds since the epoch."""
        return range(self.first_us, self.last_us + 1, DAY_US)

    def has(self, instant_us: int) -> bool:
        """Tells whether an instant is on one of the days."""
        return self.first_us <= instant_us < self.last_us + DAY_US

    def may_go_on(self, last_at_us: int) -> bool:
        """Tells whether a conversation last seen at this time may continue beyond the margin."""
        return last_at_us + self.gap_us >= self.sent_before_us

    def is_said_in_time(self, sent_at_us: int) -> bool:
        """Tells whether a message sent at this time counts for the days."""
        return self.sent_from_us <= sent_at_us < self.sent_before_us


def start_of(day: date) -> int:
    """Returns the start of a UTC day, microseconds since the epoch."""
    return (day - _EPOCH) // _US


def date_of(day_us: int) -> date:
    """Returns the UTC day that an instant is on."""
    return _EPOCH + timedelta(days=day_us // DAY_US)

"""The settings of a simulation."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SHARES = ("share_affective", "share_chinese", "duplicates", "late", "malformed")


@dataclass(frozen=True, kw_only=True)
class SimulationSettings:
    """The settings of a simulation. The same settings always give the same events.

    Attributes:
      conversations: number of threads. A thread that resumes after `session_gap` is counted as two
        conversations.
      seed: seed for all random choices.
      start: the earliest time at which a conversation may start; must have a time zone.
      days: every thread starts within this many days of `start`, but may last longer.
      share_affective: share of the conversations that are planned to open or close with an
        affective type. The default is the share in the study (docs/metrics.md). With the default,
        companionship and romantic roleplay together stay below 0.5 % and romantic roleplay alone
        below 0.1 %, as in the study.
      share_chinese: share of the users who write in Chinese; the others write in English.
      duplicates: number of events that are sent again, as a fraction of the messages.
      late: number of extra messages that are published too late to be counted, as a fraction of the
        messages.
      malformed: number of extra damaged events, as a fraction of the messages.
      allowed_lateness: an event is late if it is published more than this time after it was sent.
        Use the job's setting; otherwise the counts differ from those of the job.
      session_gap: a silence longer than this ends a conversation. Use the job's setting.
      max_conversations_per_user: at most this many of a user's conversations are counted on the day
        on which they start. Use the job's setting.
      labelled_text: whether texts are codes that name the planned label, instead of prose.
    """

    conversations: int
    start: datetime
    seed: int = 0
    days: int = 7
    share_affective: float = 0.029
    share_chinese: float = 0.1
    duplicates: float = 0.0
    late: float = 0.0
    malformed: float = 0.0
    allowed_lateness: timedelta = timedelta(hours=48)
    session_gap: timedelta = timedelta(hours=24)
    max_conversations_per_user: int = 100
    labelled_text: bool = False

    def __post_init__(self) -> None:
        if self.conversations < 0:
            raise ValueError(
                f"conversations must not be negative, got {self.conversations}; use e.g. 1000"
            )
        if self.days < 1:
            raise ValueError(f"days must be at least 1, got {self.days}; use e.g. 7")
        if self.start.tzinfo is None:
            raise ValueError(f"start must carry a time zone, got {self.start}; use e.g. +00:00")
        for name in _SHARES:
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(
                    f"{name} must be from 0 to 1, got {getattr(self, name)}; use e.g. 0.05"
                )
        for name in ("allowed_lateness", "session_gap"):
            if getattr(self, name) < timedelta(minutes=10):
                raise ValueError(
                    f"{name} must be at least 10 min, got {getattr(self, name)}; use e.g. 24h"
                )

    @property
    def start_us(self) -> int:
        """`start` in microseconds since the epoch."""
        return (self.start - _EPOCH) // _MICROSECOND

    @property
    def allowed_lateness_us(self) -> int:
        """`allowed_lateness` in microseconds."""
        return self.allowed_lateness // _MICROSECOND

    @property
    def session_gap_us(self) -> int:
        """`session_gap` in microseconds."""
        return self.session_gap // _MICROSECOND

"""What a simulation is to be like."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SHARES = ("share_affective", "share_chinese", "duplicates", "late", "malformed")


@dataclass(frozen=True, kw_only=True)
class SimulationSettings:
    """Says how many conversations to make up, and how; equal settings give equal events.

    Attributes:
      conversations: how many; a resumed thread counts as one more.
      seed: of all that is random.
      start: conversations start from this instant on; must carry a time zone.
      days: for so many days; a conversation may last beyond them.
      share_affective: share of the conversations planned with an affective type at either end. The
        default is the share of the study (METRICS.md), as is that companionship and romantic
        roleplay then stay below 0.5 % together and romantic roleplay below 0.1 %.
      share_chinese: share of the users who write Chinese; the others write English.
      duplicates: events sent again, as a fraction of the messages.
      late: extra messages published too late to count, as a fraction of the messages.
      malformed: extra damaged events, as a fraction of the messages.
      allowed_lateness: an event published later than this after it was said is late; as in the
        job's settings, or its counts will differ.
      session_gap: a longer silence ends a conversation; as in the job's settings.
      max_conversations_per_user: of a user's conversations that start on one day no more than this
        count; as in the job's settings.
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
            raise ValueError(f"conversations must not be negative, got {self.conversations}")
        if self.days < 1:
            raise ValueError(f"days must be at least 1, got {self.days}")
        if self.start.tzinfo is None:
            raise ValueError(f"start must carry a time zone, got {self.start}; use e.g. +00:00")
        for name in _SHARES:
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be from 0 to 1, got {getattr(self, name)}")
        for name in ("allowed_lateness", "session_gap"):
            if getattr(self, name) < timedelta(minutes=10):
                raise ValueError(f"{name} must be at least 10 min, got {getattr(self, name)}")

    @property
    def start_us(self) -> int:
        """Microseconds since the epoch."""
        return (self.start - _EPOCH) // _MICROSECOND

    @property
    def allowed_lateness_us(self) -> int:
        """Microseconds."""
        return self.allowed_lateness // _MICROSECOND

    @property
    def session_gap_us(self) -> int:
        """Microseconds."""
        return self.session_gap // _MICROSECOND

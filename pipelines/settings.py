"""The settings of a run: the operator's choices, checked once and then frozen."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from pipelines.sources.secret import load_local_pseudonyms
from schemas.tables import METRICS_VERSION
from schemas.wire.validate import Limits
from schemas.wire.values import ANY_VALUE, AllowedValues
from transforms.classifiers import load_default
from transforms.classifiers.accurate.classifier import load_accurate
from transforms.conversation.pseudonyms import LoadPseudonyms
from transforms.counting.contribution import MAX_LIMIT
from transforms.counting.days import DayRange
from transforms.counting.rows import Provenance
from transforms.policies import Clock, Firings
from transforms.score import LoadClassifier

CLASSIFIERS: Final[Mapping[str, LoadClassifier]] = {
    "default": load_default,
    "accurate": load_accurate,
}
"""The function that loads each classifier, by the classifier's name in the flags."""

MAX_JUDGEMENTS: Final = 10_000
"""The most judgements a day. A stream keeps as many candidates of each hour."""

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_US: Final = timedelta(microseconds=1)


def wall_clock_us() -> int:
    """Returns the current time in microseconds since the epoch."""
    return time.time_ns() // 1000


def parse_duration(text: str) -> timedelta:
    """Reads a duration such as `90s`, `5m`, `24h` or `7d`.

    Raises:
      ValueError: if `text` is not a duration.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a duration; write a number and s, m, h or d, e.g. 24h")
    try:
        return timedelta(**{_UNITS[match[2]]: float(match[1])})
    except OverflowError:
        raise ValueError(f"{text!r} is too long; write e.g. 24h") from None


@dataclass(frozen=True)
class Settings:
    """How the job counts. Streams, backfills and local runs use the same settings.

    Attributes:
      session_gap: idle time after which a conversation id begins a new conversation.
      allowed_lateness: how long after a message was sent it may be published and still be counted.
      max_conversations_per_user: the most conversations to count for one user on one day. A
        conversation belongs to the day on which it starts.
      judgements_per_day: how many conversations of a day can be judged. So many candidates are kept
        of each hour, because all of a day's sample may have begun in one hour.
      max_event_bytes: the size of the largest accepted payload in bytes; larger payloads are
        refused.
      values: the allowed values of breakdowns, as pairs of breakdown and value.
      firings: when the stream publishes its results, and how long it keeps its state.
      load_classifier: function that loads the classifier, called once per worker. It is a value of
        `CLASSIFIERS`.
      classifier_version: version of the classifier's weights, written into every row.
      load_pseudonyms: function that loads the operator's secret, called once per worker.
      clock: returns the current time, for the revisions of a stream's rows and the write times of
        dead letters.
      revision: start of the run, microseconds since the epoch. All rows of a bounded run have this
        revision.
      asked: the days that a backfill counts; None for every day in the input.
    """

    session_gap: timedelta = timedelta(hours=24)
    allowed_lateness: timedelta = timedelta(hours=48)
    max_conversations_per_user: int = 100
    judgements_per_day: int = 500
    max_event_bytes: int = 4_000_000
    values: AllowedValues = ANY_VALUE
    firings: Firings = field(default_factory=Firings)
    load_classifier: LoadClassifier = load_default
    classifier_version: str = ""
    load_pseudonyms: LoadPseudonyms = load_local_pseudonyms
    clock: Clock = wall_clock_us
    revision: int = 0
    asked: DayRange | None = None

    def __post_init__(self) -> None:
        for name, example in (("session_gap", "24h"), ("allowed_lateness", "48h")):
            value = getattr(self, name)
            if value <= timedelta(0):
                raise ValueError(f"{name} must be positive, got {value}; use e.g. {example}")
        if self.max_event_bytes < 1024:
            raise ValueError(
                f"max_event_bytes must be at least 1024, got {self.max_event_bytes}; "
                "the default is 4000000"
            )
        if not 1 <= self.max_conversations_per_user <= MAX_LIMIT:
            raise ValueError(
                f"max_conversations_per_user must be between 1 and {MAX_LIMIT}, got "
                f"{self.max_conversations_per_user}; the default is 100"
            )
        if not 1 <= self.judgements_per_day <= MAX_JUDGEMENTS:
            raise ValueError(
                f"judgements_per_day must be between 1 and {MAX_JUDGEMENTS}, got "
                f"{self.judgements_per_day}; the default is 500"
            )
        for name, period, default in (
            ("firing_period", self.firings.early, "60s"),
            ("counts_period", self.firings.counts, "2m"),
        ):
            if period < timedelta(seconds=1):
                raise ValueError(
                    f"{name} must be at least 1s, got {period}; the default is {default}"
                )
        life = self.firings.conversation_life
        if life <= self.allowed_lateness + self.session_gap:
            raise ValueError(
                f"conversation_life must exceed allowed_lateness + session_gap "
                f"({self.allowed_lateness + self.session_gap}), got {life}; use e.g. 28d"
            )

    @property
    def limits(self) -> Limits:
        """The limits of a valid event."""
        return Limits(
            allowed_lateness_us=self.allowed_lateness // _US,
            max_event_bytes=self.max_event_bytes,
            max_age_us=self.life_us,
            allowed_values=self.values,
        )

    @property
    def gap_us(self) -> int:
        """The session gap in microseconds."""
        return self.session_gap // _US

    @property
    def life_us(self) -> int:
        """The conversation life in microseconds."""
        return self.firings.conversation_life // _US

    @property
    def kept_us(self) -> int:
        """How long state is kept: the conversation life plus the time that a clock may run ahead.

        A sender's clock may date a message later than its receipt. Measured from such a message, or
        by a watermark of such times, the conversation life alone would end too early.
        """
        return self.life_us + self.limits.max_future_us

    def provenance(self, origin: str) -> Provenance:
        """Returns what every row says about how it was counted. `origin`: stream or batch."""
        return Provenance(origin, METRICS_VERSION, self.classifier_version)

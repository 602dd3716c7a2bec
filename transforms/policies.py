"""Every policy of time, named once: when panes fire, what accumulates, how long state lives.

Why processing time and not the watermark: a quiet subscription holds the watermark back
(apache/beam#19518), and a cell of today must not wait for it. Why Beam's allowed lateness is so
long: Beam drops late data without a count (BEAM trap 4), so `Decode` alone decides what is late,
from publish time less event time, and nothing downstream may drop sooner than that.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import apache_beam as beam
from apache_beam import window
from apache_beam.transforms import trigger
from apache_beam.utils.timestamp import Duration


@dataclass(frozen=True)
class Firings:
    """When the windows of the streaming job fire.

    Attributes:
      early: processing time from a pane's first element to its firing, before and after the
        watermark. Fires once for many messages, and does not wait for the watermark.
      late: trigger for what comes behind the watermark; None is as early. Beam's test runner can
        not fire a late pane by processing time, and so tests pass a count.
      conversation_life: how long windows and state are kept for a conversation and for the day
        that it started in. Must exceed `allowed_lateness`, the session gap and the longest
        conversation; what changes after it waits for the next backfill.
    """

    early: timedelta = timedelta(seconds=60)
    late: Any = None
    conversation_life: timedelta = timedelta(days=28)

    def sessions(self, gap: Duration) -> beam.WindowInto:
        """Windows messages into the sessions of their conversation, accumulating."""
        return beam.WindowInto(
            window.Sessions(gap),
            trigger=self._early_and_late(),
            accumulation_mode=trigger.AccumulationMode.ACCUMULATING,
            allowed_lateness=_seconds(self.conversation_life),
        )

    def days(self) -> beam.WindowInto:
        """Windows changes by the day that a conversation started in, accumulating."""
        return beam.WindowInto(
            window.FixedWindows(_seconds(timedelta(days=1))),
            trigger=self._early_and_late(),
            accumulation_mode=trigger.AccumulationMode.ACCUMULATING,
            allowed_lateness=_seconds(self.conversation_life),
        )

    def each_element(self) -> beam.WindowInto:
        """Puts elements into the global window, each on its own."""
        return beam.WindowInto(
            window.GlobalWindows(),
            trigger=trigger.Repeatedly(trigger.AfterCount(1)),
            accumulation_mode=trigger.AccumulationMode.DISCARDING,
            allowed_lateness=_seconds(self.conversation_life),
        )

    def _early_and_late(self) -> Any:
        early = trigger.AfterProcessingTime(_seconds(self.early))
        return trigger.AfterWatermark(early=early, late=self.late or early)


def _seconds(duration: timedelta) -> int:
    return int(duration.total_seconds())

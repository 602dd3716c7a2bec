"""Every policy of time, named once: when panes fire, and how long state lives.

Why processing time and not the watermark: a quiet subscription holds the watermark back
(apache/beam#19518), and a cell of today must not wait for it. Why the global window: Beam drops
what comes after a window's end without a count; the global window has no end, so nothing is lost
there, on any runner and whatever its watermark. `Decode` alone decides what is late, from publish
time less event time; the hours and days of the tables are keys; and a day that is past its life
says how much it turned away.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import apache_beam as beam
from apache_beam import window
from apache_beam.transforms import trigger


@dataclass(frozen=True)
class Firings:
    """When the streaming job fires, and how long it remembers.

    Attributes:
      early: processing time from a pane's first element to its firing. Fires once for many
        elements, and does not wait for the watermark.
      conversation_life: how long a conversation may change after its last message, and the day
        that it started in after its end. State is kept longer by as much as a sender's clock may
        run ahead. Must exceed `allowed_lateness`, the session gap and the longest
        conversation; what changes after it is counted as past its life, and waits for the next
        backfill.
    """

    early: timedelta = timedelta(seconds=60)
    conversation_life: timedelta = timedelta(days=28)

    def each_period(self) -> beam.WindowInto:
        """Hands elements over once a firing period, each once; at a drain at once."""
        early = trigger.AfterProcessingTime(int(self.early.total_seconds()))
        return beam.WindowInto(
            window.GlobalWindows(),
            trigger=trigger.AfterWatermark(early=early),
            accumulation_mode=trigger.AccumulationMode.DISCARDING,
        )


def each_element() -> beam.WindowInto:
    """Hands each element over by itself."""
    return beam.WindowInto(
        window.GlobalWindows(),
        trigger=trigger.Repeatedly(trigger.AfterCount(1)),
        accumulation_mode=trigger.AccumulationMode.DISCARDING,
    )


Clock = Callable[[], int]
"""Returns microseconds since the epoch."""

"""The policies of time: when panes fire, and how long state is kept.

Panes fire by processing time, not by the watermark. A quiet subscription holds the watermark back
(apache/beam#19518), and today's cells must not wait for it.

Everything is grouped in the global window. Beam drops what arrives after the end of a window, and
does not count it. The global window has no end, so Beam drops nothing there, on any runner and at
any watermark. The hours and days of the tables are keys instead.

`Decode` alone decides what is late, from publish time minus event time. A day that is past its life
counts the changes that it turns away.
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
      early: processing time from a pane's first element to its firing. A firing hands over many
        elements at once and does not wait for the watermark.
      conversation_life: how long a conversation may change after its last message, and a day after
        its end. State is kept a little longer, because a sender's clock may run ahead. It must
        exceed `allowed_lateness` plus the session gap, which `Settings` checks. It should exceed
        the longest conversation too. A later change is counted as past its life and waits for the
        next backfill.
    """

    early: timedelta = timedelta(seconds=60)
    conversation_life: timedelta = timedelta(days=28)

    def each_period(self) -> beam.WindowInto:
        """Hands over each element once, at the end of its firing period or at a drain."""
        early = trigger.AfterProcessingTime(int(self.early.total_seconds()))
        return beam.WindowInto(
            window.GlobalWindows(),
            trigger=trigger.AfterWatermark(early=early),
            accumulation_mode=trigger.AccumulationMode.DISCARDING,
        )


def each_element() -> beam.WindowInto:
    """Hands over each element by itself, without waiting for others."""
    return beam.WindowInto(
        window.GlobalWindows(),
        trigger=trigger.Repeatedly(trigger.AfterCount(1)),
        accumulation_mode=trigger.AccumulationMode.DISCARDING,
    )


Clock = Callable[[], int]
"""Returns the time now, in microseconds since the epoch."""

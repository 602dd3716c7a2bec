"""Timing policies: when panes fire, and how long state is kept.

Panes fire by processing time, not by the watermark. A quiet subscription holds the watermark back
(apache/beam#19518), and today's cells must not wait for it.

Everything is grouped in the global window. Beam drops elements that arrive after the end of their
window, and does not count them. The global window never ends, so Beam drops nothing there, on any
runner and at any watermark. The hours and days of the tables are keys and not windows.

Only `Decode` decides which messages are late, from publish time minus sent time. When a day is
closed, changes to it are rejected and counted.
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
    """When the streaming job fires panes, and how long it keeps state.

    Attributes:
      early: processing time from a pane's first element to its firing. A firing passes on many
        elements at once and does not wait for the watermark.
      counts: the same for the changes to counts. It is longer, because each firing writes a row for
        each place that changed.
      conversation_life: how long a conversation may still change after its last message, and how
        long a day may still change after its end. State is kept a little longer than this, because
        a sender's clock may run ahead. The value must exceed `allowed_lateness` plus the session
        gap, which `Settings` checks. It should also exceed the length of the longest conversation.
        Later changes are counted as `past_life` and are left to the next backfill.
    """

    early: timedelta = timedelta(seconds=60)
    counts: timedelta = timedelta(minutes=2)
    conversation_life: timedelta = timedelta(days=28)

    def each_period(self) -> beam.WindowInto:
        """Returns the windowing that emits each element after its firing period, or at a drain.

        Each element is emitted once.
        """
        return _each(self.early)

    def each_counts_period(self) -> beam.WindowInto:
        """Returns the same windowing for changes to counts."""
        return _each(self.counts)


def _each(period: timedelta) -> beam.WindowInto:
    return beam.WindowInto(
        window.GlobalWindows(),
        trigger=trigger.AfterWatermark(
            early=trigger.AfterProcessingTime(int(period.total_seconds()))
        ),
        accumulation_mode=trigger.AccumulationMode.DISCARDING,
    )


def each_element() -> beam.WindowInto:
    """Returns the windowing that emits each element alone, without waiting for others."""
    return beam.WindowInto(
        window.GlobalWindows(),
        trigger=trigger.Repeatedly(trigger.AfterCount(1)),
        accumulation_mode=trigger.AccumulationMode.DISCARDING,
    )


Clock = Callable[[], int]
"""Returns the time now, in microseconds since the epoch."""

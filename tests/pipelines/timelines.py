"""Builds timelines of events for the stream, and reads the results of running them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from apache_beam.io.gcp.pubsub import PubsubMessage

from pipelines.settings import Settings
from pipelines.sources.pubsub import chunks_of_messages
from schemas.breakdowns import ATTRIBUTES
from schemas.records import Encoding, LedgerTotal, PayloadChunk
from tests.pipelines.running import EXACT, Result, chunk, run_bounded, run_unbounded
from tests.schemas.payloads import encoded

HOUR_S = 3600
DAY_S = 24 * HOUR_S
START_S = 1_767_225_600  # 2026-01-01T00:00:00Z


def said(
    event: str, at_s: float, conversation: str = "c", kind: str = "coaching", **fields: Any
) -> dict[str, Any]:
    """Returns the event of a human message with labels, `at_s` seconds into the timeline."""
    at_us = round((START_S + at_s) * 1_000_000)
    return {
        "event_id": event,
        "conversation_id": conversation,
        "user_id": f"user of {conversation}",
        "role": "HUMAN",
        "text": f"label:{kind}:0",
        "sent_at_us": at_us,
        "published_at_us": at_us,
        "schema_version": 1,
        **dict.fromkeys(ATTRIBUTES),
        **fields,
    }


def received(event: dict[str, Any], at_s: float, **attributes: str) -> PayloadChunk:
    """Returns an event as Pub/Sub delivers it, published `at_s` seconds into the timeline."""
    data = encoded(Encoding.PROTOBUF, **event)
    published_at = datetime.fromtimestamp(START_S, UTC) + timedelta(seconds=at_s)
    return next(
        chunks_of_messages([PubsubMessage(data, attributes, publish_time=published_at)], "s")
    )


def original_publish_time(at_s: float) -> dict[str, str]:
    """Returns the attribute with which an event claims this time as its first publish time."""
    return {"original-publish-time": str(round((START_S + at_s) * 1_000_000))}


def ends_as_batch(
    timeline: Sequence[list[dict[str, Any]] | int], settings: Settings = EXACT
) -> dict[tuple[Any, ...], Any]:
    """Runs a timeline as stream and as batch, and returns the cells.

    Asserts that cells, ledgers and the samples for judging are equal.
    """
    steps = [step if isinstance(step, list) else START_S + step for step in timeline]
    streamed = run_unbounded(steps, settings)
    batch = run_bounded([chunk(step) for step in timeline if isinstance(step, list)], settings)
    assert streamed.cells() == batch.cells()
    assert streamed.cells()
    assert streamed.accounts() == batch.accounts()
    for budget in (2, 100):
        assert streamed.sample(budget) == batch.sample(budget)
    return streamed.cells()


def conversations(cells: dict[tuple[Any, ...], Any], facet: str, value: str) -> int:
    """Returns how many conversations have a facet's value on the first day, without a breakdown."""
    cell = (START_S * 1_000_000, "day", "overall", "all", facet, value)
    return int(cells.get(cell, (0,))[0])


def last_revision(result: Result) -> list[LedgerTotal]:
    """Returns the totals of the largest revision."""
    newest = max(total.revision for total in result.ledger)
    return [total for total in result.ledger if total.revision == newest]

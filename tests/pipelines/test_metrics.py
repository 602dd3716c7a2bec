"""Tests the metrics that the job reports to its runner."""

from __future__ import annotations

from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.direct.direct_runner import BundleBasedDirectRunner
from apache_beam.testing.test_stream import TestStream as Timeline

from pipelines.graph import assemble
from tests.pipelines.running import EXACT, chunk
from tests.pipelines.timelines import said

DISTRIBUTIONS = {
    "decode/rows_per_chunk",
    "score/messages_per_batch",
    "score/us_per_message",
    "changes/state_bytes",
    "changes/sent_to_counted_ms",
    "people/remembered",
}


def metrics_of(events: list[dict[str, Any]]) -> tuple[dict[str, int], set[str]]:
    """Runs the stream over events; returns its counters, and the names of its distributions."""
    stream = Timeline().add_elements([chunk(events)])
    for _ in range(4):
        stream.advance_processing_time(120)
    pipeline = beam.Pipeline(
        runner=BundleBasedDirectRunner(), options=PipelineOptions(["--streaming"])
    )
    assemble(pipeline | stream.advance_watermark_to_infinity(), EXACT)
    result = pipeline.run()
    result.wait_until_finish()
    found = result.metrics().query()
    name = "{0.namespace}/{0.name}".format
    counters = {name(c.key.metric): c.committed for c in found["counters"]}
    return counters, {name(d.key.metric) for d in found["distributions"]}


def test_every_account_is_a_counter() -> None:
    """The ledger's counts are Beam counters by reason, and all distributions are reported."""
    events = [said("1", 0), said("1", 0), said("2", 5, role="SYSTEM"), said("3", 9, role="x")]
    events.append(said("4", 9, platform="a b"))
    counters, distributions = metrics_of(events)
    wanted = {
        "decode/read": 5,
        "decode/system_turn": 1,
        "decode/dead_letter/invalid_role": 1,
        "decode/other_value/platform/invalid": 1,
        "changes/counted": 2,
        "changes/duplicate": 1,
        "changes/conversation": 1,
        "count/tallied": 1,
    }
    assert {key: counters.get(key) for key in wanted} == wanted
    assert distributions >= DISTRIBUTIONS

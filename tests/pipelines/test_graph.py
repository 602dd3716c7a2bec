"""Tests the coders at the shuffles of the graph, and the labels of its steps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.coders import coders, registry
from apache_beam.transforms.userstate import is_stateful_dofn

from pipelines.backfill import build as build_backfill
from pipelines.graph import assemble
from pipelines.operations.plan import list_archive, plan
from pipelines.sinks.bigquery import Dataset
from pipelines.sinks.write import Sinks
from pipelines.sources.pubsub import ReadPubSub
from pipelines.stream import build as build_stream
from tests.builders import avro_event
from tests.pipelines.running import EXACT, chunk, run_bounded
from tests.schemas.payloads import write_avro
from transforms.counting.cells import DAY_US
from transforms.counting.days import start_of

_PICKLERS = (coders.FastPrimitivesCoder, coders.PickleCoder, coders.DillCoder)


def bounded() -> beam.Pipeline:
    """Returns the bounded graph."""
    pipeline = beam.Pipeline()
    assemble(pipeline | "Chunks" >> beam.Create([chunk([])], reshuffle=False), EXACT)
    return pipeline


def unbounded() -> beam.Pipeline:
    """Returns the unbounded graph."""
    pipeline = beam.Pipeline()
    assemble(pipeline | "Read" >> ReadPubSub("projects/my-project/subscriptions/events"), EXACT)
    return pipeline


def parts_of(coder: Any) -> Iterator[Any]:
    """Yields a coder and all coders nested in it."""
    yield coder
    for part in coder._get_component_coders():
        yield from parts_of(part)


def grouped(pipeline: beam.Pipeline) -> dict[str, Any]:
    """Returns the coder for the input of each grouping or stateful step."""
    found: dict[str, Any] = {}

    class Visitor(beam.pipeline.PipelineVisitor):
        def visit_transform(self, node: Any) -> None:
            is_stateful = isinstance(node.transform, beam.ParDo) and is_stateful_dofn(
                node.transform.fn
            )
            if isinstance(node.transform, beam.GroupByKey) or is_stateful:
                hint = node.inputs[0].element_type
                found[node.full_label] = registry.get_coder(hint)

    pipeline.visit(Visitor())
    return found


@pytest.mark.parametrize("build", [bounded, unbounded])
def test_nothing_of_ours_is_pickled_at_a_shuffle(build: Any) -> None:
    """Every key and value that is shuffled or kept in state has an explicit coder."""
    ours = {
        label: coder
        for label, coder in grouped(build()).items()
        if not label.startswith(("Chunks/", "Ledger/GatherAccounts/"))
    }
    assert len(ours) >= 4
    pickled = {
        label: str(coder)
        for label, coder in ours.items()
        for part in parts_of(coder)
        if isinstance(part, _PICKLERS)
    }
    assert not pickled


@pytest.mark.parametrize("build", [bounded, unbounded])
def test_keys_have_deterministic_coders(build: Any) -> None:
    """Equal keys have equal bytes; otherwise one group would become several."""
    for label, coder in grouped(build()).items():
        if not label.startswith(("Chunks/", "Ledger/GatherAccounts/")):
            assert coder.key_coder().is_deterministic(), label


@pytest.mark.parametrize("build", [bounded, unbounded])
def test_every_step_has_a_label(build: Any) -> None:
    """No label has the line number of a lambda, because a moved line would rename the step."""
    labels: list[str] = []

    class Visitor(beam.pipeline.PipelineVisitor):
        def visit_transform(self, node: Any) -> None:
            labels.append(node.full_label)

    build().visit(Visitor())
    beams_own = ("Chunks/", "Ledger/GatherAccounts/", "Read/GatherMessages/")
    unnamed = [x for x in labels if "lambda" in x and not x.startswith(beams_own)]
    assert not unnamed


def test_both_mains_build(tmp_path: Path) -> None:
    """Both deployed jobs can be built from their flags, including the writes to BigQuery."""
    archive = write_avro(tmp_path / "a.avro", [avro_event()])
    day = date(2026, 6, 1)
    later = replace(EXACT, revision=start_of(day) + 30 * DAY_US)
    margin = timedelta(days=7)
    files = list_archive([str(archive)], day, day, later, margin)
    planned = plan(files, day, day, later, margin)
    dataset = Dataset.of("my-project.undertone")
    sinks = Sinks(dataset, "projects/my-project/topics/dead", "projects/my-project/topics/alerts")
    read = ReadPubSub("projects/my-project/subscriptions/events", "sent-at-ms")
    build_stream(beam.Pipeline(), read, sinks, EXACT)
    build_backfill(beam.Pipeline(), planned, dataset, later)


def test_an_empty_input_gives_empty_tables() -> None:
    """A run over empty input counts nothing, and its ledger balances."""
    result = run_bounded([chunk([])])
    assert result.rows == []
    assert sum(result.accounts().values()) == 0

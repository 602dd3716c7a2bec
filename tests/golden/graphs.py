"""Describes as text the parts of a job's graph that Dataflow compares in an update.

The text names each step's full label, URN, state, timers and side inputs, and the coder and
windowing of each output. If the runner keeps a step's input or sums, the text describes these too.
The runner keeps the input at a grouping, and before state. The text leaves out all parts that are
pickled, randomly numbered or specific to this machine.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability import common_urns
from apache_beam.portability.api import beam_runner_api_pb2 as proto

from pipelines import backfill, stream
from pipelines.operations.plan import list_archive, plan
from pipelines.sinks.bigquery import Dataset
from pipelines.sinks.write import Sinks
from pipelines.sources.pubsub import ReadPubSub
from tests.builders import avro_event
from tests.pipelines.running import EXACT
from tests.schemas.payloads import write_avro
from transforms.coders import CanonicalCoder
from transforms.counting.cells import DAY_US
from transforms.counting.days import start_of

FOLDER: Final = Path(__file__).parent
ADVICE: Final = (
    "if you meant the change, see 'Changing the graph' in deploy/runbook.md, then run `make golden`"
)

_DATASET: Final = Dataset.of("my-project.undertone")

Graph = Mapping[str, Mapping[str, Any]]
"""The description of each step, by its label."""


def stream_graph() -> Graph:
    """Returns the graph of the streaming job, with all its sinks."""
    pipeline = beam.Pipeline(options=PipelineOptions(["--streaming"]))
    read = ReadPubSub("projects/my-project/subscriptions/events")
    topics = ("projects/my-project/topics/dead", "projects/my-project/topics/alerts")
    stream.build(pipeline, read, Sinks(_DATASET, *topics), EXACT)
    return describe(pipeline)


def backfill_graph() -> Graph:
    """Returns the graph of the backfill."""
    pipeline = beam.Pipeline(options=PipelineOptions([]))
    with tempfile.TemporaryDirectory() as folder:
        archive = write_avro(Path(folder) / "a.avro", [avro_event()])
        day = date(2026, 6, 1)
        settings = replace(EXACT, revision=start_of(day) + 30 * DAY_US)
        margin = timedelta(days=7)
        files = list_archive([str(archive)], day, day, settings, margin)
        planned = plan(files, day, day, settings, margin)
        backfill.build(pipeline, planned, _DATASET, settings)
        return describe(pipeline)


GRAPHS: Final[Mapping[str, Callable[[], Graph]]] = {
    "graph_stream.json": stream_graph,
    "graph_backfill.json": backfill_graph,
}
"""The function that builds the graph of each golden file, by the file's name."""


def describe(pipeline: beam.Pipeline) -> Graph:
    """Returns the description of each step of a pipeline."""
    built, context = pipeline.to_runner_api(return_context=True)
    return describe_built(built.components, context)


def describe_built(parts: Any, context: Any) -> Graph:
    """Returns the description of each step of a pipeline, given as Beam's proto.

    Args:
      parts: the components of the pipeline's proto.
      context: finds the coders and windowings that the components name.
    """
    steps = {}
    for step in parts.transforms.values():
        described: dict[str, Any] = {"urn": step.spec.urn}
        if step.spec.urn == common_urns.primitives.PAR_DO.urn:
            described |= _memory(step, parts, context)
        elif step.spec.urn == common_urns.primitives.GROUP_BY_KEY.urn:
            described["input"] = _main_input(step, parts, context)
        elif step.spec.urn == common_urns.composites.COMBINE_PER_KEY.urn:
            combine = proto.CombinePayload.FromString(step.spec.payload)
            accumulator = context.coders.get_by_id(combine.accumulator_coder_id)
            described["accumulator"] = _coder(accumulator)
        if not step.subtransforms:
            described["outputs"] = {
                tag: _collection(parts.pcollections[pcollection], context)
                for tag, pcollection in sorted(step.outputs.items())
            }
        steps[step.unique_name] = described
    return dict(sorted(steps.items()))


def text_of(graph: Graph) -> str:
    """Returns a graph as text, in the format of the golden files."""
    return json.dumps(graph, indent=1) + "\n"


def difference(golden: Graph, graph: Graph, most: int = 5) -> str | None:
    """Returns a sentence that names the first few differences, or None if the graphs are equal."""
    changes = [f"{label} is gone" for label in golden if label not in graph]
    changes += [f"{label} is new" for label in graph if label not in golden]
    changes += [
        f"{label} had {was.get(what)}, now {graph[label].get(what)}"
        for label, was in golden.items()
        if label in graph
        for what in sorted(was.keys() | graph[label].keys())
        if was.get(what) != graph[label].get(what)
    ]
    if not changes:
        return None
    more = f"; and {len(changes) - most} more" if len(changes) > most else ""
    return f"the graph changed: {'; '.join(changes[:most])}{more}; {ADVICE}"


def _memory(step: Any, parts: Any, context: Any) -> dict[str, Any]:
    """Returns a ParDo's states, timers and side inputs, and its input if it has state or timers."""
    payload = proto.ParDoPayload.FromString(step.spec.payload)
    states = {
        name: f"{spec.WhichOneof('spec')} of "
        + _coder(context.coders.get_by_id(getattr(spec, spec.WhichOneof("spec")).coder_id))
        for name, spec in sorted(payload.state_specs.items())
    }
    timers = {
        name: proto.TimeDomain.Enum.Name(spec.time_domain)
        for name, spec in sorted(payload.timer_family_specs.items())
    }
    sides = {
        tag: f"{side.access_pattern.urn} of "
        + _collection(parts.pcollections[step.inputs[tag]], context)
        for tag, side in sorted(payload.side_inputs.items())
    }
    keyed = _main_input(step, parts, context, sides) if states or timers else None
    described = {"input": keyed, "states": states, "timers": timers, "sides": sides}
    return {what: specs for what, specs in described.items() if specs}


def _main_input(step: Any, parts: Any, context: Any, sides: Collection[str] = ()) -> str:
    (collection,) = (name for tag, name in step.inputs.items() if tag not in sides)
    return _collection(parts.pcollections[collection], context)


def _collection(collection: Any, context: Any) -> str:
    windowing = context.windowing_strategies.get_by_id(collection.windowing_strategy_id)
    coder = _coder(context.coders.get_by_id(collection.coder_id))
    return f"{coder} in {_windowing(windowing)}"


def _windowing(windowing: Any) -> str:
    """Returns the parts of a windowing that differ from Beam's defaults."""
    modes, times = proto.AccumulationMode.Enum, proto.OutputTime.Enum
    parts = [
        type(windowing.windowfn).__name__,
        str(windowing.triggerfn),
        modes.Name(windowing.accumulation_mode),
        f"lateness {windowing.allowed_lateness.micros} us",
        times.Name(windowing.timestamp_combiner),
    ]
    usual = ("DefaultTrigger()", "DISCARDING", "lateness 0 us", "END_OF_WINDOW")
    return ", ".join(each for each in parts if each not in usual)


def _coder(coder: Any) -> str:
    if isinstance(coder, CanonicalCoder):
        return coder.to_type_hint().__name__
    name = type(coder).__name__.removesuffix("Coder")
    components = coder._get_component_coders()
    return f"{name}[{', '.join(map(_coder, components))}]" if components else name

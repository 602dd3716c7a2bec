"""Tests the files and the request that a launch hands to Dataflow.

The tests launch each job offline, with the flags of production.
"""

from __future__ import annotations

import base64
import bz2
import json
import re
import zlib
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

import apache_beam as beam
import pytest
from apache_beam.coders import coders
from apache_beam.portability import common_urns
from apache_beam.portability.api import beam_runner_api_pb2 as proto
from apache_beam.runners.pipeline_context import PipelineContext

from tests.builders import avro_event
from tests.deploy.package import ROOT, build_sdist
from tests.golden.graphs import FOLDER, Graph, describe_built
from tests.golden.update_rules import MAPPING, STREAM, refusal
from tests.integration.staging import (
    BUCKET,
    IMAGE,
    JOB_ID,
    JOB_NAME,
    PIPELINE,
    PRODUCTION,
    Cloud,
    Staged,
    serving_cloud,
)
from tests.schemas.payloads import write_avro

pytestmark = pytest.mark.xdist_group("template")

SAID: Final = "zanzibar-quetzal-4410"
"""A text in an archived conversation."""

SECRET: Final = "marmalade-cipher-9923"
"""The value of an environment variable on the launching machine."""

SECRET_FLAG: Final = "--secret=projects/my-project/secrets/undertone/versions/1"
STREAM_FLAGS: Final = (
    f"--job_name={JOB_NAME}",
    SECRET_FLAG,
    "--subscription=projects/my-project/subscriptions/events",
    "--timestamp_attribute=sent-at-ms",
    "--dead_letter_topic=projects/my-project/topics/dead",
    "--alert_topic=projects/my-project/topics/alerts",
    "--enable_streaming_engine",
)
FIRST_FILE: Final = date(2026, 1, 1)
PATTERNS: Final = 41
"""The number of daily patterns. A backfill of thirty days also reads the days around them."""

BACKFILL_FLAGS: Final = (
    "--job_name=undertone-backfill",
    SECRET_FLAG,
    "--from=2026-01-03",
    "--to=2026-02-01",
    f"--input=gs://{BUCKET}/archive/%Y/%m/%d/*.avro",
    "--days_a_job=7",
)

REQUEST_BYTES: Final = 10_000_000
"""Dataflow's limit for a job request, from which it also makes its own copy of the graph."""

UNSTABLE: Final = re.compile(r"\.py:\d+|0x[0-9a-f]+|[0-9a-f]{8}|\d(?=/|$)")
"""Finds a line number, an address, a random id, or a number at the end of a part of a name."""

BEAMS_OWN_LINES: Final = re.compile(
    r"FlatMap\(<lambda at core\.py:\d+>\)$"  # Of `beam.Create`.
    r"|/BigQueryBatchFileLoads/Map\(<lambda at bigquery_file_loads\.py:\d+>\)$"
)
"""Names that contain a line number of Beam's own files. They change only with Beam's version."""

PICKLERS: Final = (
    coders.FastPrimitivesCoder,
    coders.DeterministicFastPrimitivesCoder,
    coders.DeterministicFastPrimitivesCoderV2,
    coders.PickleCoder,
    coders.DillCoder,
    coders.CloudpickleCoder,
)
BEAMS_OWN_SHUFFLES: Final = {
    "WriteBigQuery[A-Za-z]+/_StreamToBigQuery/CommitInsertIds/":
        "rows and their insert ids: only what is published, not what is read",
    "WriteBigQuery[A-Za-z]+/BigQueryBatchFileLoads/":
        "names of files, load jobs and tables, and rows for more files than a worker may open",
    "Ledger/(SumAccounts|GatherAccounts)":
        "in a backfill, one number per account and bundle: a few dozen in the end",
}  # fmt: skip
"""The shuffles of Beam's own transforms that use pickling, and why the cost is small."""


class Flow(NamedTuple):
    """A staged graph, with the context that looks up its coders."""

    staged: Staged
    context: PipelineContext

    @classmethod
    def of(cls, staged: Staged) -> Flow:
        """Returns the flow of a staged job."""
        return cls(staged, PipelineContext(staged.pipeline.components))

    def graph(self) -> Graph:
        """Returns the text of the staged graph in the format of the golden files."""
        return describe_built(self.staged.pipeline.components, self.context)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """Serves the emulator of Cloud Storage, with six weeks of archive, and the double of Google."""
    file = write_avro(tmp_path_factory.mktemp("archive") / "a.avro", [avro_event(text=SAID)])
    with serving_cloud() as served:
        for number in range(PATTERNS):
            day = FIRST_FILE + timedelta(days=number)
            served.put(f"archive/{day:%Y/%m/%d}/events.avro", file.read_bytes())
        yield served


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the temporary folder that the first launches use."""
    return tmp_path_factory.mktemp("scratch")


@pytest.fixture(scope="module")
def stream(cloud: Cloud, scratch: Path) -> Flow:
    """Returns the streaming job in the form in which a launch stages it."""
    environment = {"PYTHONHASHSEED": "1", "TMPDIR": str(scratch), "TOKEN": SECRET}
    flags = (*PRODUCTION, *STREAM_FLAGS)
    return Flow.of(cloud.stage("stream", "pipelines.stream", *flags, environment=environment))


@pytest.fixture(scope="module")
def backfill(cloud: Cloud, scratch: Path) -> Flow:
    """Returns a backfill of thirty days in the form in which a launch stages it."""
    environment = {"PYTHONHASHSEED": "1", "TMPDIR": str(scratch), "TOKEN": SECRET}
    flags = (*PRODUCTION, *BACKFILL_FLAGS)
    return Flow.of(cloud.stage("backfill", "pipelines.backfill", *flags, environment=environment))


@pytest.fixture(params=["stream", "backfill"])
def flow(request: pytest.FixtureRequest) -> Flow:
    """Returns the flow of the streaming job, then that of the backfill."""
    found: Flow = request.getfixturevalue(request.param)
    return found


def test_a_second_launch_gives_the_same_graph(
    cloud: Cloud, flow: Flow, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """A different hash seed and temporary folder change no name, coder, window or state."""
    name = request.node.callspec.params["flow"]
    flags = STREAM_FLAGS if name == "stream" else BACKFILL_FLAGS
    environment = {"PYTHONHASHSEED": "2", "TMPDIR": str(tmp_path)}
    again = cloud.stage(
        f"{name}-again", f"pipelines.{name}", *PRODUCTION, *flags, environment=environment
    )
    assert Flow.of(again).graph() == flow.graph()


def test_only_steps_that_keep_nothing_have_unstable_names(stream: Flow) -> None:
    """If an update keeps a step's state or input, the step's name has no part from `UNSTABLE`."""
    unstable = {label: said for label, said in stream.graph().items() if UNSTABLE.search(label)}
    assert [label for label, said in unstable.items() if said.keys() - {"urn", "outputs"}] == []


def test_no_name_of_ours_has_a_line_or_an_address(flow: Flow) -> None:
    """A step's name may contain a line number or an address only if the step is Beam's."""
    by_line = [label for label in flow.graph() if re.search(r"\.py:\d+|0x[0-9a-f]+", label)]
    assert [label for label in by_line if not BEAMS_OWN_LINES.search(label)] == []


def test_the_staged_stream_is_the_golden_one(stream: Flow) -> None:
    """The staged graph has the names of the golden graph, and each can replace the other."""
    golden = json.loads((FOLDER / STREAM).read_text(encoding="utf-8"))
    staged = stream.graph()
    assert staged.keys() == golden.keys()
    assert refusal(golden, staged, {}) is None
    assert refusal(staged, golden, {}) is None


def kept(flow: Flow) -> Iterator[tuple[str, Any]]:
    """Yields each step's name with each coder of data that the step shuffles, sums or keeps."""
    parts = flow.staged.pipeline.components
    groupings = (common_urns.primitives.GROUP_BY_KEY.urn, common_urns.composites.RESHUFFLE.urn)

    def find(coder_id: str) -> Any:
        return flow.context.coders.get_by_id(coder_id)

    for step in parts.transforms.values():
        taken_in = [parts.pcollections[name].coder_id for name in step.inputs.values()]
        if step.spec.urn in groupings:
            yield step.unique_name, find(taken_in[0])
        elif step.spec.urn == common_urns.composites.COMBINE_PER_KEY.urn:
            combine = proto.CombinePayload.FromString(step.spec.payload)
            yield step.unique_name, find(taken_in[0])
            yield step.unique_name, find(combine.accumulator_coder_id)
        elif step.spec.urn == common_urns.primitives.PAR_DO.urn:
            states = proto.ParDoPayload.FromString(step.spec.payload).state_specs
            for spec in states.values():
                yield step.unique_name, find(taken_in[0])
                yield step.unique_name, find(getattr(spec, spec.WhichOneof("spec")).coder_id)


def parts_of(coder: Any) -> Iterator[Any]:
    """Yields a coder and all coders nested inside that coder."""
    yield coder
    for part in coder._get_component_coders():
        yield from parts_of(part)


def pickled(flow: Flow) -> set[str]:
    """Returns the steps that use pickle for data that they shuffle, sum or keep in state."""
    found = list(kept(flow))
    assert len(found) > 8
    return {
        label for label, coder in found for part in parts_of(coder) if isinstance(part, PICKLERS)
    }


def test_nothing_is_pickled_at_a_shuffle_or_in_state(flow: Flow) -> None:
    """Keys, values, sums and states have explicit coders, except in a few small steps of Beam."""
    ours = [x for x in pickled(flow) if not any(re.match(own, x) for own in BEAMS_OWN_SHUFFLES)]
    assert ours == []


def test_the_exceptions_for_beam_are_needed(stream: Flow, backfill: Flow) -> None:
    """Every exception in `BEAMS_OWN_SHUFFLES` is used by at least one step."""
    labels = pickled(stream) | pickled(backfill)
    needless = [x for x in BEAMS_OWN_SHUFFLES if not any(re.match(x, each) for each in labels)]
    assert needless == []


def test_the_stream_is_a_streaming_job(stream: Flow) -> None:
    """Dataflow gets a streaming job on Streaming Engine, and the job's workers are told so."""
    staged = stream.staged
    assert staged.job["type"] == "JOB_TYPE_STREAMING"
    assert staged.environment["version"]["job_type"] == "FNAPI_STREAMING"
    experiments = {"enable_streaming_engine", "enable_windmill_service", "use_runner_v2"}
    assert experiments <= {*staged.environment["experiments"]}
    assert staged.options["streaming"] is True
    unbounded = proto.IsBounded.UNBOUNDED
    collections = staged.pipeline.components.pcollections.values()
    assert unbounded in {each.is_bounded for each in collections}


def test_the_backfill_is_a_batch_job(backfill: Flow) -> None:
    """Dataflow gets a batch job without Streaming Engine and without unbounded data."""
    staged = backfill.staged
    assert staged.job["type"] == "JOB_TYPE_BATCH"
    assert staged.environment["version"]["job_type"] == "FNAPI_BATCH"
    assert "enable_streaming_engine" not in staged.environment["experiments"]
    collections = staged.pipeline.components.pcollections.values()
    assert {each.is_bounded for each in collections} == {proto.IsBounded.BOUNDED}


def test_the_workers_are_as_the_flags_say(flow: Flow) -> None:
    """The flags set the job's account, machine type, workers, network and labels."""
    (pool,) = flow.staged.environment["workerPools"]
    assert flow.staged.environment["serviceAccountEmail"] == (
        "worker@my-project.iam.gserviceaccount.com"
    )
    assert pool["machineType"] == "n2-standard-2"
    assert pool["autoscalingSettings"]["maxNumWorkers"] == 4
    assert pool["ipConfiguration"] == "WORKER_IP_PRIVATE"
    assert flow.staged.job["labels"] == {"app": "undertone", "version": "0-1-0"}


def test_the_image_is_all_that_a_worker_needs(flow: Flow) -> None:
    """Every step runs in the image; workers install nothing, and load only the graph."""
    (pool,) = flow.staged.environment["workerPools"]
    assert [each["containerImage"] for each in pool["sdkHarnessContainerImages"]] == [IMAGE]
    assert pool["workerHarnessContainerImage"] == IMAGE
    assert "packages" not in pool
    for environment in flow.staged.pipeline.components.environments.values():
        assert environment.urn == common_urns.environments.DOCKER.urn
        docker = proto.DockerPayload.FromString(environment.payload)
        assert docker.container_image == IMAGE
        assert list(environment.dependencies) == []
    assert flow.staged.files.keys() == {PIPELINE}
    assert flow.staged.options["save_main_session"] is False


def unpacked(packed: bytes) -> bytes:
    """Returns the given bytes, and all data that Beam packed inside these bytes."""
    found = [packed]
    for match in re.findall(rb"[A-Za-z0-9+/]{60,}={0,2}", packed):
        for expand in (bz2.decompress, zlib.decompress):
            try:
                inside = expand(base64.b64decode(match))
            except (OSError, ValueError, zlib.error):
                continue
            found.append(unpacked(inside))
    return b"\n".join(found)


def test_no_text_secret_or_path_is_staged(flow: Flow, scratch: Path) -> None:
    """No conversation text, environment secret or local path is staged."""
    staged = b"\n".join([unpacked(file) for file in flow.staged.files.values()])
    staged += json.dumps(flow.staged.job).encode()
    beam_folder = str(Path(beam.__file__).parent).encode()
    # Beam's own lambdas contain the path of their file. Finding it shows that we look deep enough.
    assert beam_folder in staged
    rest = staged.replace(beam_folder, b"")
    leaked = [x for x in (SAID, SECRET, str(ROOT), str(scratch)) if x.encode() in rest]
    assert leaked == []


def test_forty_patterns_are_far_from_dataflows_limit(flow: Flow) -> None:
    """With forty patterns, request and graph together stay below a fifth of Dataflow's limit."""
    assert flow.staged.request_bytes() + flow.staged.pipeline.ByteSize() < REQUEST_BYTES / 5
    assert len(flow.staged.pipeline.components.transforms) < 1_000


@pytest.mark.parametrize("mapping", [MAPPING.read_text("utf-8"), '{"Older/Step": "Score"}'])
def test_an_update_replaces_the_running_job(cloud: Cloud, mapping: str, tmp_path: Path) -> None:
    """The request names the job that it replaces, and the old names of renamed steps."""
    flags = ("--update", f"--transform_name_mapping={mapping}")
    staged = cloud.stage(
        tmp_path.name, "pipelines.stream", *PRODUCTION, *STREAM_FLAGS, *flags,
        f"--dataflow_endpoint={cloud.dataflow}",
    )  # fmt: skip
    assert staged.job["replaceJobId"] == JOB_ID
    assert staged.job.get("transformNameMapping", {}) == json.loads(mapping)


def test_without_an_image_the_package_is_staged(cloud: Cloud, tmp_path: Path) -> None:
    """With Beam's own image, workers install the source distribution exactly as it was built."""
    sdist = build_sdist(tmp_path)
    flags = [flag for flag in PRODUCTION if not flag.startswith("--sdk_container_image")]
    staged = cloud.stage(
        "packaged", "pipelines.stream", *flags, *STREAM_FLAGS, f"--extra_package={sdist}"
    )
    assert staged.files[sdist.name] == sdist.read_bytes()
    (pool,) = staged.environment["workerPools"]
    assert sdist.name in [package["name"] for package in pool["packages"]]
    (environment,) = staged.pipeline.components.environments.values()
    roles = [each.role_payload for each in environment.dependencies]
    named = [proto.ArtifactStagingToRolePayload.FromString(role).staged_name for role in roles]
    assert sdist.name in named

"""Tests that the judging job is one step, so that no text leaves its process."""

from __future__ import annotations

import argparse
import pickle
from datetime import timedelta

import apache_beam as beam
from apache_beam.portability import common_urns

from pipelines import judge
from pipelines.judges.registry import ChosenJudge
from pipelines.judging.dataset import Day, JudgingJob
from pipelines.judging.options import job_of
from pipelines.settings import Settings
from pipelines.sinks.bigquery import Dataset
from tests.builders import OPERATOR_SECRET, load_pseudonyms

_SHUFFLES = (
    common_urns.primitives.GROUP_BY_KEY.urn,
    common_urns.composites.RESHUFFLE.urn,
    common_urns.composites.COMBINE_PER_KEY.urn,
)


def test_nothing_is_shuffled_and_the_secret_is_not_in_the_graph() -> None:
    """The graph has no shuffle and no state. It says where the secret is, but not the secret."""
    chosen = ChosenJudge(argparse.Namespace(judge="accurate"))
    settings = Settings(load_pseudonyms=load_pseudonyms)
    dataset = Dataset("project", "undertone")
    job = JudgingJob(dataset, ("gs://b/*.avro",), settings, timedelta(days=7), chosen)
    pipeline = beam.Pipeline()
    judge.build(pipeline, [Day(0, True), Day(86_400_000_000, False)], job)
    proto = pipeline.to_runner_api()
    urns = {step.spec.urn for step in proto.components.transforms.values()}
    assert not urns & set(_SHUFFLES)
    assert OPERATOR_SECRET not in proto.SerializeToString()


def test_the_flags_become_a_job_that_can_be_pickled() -> None:
    """Counting and judging agree on what a valid event is, and a worker can load the job."""
    flags = [
        "--dataset=project.undertone", "--secret=secret", "--input=gs://a/*.avro,gs://b/*.avro",
        "--judge=llm", "--llm_model=m", "--allowed_lateness=40d", "--session_gap=12h",
        "--max_event_bytes=5000", "--judgements_per_day=7", "--margin=3d",
    ]  # fmt: skip
    job = job_of(judge.parser().parse_args(flags))
    assert pickle.loads(pickle.dumps(job)) == job
    assert job.inputs == ("gs://a/*.avro", "gs://b/*.avro")
    assert (job.margin, job.settings.session_gap) == (timedelta(days=3), timedelta(hours=12))
    assert job.settings.limits.allowed_lateness_us == timedelta(days=40) // timedelta(
        microseconds=1
    )
    assert (job.settings.limits.max_event_bytes, job.settings.judgements_per_day) == (5000, 7)

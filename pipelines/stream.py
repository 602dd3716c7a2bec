"""The program that counts a stream from Pub/Sub: `python -m pipelines.stream --help`."""

from __future__ import annotations

from pipelines.terminal.interrupts import tell_interrupts

if __name__ == "__main__":
    tell_interrupts()  # Before the other imports, because importing Beam takes seconds.

import argparse
import sys
from collections.abc import Sequence

import apache_beam as beam

from pipelines.beam_options import beam_options
from pipelines.graph import assemble
from pipelines.options import (
    add_bigquery_argument,
    add_secret_argument,
    add_settings_arguments,
    add_streaming_arguments,
    settings_of,
)
from pipelines.settings import Settings
from pipelines.sinks.bigquery import Dataset
from pipelines.sinks.write import Sinks, stream_bigquery
from pipelines.sources.pubsub import ReadPubSub
from pipelines.terminal.errors import exit_code_of
from pipelines.terminal.flags import underscored


def build(pipeline: beam.Pipeline, read: ReadPubSub, sinks: Sinks, settings: Settings) -> None:
    """Adds the steps of the streaming job to a pipeline."""
    stream_bigquery(assemble(pipeline | "Read" >> read, settings), sinks, settings)


def run(argv: Sequence[str]) -> None:
    """Runs the streaming job until it is cancelled or drained."""
    arguments, flags = parser().parse_known_args(underscored(argv))
    settings = settings_of(arguments, started_at_us=arguments.continue_run)
    sinks = Sinks(
        Dataset.of(arguments.dataset, arguments.bigquery_url).restricted,
        arguments.dead_letter_topic,
        arguments.alert_topic,
        arguments.outage,
    )
    read = ReadPubSub(
        arguments.subscription, arguments.timestamp_attribute, arguments.expansion_service
    )
    options = beam_options(flags, streaming=True, save_main_session=False)
    with beam.Pipeline(options=options) as pipeline:
        build(pipeline, read, sinks, settings)


def parser() -> argparse.ArgumentParser:
    """Returns the parser of Undertone's flags. Beam parses all other flags."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False,
        prog="python -m pipelines.stream",
        description="Counts conversation events from Pub/Sub and writes exact counts to BigQuery. "
        "Every other flag goes to Beam, e.g. --runner=DataflowRunner --project=… --region=….",
    )
    parser.add_argument(
        "--subscription",
        required=True,
        metavar="projects/…/subscriptions/…",
        help="Pub/Sub subscription to read events from",
    )
    parser.add_argument(
        "--timestamp_attribute",
        metavar="sent-at-ms",
        help="message attribute with the event time, for the runner's watermark. Without it the "
        "watermark follows the publish times. No count depends on it",
    )
    parser.add_argument(
        "--expansion_service",
        metavar="localhost:8097",
        help="address of Beam's Java expansion service. Only a runner without a Pub/Sub source for "
        "Python needs it, e.g. Flink",
    )
    add_bigquery_argument(parser)
    add_secret_argument(parser)
    parser.add_argument(
        "--dead_letter_topic",
        metavar="projects/…/topics/…",
        help="Pub/Sub topic for a notice of each dead letter, in addition to the table. A notice "
        "never holds text",
    )
    parser.add_argument(
        "--alert_topic",
        metavar="projects/…/topics/…",
        help="Pub/Sub topic for a notice of each conversation that grows past 50 human messages",
    )
    parser.add_argument(
        "--continue_run",
        type=int,
        metavar="1764460800000000",
        help="for a job that resumes from a checkpoint or savepoint of another one: the run of "
        "that job, as undertone status shows it. Otherwise, rows that the other job wrote after "
        "the checkpoint would be added to this job's. Dataflow's update does not need it",
    )
    add_settings_arguments(parser)
    add_streaming_arguments(parser)
    return parser


def main() -> int:
    """Runs the job with the command line's flags and returns the exit code."""
    return exit_code_of(lambda: run(sys.argv[1:]))


if __name__ == "__main__":
    sys.exit(main())

"""The streaming main: Pub/Sub to BigQuery. `python -m pipelines.stream --help`."""

from __future__ import annotations

from pipelines.terminal.interrupts import tell_interrupts

if __name__ == "__main__":
    tell_interrupts()  # First, because importing Beam takes seconds.

import argparse
import sys
from collections.abc import Sequence

import apache_beam as beam

from pipelines.graph import assemble
from pipelines.options import (
    add_bigquery_argument,
    add_settings_arguments,
    add_streaming_arguments,
    beam_options,
    settings_of,
)
from pipelines.settings import Settings
from pipelines.sinks.bigquery import Dataset
from pipelines.sinks.write import Sinks, stream_bigquery
from pipelines.sources.pubsub import ReadPubSub
from pipelines.terminal.errors import exit_code_of
from pipelines.terminal.flags import underscored


def build(pipeline: beam.Pipeline, read: ReadPubSub, sinks: Sinks, settings: Settings) -> None:
    """Builds the streaming job in a pipeline."""
    stream_bigquery(assemble(pipeline | "Read" >> read, settings), sinks, settings)


def run(argv: Sequence[str]) -> None:
    """Runs the streaming job until it is cancelled or drained."""
    arguments, flags = parser().parse_known_args(underscored(argv))
    settings = settings_of(arguments)
    sinks = Sinks(
        Dataset.of(arguments.dataset, arguments.bigquery_url),
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
    """Returns the parser of all flags that are not Beam's."""
    made = argparse.ArgumentParser(
        allow_abbrev=False,
        prog="python -m pipelines.stream",
        description="Reads conversation events from Pub/Sub and writes aggregates to BigQuery. "
        "Every other flag goes to Beam, e.g. --runner=DataflowRunner --project=… --region=….",
    )
    made.add_argument(
        "--subscription", required=True, help="projects/<project>/subscriptions/<subscription>"
    )
    made.add_argument(
        "--timestamp_attribute",
        metavar="sent-at-ms",
        help="attribute of the messages that holds the event time, for the runner's watermark; "
        "without it the watermark is of the publish times. No count depends on it",
    )
    made.add_argument(
        "--expansion_service",
        metavar="localhost:8097",
        help="Beam's Java expansion service, for a runner without a Pub/Sub source for Python, "
        "such as Flink",
    )
    add_bigquery_argument(made)
    made.add_argument(
        "--dead_letter_topic",
        metavar="projects/…/topics/…",
        help="is told of each dead letter, never of its text, beside the table",
    )
    made.add_argument(
        "--alert_topic",
        metavar="projects/…/topics/…",
        help="is told of each conversation that grows past 50 human messages",
    )
    add_settings_arguments(made)
    add_streaming_arguments(made)
    return made


def main() -> int:
    """Runs with the command line's arguments; returns the exit code."""
    return exit_code_of(lambda: run(sys.argv[1:]))


if __name__ == "__main__":
    sys.exit(main())

"""The streaming main: Pub/Sub to BigQuery. `python -m pipelines.stream --help`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import apache_beam as beam

from pipelines.errors import exit_code_of
from pipelines.graph import assemble
from pipelines.options import (
    add_settings_arguments,
    add_streaming_arguments,
    beam_options,
    settings_of,
)
from pipelines.read import ReadPubSub
from pipelines.settings import Settings
from pipelines.write import write_bigquery


def build(pipeline: beam.Pipeline, subscription: str, dataset: str, settings: Settings) -> None:
    """Builds the streaming job in a pipeline."""
    payloads = pipeline | "Read" >> ReadPubSub(subscription)
    write_bigquery(assemble(payloads, settings), dataset, is_streaming=True)


def run(argv: Sequence[str]) -> None:
    """Runs the streaming job until it is cancelled or drained."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False,
        prog="python -m pipelines.stream",
        description="Reads conversation events from Pub/Sub and writes aggregates to BigQuery. "
        "Every other flag goes to Beam, e.g. --runner=DataflowRunner --project=… --region=….",
    )
    parser.add_argument(
        "--subscription", required=True, help="projects/<project>/subscriptions/<subscription>"
    )
    parser.add_argument("--dataset", required=True, help="<project>.<dataset> of BigQuery")
    add_settings_arguments(parser)
    add_streaming_arguments(parser)
    arguments, flags = parser.parse_known_args(argv)
    settings = settings_of(arguments)
    options = beam_options(flags, streaming=True, save_main_session=False)
    with beam.Pipeline(options=options) as pipeline:
        build(pipeline, arguments.subscription, arguments.dataset, settings)


def main() -> int:
    """Runs with the command line's arguments; returns the exit code."""
    return exit_code_of(lambda: run(sys.argv[1:]))


if __name__ == "__main__":
    sys.exit(main())

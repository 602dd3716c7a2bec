"""The program that `bench_stream` submits to Flink: reads Pub/Sub, writes counts to a file."""

from __future__ import annotations

import argparse
from pathlib import Path

import apache_beam as beam

from pipelines.beam_options import beam_options
from pipelines.options import (
    add_secret_argument,
    add_settings_arguments,
    add_streaming_arguments,
    settings_of,
)
from pipelines.sources.pubsub import ReadPubSub
from tests.benchmarks.stream_graphs import BUILDS, count_into


def main() -> None:
    """Runs one of the graphs until it is cancelled."""
    parser = argparse.ArgumentParser(allow_abbrev=False, description=__doc__)
    parser.add_argument("--graph", choices=tuple(BUILDS), required=True)
    parser.add_argument("--subscription", required=True)
    parser.add_argument("--output", type=Path, required=True, metavar="FILE")
    parser.add_argument("--expansion_service")
    add_settings_arguments(parser)
    add_secret_argument(parser, "It is your own by default")
    add_streaming_arguments(parser)
    arguments, flags = parser.parse_known_args()
    read = ReadPubSub(arguments.subscription, expansion_service=arguments.expansion_service)
    options = beam_options(flags, streaming=True, save_main_session=False)
    with beam.Pipeline(options=options) as pipeline:
        rows = BUILDS[arguments.graph](pipeline | "Read" >> read, settings_of(arguments))
        count_into(rows, arguments.output)


if __name__ == "__main__":
    main()

"""The backfill main: archive to BigQuery. `python -m pipelines.backfill --help`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import apache_beam as beam

from pipelines.bigquery import Dataset
from pipelines.errors import exit_code_of
from pipelines.graph import assemble
from pipelines.options import add_settings_arguments, beam_options, settings_of
from pipelines.read import ReadFiles
from pipelines.settings import Settings
from pipelines.write import load_bigquery


def build(
    pipeline: beam.Pipeline, inputs: Sequence[str], dataset: Dataset, settings: Settings
) -> None:
    """Builds the backfill in a pipeline."""
    payloads = pipeline | "Read" >> ReadFiles(inputs)
    load_bigquery(assemble(payloads, settings), dataset)


def run(argv: Sequence[str]) -> None:
    """Runs the backfill to its end."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False,
        prog="python -m pipelines.backfill",
        description="Reads an archive of conversation events and writes aggregates to BigQuery, as "
        "a complete new snapshot of every day in it. Every other flag goes to Beam, e.g. "
        "--runner=DataflowRunner --project=… --region=… --temp_location=gs://….",
    )
    parser.add_argument(
        "--input",
        required=True,
        action="append",
        help="files of events, .avro or .jsonl, a pattern such as gs://bucket/2026/11/22/*.avro; "
        "may be repeated",
    )
    parser.add_argument("--dataset", required=True, help="<project>.<dataset> of BigQuery")
    add_settings_arguments(parser)
    arguments, flags = parser.parse_known_args(argv)
    settings = settings_of(arguments)
    dataset = Dataset.of(arguments.dataset)
    options = beam_options(flags, save_main_session=False)
    with beam.Pipeline(options=options) as pipeline:
        build(pipeline, arguments.input, dataset, settings)


def main() -> int:
    """Runs with the command line's arguments; returns the exit code."""
    return exit_code_of(lambda: run(sys.argv[1:]))


if __name__ == "__main__":
    sys.exit(main())

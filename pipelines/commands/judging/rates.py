"""`undertone rates`: measure the classifier's error rates from judged samples."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipelines.commands.shared import add_tables_arguments, check_tables


def add_rates(commands: Any) -> None:
    """Adds the command to the command line."""
    parser = commands.add_parser(
        "rates",
        allow_abbrev=False,
        help="measure the classifier's error rates from judged samples",
        description="Measures how often the classifier is right about your own conversations, from "
        "all samples that were judged and are kept. Writes a file for --rates of undertone run, "
        "undertone judge and the publisher, which then correct by it what nobody judged.",
    )
    add_tables_arguments(parser)
    parser.add_argument(
        "--days",
        type=int,
        metavar="28",
        help="use only the last so many judged days (default: all)",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("rates.json"),
        metavar="rates.json",
        help="file to write (default rates.json)",
    )
    parser.set_defaults(command=_rates)


def _rates(arguments: argparse.Namespace, flags: Sequence[str]) -> None:
    del flags
    from pipelines.judging.rates import (  # noqa: PLC0415
        measured_rates,
        rate_lines,
        samples_of_dataset,
        samples_of_folder,
    )
    from pipelines.publishing.rates import write_rates  # noqa: PLC0415
    from pipelines.sinks.bigquery import Dataset  # noqa: PLC0415
    from pipelines.terminal.full_disk import writing_to  # noqa: PLC0415

    check_tables(arguments)
    if arguments.folder is not None:
        samples = samples_of_folder(arguments.folder)
    else:
        samples = samples_of_dataset(Dataset.of(arguments.dataset, arguments.bigquery_url))
    rates = measured_rates(samples, arguments.days)
    output: Path = arguments.output
    with writing_to(output):
        write_rates(output, rates)
    for line in rate_lines(rates):
        print(line)
    print(f"rates: {output}")

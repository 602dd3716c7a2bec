"""The backfill main: archived days to BigQuery. `python -m pipelines.backfill --help`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import date, timedelta

import apache_beam as beam
from apache_beam.options.pipeline_options import GoogleCloudOptions

from pipelines.bigquery import Dataset
from pipelines.errors import exit_code_of
from pipelines.graph import assemble
from pipelines.options import (
    add_backfill_arguments,
    add_bigquery_argument,
    add_settings_arguments,
    beam_options,
    bounded_runner,
    local_flags,
    settings_of,
)
from pipelines.plan import (
    Plan,
    check_is_over,
    day_of_text,
    done_days,
    plan,
    plan_lines,
    released_days,
    undone,
)
from pipelines.progress import say
from pipelines.read import ReadFiles
from pipelines.settings import Settings
from pipelines.write import load_bigquery
from schemas.failures import InputError
from transforms.days import date_of


def build(pipeline: beam.Pipeline, planned: Plan, dataset: Dataset, settings: Settings) -> None:
    """Builds one job of the backfill in a pipeline."""
    payloads = pipeline | "Read" >> ReadFiles(planned.inputs)
    load_bigquery(assemble(payloads, settings.of_days(planned.asked)), planned.days, dataset)


def run(argv: Sequence[str]) -> None:
    """Runs the backfill to its end, job after job."""
    arguments, flags = parser().parse_known_args(argv)
    settings = settings_of(arguments)
    dataset = Dataset.of(arguments.dataset, arguments.bigquery_url)
    plans = _plans(arguments, settings)
    if arguments.resume:
        plans = list(undone(plans, done_days(dataset)))
    if arguments.dry_run:
        sys.stdout.write("\n".join([*plan_lines(plans, released_days(dataset)), ""]))
        return
    if not plans:
        say("every day is done from the same files with the same settings")
    for number, planned in enumerate(plans):
        job = local_flags(flags, planned.size_bytes)
        options = beam_options(job, save_main_session=False)
        _check_options(options.view_as(GoogleCloudOptions), len(plans))
        with beam.Pipeline(runner=bounded_runner(options), options=options) as pipeline:
            build(pipeline, planned, dataset, settings)
        say(
            f"job {number + 1} of {len(plans)}: {date_of(planned.asked.first_us)} to "
            f"{date_of(planned.asked.last_us)}, run {settings.revision}"
        )


def parser() -> argparse.ArgumentParser:
    """Returns the parser of all flags that are not Beam's."""
    made = argparse.ArgumentParser(
        allow_abbrev=False,
        prog="python -m pipelines.backfill",
        description="Counts days of an archive of conversation events and writes their aggregates "
        "to BigQuery, as a complete new snapshot of each day, which holds from then on in place of "
        "the stream's. Every other flag goes to Beam, e.g. --runner=DataflowRunner --project=… "
        "--region=… --temp_location=gs://….",
    )
    add_backfill_arguments(made)
    add_bigquery_argument(made)
    add_settings_arguments(made)
    return made


def main() -> int:
    """Runs with the command line's arguments; returns the exit code."""
    return exit_code_of(lambda: run(sys.argv[1:]))


def _plans(arguments: argparse.Namespace, settings: Settings) -> list[Plan]:
    first, last = _days(arguments, settings)
    if arguments.days_a_job < 1:
        raise InputError(f"days_a_job must be at least 1, got {arguments.days_a_job}; e.g. 31")
    step = timedelta(days=arguments.days_a_job)
    pieces = []
    while first <= last:
        end = min(last, first + step - timedelta(days=1))
        pieces.append((first, end))
        first += step
    return [
        plan(
            arguments.input, start, end, settings, arguments.margin,
            may_be_empty=arguments.empty_days,
        )
        for start, end in pieces
    ]  # fmt: skip


def _days(arguments: argparse.Namespace, settings: Settings) -> tuple[date, date]:
    try:
        first = day_of_text(arguments.first_day, settings.revision)
        last = day_of_text(arguments.last_day, settings.revision)
    except ValueError as error:
        raise InputError(str(error)) from None
    if last < first:
        raise InputError(f"--to {last} is before --from {first}; swap the two")
    check_is_over(last, settings.revision)
    return first, last


def _check_options(options: GoogleCloudOptions, jobs: int) -> None:
    if not options.temp_location:
        raise InputError(
            "BigQuery loads files, and there is no place for them; give --temp_location=gs://…"
        )
    if jobs > 1 and options.template_location:
        raise InputError(
            f"a template holds one job, and this would be {jobs}; raise --days_a_job, or launch "
            "the template for fewer days at a time"
        )


if __name__ == "__main__":
    sys.exit(main())

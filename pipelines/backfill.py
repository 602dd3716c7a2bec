"""The program that counts days of an archive: `python -m pipelines.backfill --help`."""

from __future__ import annotations

from pipelines.terminal.interrupts import tell_interrupts

if __name__ == "__main__":
    tell_interrupts()  # Before the other imports, because importing Beam takes seconds.

import argparse
import sys
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import date, timedelta
from functools import partial

import apache_beam as beam
from apache_beam.options.pipeline_options import GoogleCloudOptions

from pipelines.beam_options import beam_options, bounded_runner, local_flags
from pipelines.graph import assemble
from pipelines.operations.plan import (
    Done,
    Plan,
    check_is_over,
    counted_days,
    day_of_text,
    done_days,
    first_with_files,
    list_archive,
    plan,
    plan_lines,
    undone_days,
)
from pipelines.options import (
    add_bigquery_argument,
    add_secret_argument,
    add_settings_arguments,
    add_switch,
    duration,
    patterns,
    settings_of,
)
from pipelines.settings import Settings
from pipelines.sinks.bigquery import Dataset
from pipelines.sinks.write import load_bigquery
from pipelines.sources.files import ReadFiles
from pipelines.terminal.errors import exit_code_of
from pipelines.terminal.flags import underscored
from pipelines.terminal.progress import say
from schemas.failures import InputError
from transforms.counting.days import date_of


def build(pipeline: beam.Pipeline, planned: Plan, dataset: Dataset, settings: Settings) -> None:
    """Adds the steps of one backfill job to a pipeline."""
    payloads = pipeline | "Read" >> ReadFiles(planned.inputs, planned.listed)
    settings = replace(settings, asked=planned.asked, revision=planned.run)
    load_bigquery(assemble(payloads, settings), planned.days, dataset.restricted, settings)


def run(argv: Sequence[str]) -> None:
    """Runs the jobs of a backfill one after another."""
    arguments, flags = parser().parse_known_args(underscored(argv))
    settings = settings_of(arguments)
    dataset = Dataset.of(arguments.dataset, arguments.bigquery_url)
    cloud = beam_options(flags).view_as(GoogleCloudOptions)
    done = done_days(dataset) if arguments.resume else frozenset()
    # A template always holds exactly one job.
    days_a_job = None if cloud.template_location else arguments.days_a_job
    plans = _plans(arguments, settings, done, days_a_job)
    if arguments.dry_run:
        sys.stdout.write("\n".join([*plan_lines(plans, counted_days(dataset)), ""]))
        return
    if not plans:
        say("nothing to do: every day is done from the same files with the same settings")
    elif not cloud.temp_location:
        raise InputError(
            "BigQuery loads rows from files, which need a folder; give --temp_location=gs://…"
        )
    for number, planned in enumerate(plans, 1):
        options = beam_options(local_flags(flags, planned.size_bytes), save_main_session=False)
        with beam.Pipeline(runner=bounded_runner(options), options=options) as pipeline:
            build(pipeline, planned, dataset, settings)
        first, last = (date_of(us) for us in (planned.asked.first_us, planned.asked.last_us))
        say(f"job {number} of {len(plans)}: {first} to {last}, run {planned.run}")


def parser() -> argparse.ArgumentParser:
    """Returns the parser of Undertone's flags. Beam parses all other flags."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False,
        prog="python -m pipelines.backfill",
        description="Counts whole days of archived conversation events and writes exact counts "
        "to BigQuery. From then on they replace what the stream counted on these days. Every other "
        "flag goes to Beam, e.g. --runner=DataflowRunner --project=… --region=… "
        "--temp_location=gs://….",
    )
    _add_arguments(parser)
    add_bigquery_argument(parser)
    add_secret_argument(parser)
    add_settings_arguments(parser)
    return parser


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags that only a backfill has."""
    group = parser.add_argument_group("what to count")
    group.add_argument(
        "--from",
        dest="first_day",
        required=True,
        metavar="2026-11-16|7d",
        help="first day to count, in UTC: a date, or how many days ago",
    )
    group.add_argument(
        "--to",
        dest="last_day",
        required=True,
        metavar="2026-11-22|1d",
        help="last day to count: a date, or how many days ago. It must be over",
    )
    group.add_argument(
        "--input",
        required=True,
        action="extend",
        type=patterns,
        metavar="gs://bucket/events/%Y/%m/%d/*.avro",
        help="files of events: .avro, .jsonl or .jsonl.gz. %%Y, %%m, %%d and %%H stand for the UTC "
        "year, month, day and hour of publishing, and select the files to read. A pattern without "
        "them selects all its files. For several patterns, put commas between them or repeat the "
        "flag",
    )
    group.add_argument(
        "--margin",
        type=duration,
        default=timedelta(days=7),
        metavar="7d",
        help="how long after the last day to follow the conversations that began on it. The ledger "
        "counts those that may go on longer as open_at_end (default 7d)",
    )
    group.add_argument(
        "--days_a_job",
        type=int,
        default=31,
        metavar="31",
        help="how many days one job counts. It writes them all at its end (default 31)",
    )
    add_switch(
        group,
        "--resume",
        "skip the jobs whose days are already written from the same files with the same settings",
    )
    add_switch(
        group,
        "--empty_days",
        "count a day without files as a day without conversations, instead of refusing it",
    )
    add_switch(group, "--dry_run", "only say what the backfill would read, replace and spend")


def main() -> int:
    """Runs the jobs with the command line's flags and returns the exit code."""
    return exit_code_of(lambda: run(sys.argv[1:]))


def _plans(
    arguments: argparse.Namespace,
    settings: Settings,
    done: Collection[Done],
    days_a_job: int | None,
) -> list[Plan]:
    """Returns the jobs to run, each with at least one day that still has to be counted."""
    if days_a_job is not None and days_a_job < 1:
        raise InputError(f"days_a_job must be at least 1, got {days_a_job}; use e.g. 31")
    first, last = _days(arguments, settings)
    # List the archive only once, because each hour of the archive takes a request.
    archive = list_archive(arguments.input, first, last, settings, arguments.margin)
    plan_days = partial(plan, archive, margin=arguments.margin, may_be_empty=arguments.empty_days)
    if not arguments.empty_days:
        first_found = first_with_files(archive, first, last)
        if first_found > first:
            say(f"the archive begins on {first_found}; the days before it are left out")
            first = first_found
    days = undone_days(plan_days(first, last, settings=settings), done)
    if not days:
        return []
    first, last = days[0], days[-1]
    step = timedelta(days=days_a_job) if days_a_job else last - first + timedelta(days=1)
    plans: list[Plan] = []
    while first <= last:
        end = min(last, first + step - timedelta(days=1))
        if any(first <= day <= end for day in days):
            # The ledger shows each job as a separate run, so each needs its own revision.
            job_settings = replace(settings, revision=settings.revision + len(plans))
            plans.append(plan_days(first, end, settings=job_settings))
        first += step
    return plans


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


if __name__ == "__main__":
    sys.exit(main())

"""`undertone run`: count archives of events; write tables and a report."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.terminal.progress import say, told

if TYPE_CHECKING:
    from pipelines.settings import Settings


def add_run(commands: Any) -> None:
    """Adds the command to the command line."""
    # Imported late, because the settings with the defaults import Beam.
    from pipelines.options import add_secret_argument, add_settings_arguments  # noqa: PLC0415
    from pipelines.publishing.options import (  # noqa: PLC0415
        add_policy_arguments,
        add_rates_argument,
    )

    parser = commands.add_parser(
        "run",
        allow_abbrev=False,
        help="count archives of events; write tables and a report",
        description="Counts the conversations in files of events, on this machine. Writes Parquet "
        "tables, a DuckDB database and an HTML report with what may be published, and the exact "
        "counts into a folder of their own. Much work uses all cores. Every other "
        "flag goes to Beam, e.g. --direct_num_workers=1 to use one core.",
    )
    parser.add_argument(
        "--input",
        action="append",
        required=True,
        metavar="PATTERN",
        help="files of events: .avro, .jsonl or .jsonl.gz. May be repeated",
    )
    parser.add_argument(
        "--output", type=Path, required=True, metavar="FOLDER", help="folder for tables and report"
    )
    parser.add_argument(
        "--own_data",
        action="store_true",
        help="publish every number exactly, however small. Use it only if all conversations are "
        "your own",
    )
    add_secret_argument(
        parser,
        "Without this flag, a run uses the secret in your configuration folder. The first run "
        "makes it",
    )
    add_policy_arguments(parser)
    add_rates_argument(parser)
    add_settings_arguments(parser, may_choose_classifier=True)
    parser.set_defaults(command=_run, takes_beam_flags=True)


def _run(arguments: argparse.Namespace, flags: Sequence[str]) -> None:
    from pipelines.beam_options import beam_options, local_flags  # noqa: PLC0415
    from pipelines.local import run_local  # noqa: PLC0415
    from pipelines.operations.refusals import check_refusals  # noqa: PLC0415
    from pipelines.publishing.options import policy_of  # noqa: PLC0415
    from pipelines.publishing.rates import given_rates  # noqa: PLC0415
    from pipelines.report.page import summary_lines  # noqa: PLC0415
    from pipelines.sources.files import size_of  # noqa: PLC0415
    from transforms.publishing.policy import OWN_DATA  # noqa: PLC0415

    # Beam logs each failure as a traceback, twice for a worker. The exception says enough.
    logging.getLogger("apache_beam").setLevel(logging.CRITICAL)
    # The job logs dead letters as warnings, but the report already shows them by reason.
    logging.getLogger("undertone").setLevel(logging.ERROR)
    policy = OWN_DATA if arguments.own_data else policy_of(arguments, timedelta(0))
    rates = given_rates(arguments.rates)
    settings, encoder_s = _settings(arguments, flags)
    if policy.is_exact:
        say("every number is exact, however small: keep the output to yourself")
    say(f"reading {', '.join(arguments.input)} …")
    with told(say):
        options = beam_options(local_flags(flags, size_of(arguments.input), encoder_s))
        run = run_local(arguments.input, arguments.output, settings, policy, options, rates)
    for line in summary_lines(run.folder):
        print(line)
    read = sum(row["records"] for row in run.ledger if row["account"] == "read")
    print(f"{read:,} records in {run.seconds:.1f} s")
    print(f"report: {run.report}")
    check_refusals(run.ledger, run.folder)


def _settings(arguments: argparse.Namespace, flags: Sequence[str]) -> tuple[Settings, float]:
    """Returns the settings, and the seconds that workers can share of the sentence encoder's work.

    If the classifier is `AUTO`, it is chosen here, and the choice is printed.
    """
    from pipelines.beam_options import local_workers  # noqa: PLC0415
    from pipelines.operations import classifier_choice  # noqa: PLC0415
    from pipelines.operations.refusals import check_no_chats  # noqa: PLC0415
    from pipelines.options import AUTO, settings_of, with_classifier  # noqa: PLC0415

    is_auto = arguments.classifier == AUTO
    if is_auto:
        arguments.classifier = classifier_choice.DEFAULT
    settings = settings_of(arguments)  # All flags are checked before anything is read.
    check_no_chats(arguments.input)
    if not is_auto and arguments.classifier == classifier_choice.DEFAULT:
        return settings, 0.0
    workers = local_workers(flags)
    reading = classifier_choice.reading_of(arguments.input, workers) if workers else None
    if is_auto:
        choice = classifier_choice.choose(reading) if reading else classifier_choice.NAMED_RUNNER
        say(str(choice))
        arguments.classifier = choice.classifier
        settings = with_classifier(settings, choice.classifier)
    is_accurate = arguments.classifier == classifier_choice.ACCURATE
    return settings, reading.shared_s if reading and is_accurate else 0.0

"""`undertone run`: count archives of events, and write tables and a report."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipelines.terminal.progress import say, told


def add_run(commands: Any) -> None:
    r"""Adds the command to the parser\'s subcommands."""
    # The flags' defaults come from the settings, and those import Beam.
    from pipelines.options import add_settings_arguments  # noqa: PLC0415

    parser = commands.add_parser(
        "run",
        allow_abbrev=False,
        help="run the job over archives of events; write tables and a report",
        description="Runs the whole job over files of events and writes Parquet tables, a DuckDB "
        "database and an HTML report. A large input is read with a process a core. Every flag not "
        "named here goes to Beam, e.g. --direct_num_workers=1.",
    )
    parser.add_argument(
        "--input",
        action="append",
        required=True,
        metavar="PATTERN",
        help="files of events, .avro, .jsonl or .jsonl.gz; may be repeated",
    )
    parser.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="folder for tables and report"
    )
    parser.add_argument(
        "--own_data",
        action="store_true",
        help="the conversations are your own: publish every count, however small. Never use it on "
        "other people's",
    )
    add_settings_arguments(parser)
    parser.set_defaults(command=_run, takes_beam_flags=True)


def _run(arguments: argparse.Namespace, flags: Sequence[str]) -> None:
    from pipelines.local import run_local  # noqa: PLC0415
    from pipelines.operations.refusals import check_no_chats, check_refusals  # noqa: PLC0415
    from pipelines.options import beam_options, local_flags, settings_of  # noqa: PLC0415
    from pipelines.report.page import summary_lines  # noqa: PLC0415
    from pipelines.sources.files import size_of  # noqa: PLC0415

    # Beam logs a failure as a traceback, a worker's twice; what it raises tells it all.
    logging.getLogger("apache_beam").setLevel(logging.CRITICAL)
    # The report tells of dead letters, by reason.
    logging.getLogger("undertone").setLevel(logging.ERROR)
    if arguments.own_data:
        arguments.min_users = arguments.min_conversations = 1
    settings = settings_of(arguments)
    check_no_chats(arguments.input)
    if arguments.own_data:
        say("every count is published, however small: keep the output to yourself")
    say(f"reading {', '.join(arguments.input)} …")
    with told(say):
        options = beam_options(local_flags(flags, size_of(arguments.input)))
        run = run_local(arguments.input, arguments.output, settings, options)
    for line in summary_lines(run.folder):
        print(line)
    read = sum(row["records"] for row in run.ledger if row["account"] == "read")
    print(f"{read:,} records in {run.seconds:.1f} s")
    print(f"report: {run.report}")
    check_refusals(run.ledger, run.folder)

"""`undertone report`: write a run's report again."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def add_report(commands: Any) -> None:
    """Adds the command to the command line."""
    parser = commands.add_parser(
        "report",
        help="write the report of a run again",
        description="Writes the HTML report again from the tables of a run, and shows its summary.",
    )
    parser.add_argument(
        "folder", type=Path, metavar="FOLDER", help="output folder of `undertone run`"
    )
    parser.set_defaults(command=_report)


def _report(arguments: argparse.Namespace, flags: Sequence[str]) -> None:
    del flags
    from pipelines.report.page import summary_lines, write_report  # noqa: PLC0415
    from pipelines.terminal.full_disk import writing_to  # noqa: PLC0415

    with writing_to(arguments.folder):
        path = write_report(arguments.folder)
    for line in summary_lines(arguments.folder):
        print(line)
    print(f"report: {path}")

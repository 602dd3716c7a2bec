"""`undertone status`: show whether a job is healthy."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from typing import Any, Final

from pipelines.commands.shared import add_tables_arguments, query_of
from schemas.failures import InputError

_WATCH_EVERY_S: Final = 30.0


def add_status(commands: Any) -> None:
    """Adds the command to the command line."""
    parser = commands.add_parser(
        "status",
        allow_abbrev=False,
        help="show whether a job loses records, how far behind it is and what it refused",
        description="Shows the ledger of the newest stream and of the newest batch run, which says "
        "whether records were lost. Also shows when counts and publications were last written, "
        "what was counted and published of recent days, and the dead letters by reason. The "
        "numbers are exact, so they are not for analysts.",
    )
    add_tables_arguments(parser)
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--run", type=int, metavar="N", help="show only this run, by its number in the ledger"
    )
    which.add_argument("--all", action="store_true", help="show every run")
    parser.add_argument(
        "--watch",
        nargs="?",
        type=float,
        const=_WATCH_EVERY_S,
        metavar="SECONDS",
        help=f"show it again every so many seconds (default {_WATCH_EVERY_S:.0f}), until Ctrl-C",
    )
    parser.add_argument("--json", action="store_true", help="print JSON, one object per line")
    parser.set_defaults(command=_status)


def _status(arguments: argparse.Namespace, flags: Sequence[str]) -> None:
    del flags
    from pipelines.operations.status import read_status, status_json, status_lines  # noqa: PLC0415
    from pipelines.settings import wall_clock_us  # noqa: PLC0415

    if arguments.watch is not None and not arguments.watch >= 1:
        raise InputError(f"watch must be at least 1 second, got {arguments.watch:g}; use e.g. 30")
    query = query_of(arguments)
    while True:
        status = read_status(query, wall_clock_us(), arguments.run, all_runs=arguments.all)
        if arguments.json:
            print(json.dumps(status_json(status)), flush=True)
        else:
            print("\n".join(status_lines(status)), flush=True)
        if arguments.watch is None:
            return
        time.sleep(arguments.watch)
        if not arguments.json:
            print("\n" + "─" * 40)

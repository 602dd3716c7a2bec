"""`undertone simulate`: write an archive of made-up conversations with known truth."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipelines.commands.shared import date
from pipelines.terminal.progress import say, told
from schemas.failures import InputError


def add_simulate(commands: Any) -> None:
    r"""Adds the command to the parser\'s subcommands."""
    parser = commands.add_parser(
        "simulate",
        allow_abbrev=False,
        help="write an archive of made-up conversations with known truth",
        description="Writes an archive of made-up conversations, and beside it what every cell of "
        "the tables must come to.",
    )
    parser.add_argument("--output", type=Path, required=True, metavar="DIR")
    parser.add_argument("--conversations", type=int, default=20_000, help="default 20000")
    parser.add_argument("--seed", type=int, default=0, help="default 0")
    parser.add_argument("--start", type=date, default=date("2026-01-05"), metavar="2026-01-05")
    parser.add_argument("--days", type=int, default=7, help="default 7")
    parser.add_argument(
        "--share_affective", type=float, default=0.029, help="default 0.029, the study's"
    )
    parser.add_argument("--duplicates", type=float, default=0.0, help="share of events, default 0")
    parser.add_argument("--late", type=float, default=0.0, help="share of events, default 0")
    parser.add_argument("--malformed", type=float, default=0.0, help="share of events, default 0")
    parser.set_defaults(command=_simulate)


def _simulate(arguments: argparse.Namespace, flags: Sequence[str]) -> None:
    del flags
    from pipelines.simulator import SimulationSettings, write_simulation  # noqa: PLC0415
    from pipelines.terminal.full_disk import writing_to  # noqa: PLC0415

    try:
        settings = SimulationSettings(
            conversations=arguments.conversations,
            seed=arguments.seed,
            start=arguments.start,
            days=arguments.days,
            share_affective=arguments.share_affective,
            duplicates=arguments.duplicates,
            late=arguments.late,
            malformed=arguments.malformed,
        )
    except ValueError as error:
        raise InputError(str(error)) from None
    with told(say), writing_to(arguments.output):
        summary = write_simulation(arguments.output, settings)
    say(f"{summary.events:,} events in {len(summary.files)} file(s) in {arguments.output}")
    say(f"what the tables must come to: {summary.cells:,} cells in truth.parquet, and ledger.json")

"""`undertone simulate`: write an archive of made-up conversations and their true counts."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipelines.commands.shared import date
from pipelines.terminal.progress import say, told
from schemas.failures import InputError


def add_simulate(commands: Any) -> None:
    """Adds the command to the command line."""
    parser = commands.add_parser(
        "simulate",
        allow_abbrev=False,
        help="write an archive of made-up conversations and their true counts",
        description="Writes an archive of made-up conversations. Beside it, truth.parquet and "
        "ledger.json hold their true counts, to compare a run with, and labels.jsonl their true "
        "labels, for undertone judge.",
    )
    parser.add_argument(
        "--output", type=Path, required=True, metavar="FOLDER", help="folder for the archive"
    )
    parser.add_argument(
        "--conversations",
        type=int,
        default=20_000,
        metavar="N",
        help="how many conversations (default 20000)",
    )
    parser.add_argument(
        "--start",
        type=date,
        default=date("2026-01-05"),
        metavar="2026-01-05",
        help="first day (default 2026-01-05)",
    )
    parser.add_argument(
        "--days",
        type=int,
        default=7,
        metavar="N",
        help="how many days the conversations start on (default 7)",
    )
    parser.add_argument(
        "--share_affective",
        type=float,
        default=0.029,
        metavar="SHARE",
        help="share of affective conversations (default 0.029, as in the study)",
    )
    for name, what in (
        ("duplicates", "events that are sent twice"),
        ("late", "events that come too late to count"),
        ("malformed", "damaged events"),
    ):
        parser.add_argument(
            f"--{name}",
            type=float,
            default=0.0,
            metavar="SHARE",
            help=f"{what}, as a share of the messages (default 0)",
        )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="seed of what is random (default 0)"
    )
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
    say(f"the true counts: {summary.cells:,} cells in truth.parquet, and ledger.json")
    say("the true labels: labels.jsonl")

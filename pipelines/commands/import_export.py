"""`undertone import`: turn a chat export into an archive of events."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pipelines.commands.shared import check_apart, counted, date
from pipelines.terminal.progress import say
from schemas.failures import InputError


def add_import(commands: Any) -> None:
    """Adds the command to the command line."""
    parser = commands.add_parser(
        "import",
        allow_abbrev=False,
        help="turn a chat export into an archive of events",
        description="Turns a data export from Claude or ChatGPT, or a file with one conversation "
        "per line, into an archive of events. `undertone run` counts it.",
    )
    parser.add_argument(
        "export",
        type=Path,
        metavar="EXPORT",
        help="conversations.json, the folder or zip that holds it, or a .jsonl or .jsonl.gz file",
    )
    parser.add_argument(
        "--output",
        type=Path,
        required=True,
        metavar="FILE.avro|FILE.jsonl",
        help="archive to write; .jsonl.gz works too",
    )
    parser.add_argument(
        "--kind", default="auto", choices=("auto", "claude", "chatgpt", "chats"),
        help="what the export is (default auto: look into it)",
    )  # fmt: skip
    group = parser.add_argument_group(
        "for chats without times and users, which are made up and marked as such"
    )
    group.add_argument("--seed", type=int, default=0, help="seed of the made-up values (default 0)")
    group.add_argument(
        "--start",
        type=date,
        default=date("2026-01-01"),
        metavar="2026-01-01",
        help="first day of the chats (default 2026-01-01)",
    )
    group.add_argument(
        "--days", type=int, default=1, help="how many days to spread the chats over (default 1)"
    )
    parser.set_defaults(command=_import)


def _import(arguments: argparse.Namespace, flags: Sequence[str]) -> None:
    del flags
    from pipelines.importers import import_events, synthesised_fields  # noqa: PLC0415

    check_apart(arguments.export, arguments.output)
    events = import_events(
        arguments.export,
        arguments.kind,
        seed=arguments.seed,
        start=arguments.start,
        days=arguments.days,
    )
    made_up = synthesised_fields(arguments.export, arguments.kind)
    written = _write_events(arguments.output, counted(events, "events"), made_up)
    say(f"{written:,} events in {arguments.output}")
    if made_up:
        say(f"made up, because the file does not say: {', '.join(made_up)}")


def _write_events(path: Path, events: Iterable[dict[str, Any]], synthesised: Sequence[str]) -> int:
    from pipelines.sinks.archive import SYNTHESISED, write_archive, write_json_lines  # noqa: PLC0415

    if path.suffix == ".avro":
        return write_archive(path, events, metadata={SYNTHESISED: ",".join(synthesised)})
    if path.name.endswith((".jsonl", ".jsonl.gz")):
        return write_json_lines(path, events)
    raise InputError(f"--output must end in .avro, .jsonl or .jsonl.gz, got {path}")

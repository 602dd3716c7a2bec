"""`undertone dead-letters`: list what was refused, and count it once its cause is mended."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, Final

from pipelines.commands.shared import add_tables_arguments, query_of
from schemas.failures import InputError, Reason

_REASONS: Final = tuple(map(str, Reason))


def add_dead_letters(commands: Any) -> None:
    r"""Adds the command to the parser\'s subcommands."""
    group = commands.add_parser(
        "dead-letters",
        allow_abbrev=False,
        help="list what was refused, and count it once its cause is mended",
    )
    subcommands = group.add_subparsers(required=True, metavar="list|redrive")
    _add_list(subcommands)
    _add_redrive(subcommands)


def _add_list(commands: Any) -> None:
    parser = commands.add_parser(
        "list",
        allow_abbrev=False,
        help="show dead letters by stage, reason and source",
        description="Shows dead letters by stage, reason and source, with the runs that wrote them "
        "and examples; never a text. A nightly backfill writes the letters of its days again each "
        "night.",
    )
    add_tables_arguments(parser)
    parser.add_argument("--reason", choices=_REASONS, metavar="REASON", help="only of this reason")
    parser.add_argument(
        "--run", type=int, metavar="N", help="only of this run, by its number in the ledger"
    )
    parser.add_argument(
        "--limit", type=int, default=5, help="runs and examples of each (default 5)"
    )
    parser.set_defaults(command=_list_dead_letters)


def _add_redrive(commands: Any) -> None:
    from pipelines.options import add_bigquery_argument, add_limits_arguments  # noqa: PLC0415

    parser = commands.add_parser(
        "redrive",
        allow_abbrev=False,
        help="publish again what is no longer refused, or insert it again",
        description="Finds the dead letters of a reason in an archive, decodes them as the job "
        "does today, and publishes those again that it takes. Rows that a table refused are "
        "inserted again, without an archive. It may be run twice: an event is counted once. Give "
        "the flags that say how to count as the job has them.",
    )
    parser.add_argument("--reason", required=True, choices=_REASONS, metavar="REASON")
    add_bigquery_argument(parser)
    parser.add_argument(
        "--archive",
        action="append",
        metavar="PATTERN",
        help="files of events, .avro, .jsonl or .jsonl.gz, or Avro archives of a subscription; may "
        "be repeated",
    )
    parser.add_argument("--topic", metavar="projects/PROJECT/topics/NAME")
    parser.add_argument(
        "--encoding",
        default="protobuf",
        choices=("protobuf", "json"),
        help="of events that a backfill refused; others go as they went before (default protobuf)",
    )
    parser.add_argument("--dry_run", action="store_true", help="look, and change nothing")
    add_limits_arguments(parser)
    parser.set_defaults(command=_redrive)


def _list_dead_letters(arguments: argparse.Namespace, flags: Sequence[str]) -> None:
    del flags
    from pipelines.operations.dead_letter_list import group_lines, list_groups  # noqa: PLC0415

    groups = list_groups(query_of(arguments), arguments.reason, arguments.limit, arguments.run)
    print("\n".join(group_lines(groups)))


def _redrive(arguments: argparse.Namespace, flags: Sequence[str]) -> None:
    del flags
    from pipelines.operations.dead_letters import check_mendable, redrive, reinsert  # noqa: PLC0415
    from pipelines.options import limits_of  # noqa: PLC0415
    from pipelines.settings import wall_clock_us  # noqa: PLC0415
    from pipelines.sinks.bigquery import Dataset  # noqa: PLC0415

    dataset = Dataset.of(arguments.dataset, arguments.bigquery_url)
    query, dry_run = query_of(arguments), arguments.dry_run
    if arguments.reason == Reason.REFUSED_BY_TABLE:
        lines = reinsert(query, dataset, dry_run=dry_run).lines(dry_run=dry_run)
    else:
        check_mendable(arguments.reason)
        if not arguments.archive or not arguments.topic:
            raise InputError(f"{arguments.reason} needs --archive, to find the events, and --topic")
        done = redrive(
            query,
            arguments.reason,
            arguments.archive,
            arguments.topic,
            limits_of(arguments),
            wall_clock_us,
            encoding=arguments.encoding,
            dry_run=dry_run,
        )
        lines = done.lines(arguments.reason, dry_run=dry_run)
    print("\n".join(lines))

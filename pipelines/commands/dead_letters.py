"""`undertone dead-letters`: list refused records, and resend them once their cause is fixed."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, Final

from pipelines.commands.shared import add_tables_arguments, query_of
from schemas.failures import InputError, Reason

_REASONS: Final = tuple(map(str, Reason))


def add_dead_letters(commands: Any) -> None:
    """Adds the command to the command line."""
    group = commands.add_parser(
        "dead-letters",
        allow_abbrev=False,
        help="list refused records, and send them again",
        description="A dead letter is a record that was refused and not counted. List them first. "
        "Once the cause is fixed, redrive them, so that they are counted.",
    )
    subcommands = group.add_subparsers(required=True, metavar="list|redrive")
    _add_list(subcommands)
    _add_redrive(subcommands)


def _add_list(commands: Any) -> None:
    parser = commands.add_parser(
        "list",
        allow_abbrev=False,
        help="list dead letters by stage, reason and source",
        description="Lists dead letters by stage, reason and source, with examples and the runs "
        "that wrote them. It never shows text. A nightly backfill writes the dead letters of its "
        "days again each night, so the same record can appear under several runs.",
    )
    add_tables_arguments(parser)
    parser.add_argument(
        "--reason", choices=_REASONS, metavar="REASON", help="only dead letters of this reason"
    )
    parser.add_argument(
        "--run",
        type=int,
        metavar="N",
        help="only dead letters of this run, by its number in the ledger",
    )
    parser.add_argument(
        "--limit",
        type=int,
        default=5,
        metavar="N",
        help="show at most this many runs and examples per group (default 5)",
    )
    parser.set_defaults(command=_list_dead_letters)


def _add_redrive(commands: Any) -> None:
    from pipelines.options import (  # noqa: PLC0415
        add_bigquery_argument,
        add_limits_arguments,
        add_secret_argument,
    )

    parser = commands.add_parser(
        "redrive",
        allow_abbrev=False,
        help="send dead letters again that are no longer refused",
        description="Finds the events of dead letters in an archive and publishes those that the "
        "job would accept today. The reason refused_by_table needs no archive: its dead letters "
        "hold rows, which are inserted again. It is safe to run this twice, because an event is "
        "counted once. --secret and the flags under 'how to count' must be those of the job.",
    )
    parser.add_argument(
        "--reason",
        required=True,
        choices=_REASONS,
        metavar="REASON",
        help="reason of the dead letters to send again, e.g. oversize",
    )
    add_bigquery_argument(parser)
    parser.add_argument(
        "--archive",
        action="append",
        metavar="PATTERN",
        help="files to find the events in: .avro, .jsonl or .jsonl.gz, or the Avro files that a "
        "Pub/Sub subscription archives. May be repeated",
    )
    parser.add_argument(
        "--topic",
        metavar="projects/PROJECT/topics/NAME",
        help="Pub/Sub topic to publish the events to",
    )
    add_secret_argument(parser, "The reason refused_by_table needs none")
    parser.add_argument(
        "--encoding",
        default="protobuf",
        choices=("protobuf", "json"),
        help="encoding for events that a backfill refused. Others keep the encoding that they had "
        "(default protobuf)",
    )
    parser.add_argument(
        "--dry_run", action="store_true", help="say what would be sent, and send nothing"
    )
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
    from pipelines.operations.replay import check_topic  # noqa: PLC0415
    from pipelines.options import limits_of, secret_loader  # noqa: PLC0415
    from pipelines.settings import wall_clock_us  # noqa: PLC0415
    from pipelines.sinks.bigquery import Dataset  # noqa: PLC0415

    dataset = Dataset.of(arguments.dataset, arguments.bigquery_url)
    query, dry_run = query_of(arguments), arguments.dry_run
    if arguments.reason == Reason.REFUSED_BY_TABLE:
        lines = reinsert(query, dataset, dry_run=dry_run).lines(dry_run=dry_run)
    else:
        check_mendable(arguments.reason)
        if not (arguments.archive and arguments.topic and arguments.secret):
            raise InputError(
                f"to send dead letters of reason {arguments.reason} again, give --archive (the "
                "files that hold the events), --topic (the topic to publish the events to) and "
                "--secret (the secret of the job that refused them)"
            )
        limits = limits_of(arguments)
        check_topic(arguments.topic)
        done = redrive(
            query,
            arguments.reason,
            arguments.archive,
            arguments.topic,
            limits,
            wall_clock_us,
            secret_loader(arguments)(),
            encoding=arguments.encoding,
            dry_run=dry_run,
        )
        lines = done.lines(arguments.reason, dry_run=dry_run)
    print("\n".join(lines))

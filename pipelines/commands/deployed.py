"""The commands for a deployed job: `undertone create | publish | status | dead-letters`."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from pipelines.terminal.progress import say
from schemas.failures import InputError, Reason

_REASONS: Final = tuple(map(str, Reason))
_WATCH_EVERY_S: Final = 30.0


def add_deployed_commands(commands: Any) -> None:
    """Adds the commands to a parser's subcommands."""
    _add_create(commands)
    _add_publish(commands)
    _add_status(commands)
    _add_dead_letters(commands)


def _add_publish(commands: Any) -> None:
    parser = commands.add_parser(
        "publish",
        allow_abbrev=False,
        help="send archives of events to a Pub/Sub topic",
        description="Publishes the events of archives to a Pub/Sub topic, in their order: to feed "
        "a stream with a simulation, or to count again what was archived. Each is judged by when "
        "it was published first. With PUBSUB_EMULATOR_HOST set it goes to the emulator there.",
    )
    parser.add_argument(
        "--input",
        action="append",
        required=True,
        metavar="PATTERN",
        help="files of events, .avro, .jsonl or .jsonl.gz, or Avro archives of a subscription; may "
        "be repeated",
    )
    parser.add_argument("--topic", required=True, metavar="projects/PROJECT/topics/NAME")
    parser.add_argument(
        "--rate", type=float, metavar="2000", help="messages a second at most (default: no limit)"
    )
    parser.add_argument(
        "--speed_up",
        type=float,
        metavar="60",
        help="space the messages as they were first published (or said, where the event tells no "
        "more), so many times faster (default: no spacing)",
    )
    parser.add_argument(
        "--encoding",
        default="protobuf",
        choices=("protobuf", "json", "mixed"),
        help="of events from an Avro archive; JSON lines and archived messages stay as they are "
        "(default protobuf)",
    )
    parser.add_argument(
        "--repeat_share",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="publish this share of the messages a second time, a little later (default 0)",
    )
    parser.add_argument("--seed", type=int, default=0, help="of what is drawn (default 0)")
    parser.set_defaults(command=_publish)


def _add_create(commands: Any) -> None:
    from pipelines.options import add_bigquery_argument  # noqa: PLC0415

    parser = commands.add_parser(
        "create",
        allow_abbrev=False,
        help="create dataset, tables and views in BigQuery",
        description="Creates a dataset of BigQuery with the tables and views that the job needs. "
        "Views that are there are updated and keep their access rights. Tables that are there keep "
        "their rows and get the columns that they lack.",
    )
    add_bigquery_argument(parser)
    parser.add_argument(
        "--location", metavar="EU", help="of a new dataset (default: BigQuery's own, US)"
    )
    parser.set_defaults(command=_create)


def _add_status(commands: Any) -> None:
    parser = commands.add_parser(
        "status",
        allow_abbrev=False,
        help="say how a job stands: does it balance, how far behind it is, what fails",
        description="Shows the ledgers of the newest stream and the newest batch, how long ago "
        "ledger and aggregates were written, the last releases of the most recent days, and the "
        "dead letters by reason.",
    )
    _add_tables_arguments(parser)
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--run", type=int, metavar="N", help="of this run, by its number in the ledger"
    )
    which.add_argument("--all", action="store_true", help="of every run")
    parser.add_argument(
        "--watch",
        nargs="?",
        type=float,
        const=_WATCH_EVERY_S,
        metavar="SECONDS",
        help=f"again and again, every {_WATCH_EVERY_S:.0f} seconds where not told",
    )
    parser.add_argument("--json", action="store_true", help="as JSON, one object a line")
    parser.set_defaults(command=_status)


def _add_dead_letters(commands: Any) -> None:
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
    _add_tables_arguments(parser)
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


def _add_tables_arguments(parser: argparse.ArgumentParser) -> None:
    from pipelines.options import add_bigquery_argument  # noqa: PLC0415

    parser.add_argument(
        "folder", type=Path, nargs="?", metavar="FOLDER", help="output folder of `undertone run`"
    )
    add_bigquery_argument(parser, required=False)


def _publish(arguments: argparse.Namespace, flags: Sequence[str]) -> None:
    del flags
    from pipelines.operations.publish import Publishing, publish  # noqa: PLC0415

    publishing = Publishing(
        encoding=arguments.encoding,
        rate=arguments.rate,
        speed_up=arguments.speed_up,
        repeat_share=arguments.repeat_share,
        seed=arguments.seed,
    )
    published = publish(arguments.input, arguments.topic, publishing)
    say(f"{published:,} messages published to {arguments.topic}")


def _create(arguments: argparse.Namespace, flags: Sequence[str]) -> None:
    del flags
    from pipelines.sinks.bigquery import Dataset, create_dataset  # noqa: PLC0415
    from schemas.tables import TABLES  # noqa: PLC0415
    from schemas.views import VIEWS  # noqa: PLC0415

    dataset = Dataset.of(arguments.dataset, arguments.bigquery_url)
    create_dataset(dataset, arguments.location)
    print(f"{dataset} has")
    print(f"  tables: {', '.join(table.name for table in TABLES)}")
    print(f"  views: {', '.join(VIEWS)}")


def _status(arguments: argparse.Namespace, flags: Sequence[str]) -> None:
    del flags
    from pipelines.operations.status import read_status, status_json, status_lines  # noqa: PLC0415
    from pipelines.settings import wall_clock_us  # noqa: PLC0415

    if arguments.watch is not None and not arguments.watch >= 1:
        raise InputError(f"watch must be at least 1 second, got {arguments.watch:g}; use e.g. 30")
    query = _query_of(arguments)
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


def _list_dead_letters(arguments: argparse.Namespace, flags: Sequence[str]) -> None:
    del flags
    from pipelines.operations.dead_letter_list import group_lines, list_groups  # noqa: PLC0415

    groups = list_groups(_query_of(arguments), arguments.reason, arguments.limit, arguments.run)
    print("\n".join(group_lines(groups)))


def _redrive(arguments: argparse.Namespace, flags: Sequence[str]) -> None:
    del flags
    from pipelines.operations.dead_letters import check_mendable, redrive, reinsert  # noqa: PLC0415
    from pipelines.options import limits_of  # noqa: PLC0415
    from pipelines.settings import wall_clock_us  # noqa: PLC0415
    from pipelines.sinks.bigquery import Dataset  # noqa: PLC0415

    dataset = Dataset.of(arguments.dataset, arguments.bigquery_url)
    query, dry_run = _query_of(arguments), arguments.dry_run
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


def _query_of(arguments: argparse.Namespace) -> Callable[[str], list[dict[str, Any]]]:
    """Returns what queries the dataset, or the folder of a run, that the flags name."""
    from pipelines.sinks.bigquery import Dataset, query  # noqa: PLC0415
    from pipelines.sinks.database import query_run  # noqa: PLC0415

    folder: Path | None = getattr(arguments, "folder", None)
    if (folder is None) == (arguments.dataset is None):
        raise InputError("name one of --dataset <project>.<dataset> and the folder of a run")
    if folder is not None:
        return partial(query_run, folder)
    return partial(query, Dataset.of(arguments.dataset, arguments.bigquery_url))

"""The command line: one function of flags a command, and one that does it.

On one machine `undertone simulate | import | run | report | classify`; those for a deployed job are
in `cli_deployed`.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any, Final, TypeVar

from pipelines.commands.deployed import add_deployed_commands
from pipelines.flags import underscored
from pipelines.terminal.progress import say, told
from schemas.failures import InputError

ItemT = TypeVar("ItemT")
_PROGRESS_EVERY_S: Final = 3.0
_EPILOG: Final = """\
examples:
  undertone simulate --conversations 20000 --output archive/
  undertone run --input 'archive/*.avro' --output run/
  undertone import conversations.json --output mine.avro
  undertone run --input mine.avro --output run/ --own_data
  undertone classify chats.jsonl --output classified.jsonl
  undertone publish --input 'archive/*.avro' --topic projects/my-project/topics/events
  undertone create --dataset my-project.undertone
  undertone status --dataset my-project.undertone --watch
  undertone dead-letters list --dataset my-project.undertone

exit codes:
  0 done; 1 an error that nobody expected; 2 what you can mend, such as a wrong flag or a full disk;
  3 a run that refused more than half of its records; 130 Ctrl-C
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit code, see `errors.exit_code_of`."""
    parser = _parser()
    arguments, flags = parser.parse_known_args(underscored(sys.argv[1:] if argv is None else argv))
    if flags and not arguments.takes_beam_flags:
        parser.error(f"unrecognized arguments: {' '.join(flags)}")
    # Beam takes a second to import; a wrong flag should not wait for it.
    from pipelines.terminal.errors import exit_code_of  # noqa: PLC0415

    command: Callable[[argparse.Namespace, Sequence[str]], None] = arguments.command
    return exit_code_of(lambda: command(arguments, flags))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        allow_abbrev=False,
        prog="undertone",
        description="Learn what a chat assistant's conversations are for, without reading them.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"undertone {version('undertone')}")
    parser.set_defaults(takes_beam_flags=False)
    commands = parser.add_subparsers(required=True, metavar="command")
    _add_run(commands)
    _add_import(commands)
    _add_simulate(commands)
    _add_report(commands)
    _add_classify(commands)
    add_deployed_commands(commands)
    return parser


def _add_run(commands: Any) -> None:
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


def _add_import(commands: Any) -> None:
    parser = commands.add_parser(
        "import",
        allow_abbrev=False,
        help="turn a chat export into an archive of events",
        description="Turns a Claude or ChatGPT data export, or a file of one conversation a line, "
        "into an archive of events that `undertone run` reads.",
    )
    parser.add_argument(
        "export", type=Path, help="conversations.json, its folder or zip, or .jsonl"
    )
    parser.add_argument("--output", type=Path, required=True, metavar="FILE.avro|FILE.jsonl")
    parser.add_argument(
        "--kind", default="auto", choices=("auto", "claude", "chatgpt", "chats"),
        help="what the export is; auto looks (default)",
    )  # fmt: skip
    group = parser.add_argument_group("chats without times and users: both are made up, and marked")
    group.add_argument("--seed", type=int, default=0, help="of what is made up (default 0)")
    group.add_argument("--start", type=_date, default=_date("2026-01-01"), metavar="2026-01-01")
    group.add_argument("--days", type=int, default=1, help="days to spread them over (default 1)")
    parser.set_defaults(command=_import)


def _add_simulate(commands: Any) -> None:
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
    parser.add_argument("--start", type=_date, default=_date("2026-01-05"), metavar="2026-01-05")
    parser.add_argument("--days", type=int, default=7, help="default 7")
    parser.add_argument(
        "--share_affective", type=float, default=0.029, help="default 0.029, the study's"
    )
    parser.add_argument("--duplicates", type=float, default=0.0, help="share of events, default 0")
    parser.add_argument("--late", type=float, default=0.0, help="share of events, default 0")
    parser.add_argument("--malformed", type=float, default=0.0, help="share of events, default 0")
    parser.set_defaults(command=_simulate)


def _add_report(commands: Any) -> None:
    parser = commands.add_parser("report", help="write the report of a run again")
    parser.add_argument("folder", type=Path, help="output folder of `undertone run`")
    parser.set_defaults(command=_report)


def _add_classify(commands: Any) -> None:
    from pipelines.options import add_classifier_argument  # noqa: PLC0415
    from transforms.classifiers.head import PRIOR  # noqa: PLC0415

    parser = commands.add_parser(
        "classify",
        allow_abbrev=False,
        help="say of each conversation in a file what it is for",
        description='Reads one conversation a line, {"id", "turns": [{"role": "human"|"assistant", '
        '"text"}]}, and writes one line each: probabilities, whether one may point at it (alert), '
        "types, use, mood, pushback.",
    )
    parser.add_argument("file", type=Path, metavar="FILE.jsonl")
    parser.add_argument("--output", type=Path, required=True, metavar="OUT.jsonl")
    parser.add_argument(
        "--prior",
        action="append",
        default=[],
        metavar="[LANGUAGE=]SHARE",
        help="share of your conversations that are affective, e.g. 0.01, or zh=0.005 for those in "
        "one language; may be repeated. It shifts the probabilities, which are otherwise those at "
        f"{PRIOR}; labels, use and alert do not move",
    )
    add_classifier_argument(parser)
    parser.set_defaults(command=_classify)


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


def _import(arguments: argparse.Namespace, flags: Sequence[str]) -> None:
    del flags
    from pipelines.importers import import_events, synthesised_fields  # noqa: PLC0415

    _check_apart(arguments.export, arguments.output)
    events = import_events(
        arguments.export,
        arguments.kind,
        seed=arguments.seed,
        start=arguments.start,
        days=arguments.days,
    )
    made_up = synthesised_fields(arguments.export, arguments.kind)
    written = _write_events(arguments.output, _progress(events, "events"), made_up)
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


def _report(arguments: argparse.Namespace, flags: Sequence[str]) -> None:
    del flags
    from pipelines.report.page import summary_lines, write_report  # noqa: PLC0415
    from pipelines.terminal.full_disk import writing_to  # noqa: PLC0415

    with writing_to(arguments.folder):
        path = write_report(arguments.folder)
    for line in summary_lines(arguments.folder):
        print(line)
    print(f"report: {path}")


def _classify(arguments: argparse.Namespace, flags: Sequence[str]) -> None:
    del flags
    from pipelines.operations.classify import classify, read_conversations  # noqa: PLC0415
    from pipelines.operations.prior import prior_shifts  # noqa: PLC0415
    from pipelines.options import classifier_loader  # noqa: PLC0415
    from pipelines.sinks.archive import appearing_at  # noqa: PLC0415

    _check_apart(arguments.file, arguments.output)
    shifts = prior_shifts(arguments.prior)
    load_classifier = classifier_loader(arguments.classifier)
    written = 0
    with _opened(arguments.file) as lines, appearing_at(arguments.output) as out:
        classifier = load_classifier()
        conversations = read_conversations(lines, arguments.file.name)
        for classified in _progress(classify(conversations, classifier, shifts), "conversations"):
            out.write(json.dumps(classified, ensure_ascii=False).encode() + b"\n")
            written += 1
    say(f"{written:,} conversations in {arguments.output}")


def _check_apart(source: Path, output: Path) -> None:
    """Raises InputError where writing would destroy what is read."""
    if output.exists() and source.exists() and output.samefile(source):
        raise InputError(f"--output {output} is the input itself; name another file")


def _opened(path: Path) -> IO[bytes]:
    try:
        return path.open("rb")
    except OSError as error:
        raise InputError(f"can't read {path}: {error.strerror}") from None


def _progress(items: Iterable[ItemT], what: str) -> Iterator[ItemT]:
    """Passes items on, and says how many on standard error every few seconds."""
    said_at = time.monotonic()
    for count, item in enumerate(items, 1):
        yield item
        if time.monotonic() - said_at > _PROGRESS_EVERY_S:
            said_at = time.monotonic()
            say(f"{count:,} {what} …")


def _date(text: str) -> datetime:
    try:
        day = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date; write e.g. 2026-01-05") from None
    return day if day.tzinfo else day.replace(tzinfo=UTC)


if __name__ == "__main__":
    sys.exit(main())

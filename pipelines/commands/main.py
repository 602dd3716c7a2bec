"""The command line: reads the flags and runs one command. Each command has its own module."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Final

from pipelines.commands.audit import add_audit
from pipelines.commands.classify import add_classify
from pipelines.commands.create import add_create
from pipelines.commands.dead_letters import add_dead_letters
from pipelines.commands.forget import add_forget
from pipelines.commands.import_export import add_import
from pipelines.commands.judging.judge import add_judge
from pipelines.commands.judging.label import add_label
from pipelines.commands.judging.rates import add_rates
from pipelines.commands.replay import add_replay
from pipelines.commands.report import add_report
from pipelines.commands.run import add_run
from pipelines.commands.simulate import add_simulate
from pipelines.commands.status import add_status
from pipelines.terminal.flags import underscored

_COMMANDS: Final = (
    add_run, add_import, add_simulate, add_label, add_judge, add_rates, add_report, add_classify,
    add_create, add_replay, add_status, add_dead_letters, add_audit, add_forget,
)  # fmt: skip
_BLAS_THREADS: Final = ("OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
"""NumPy's number of threads, which it and each worker process read when they import it.

One is enough, because a run divides its work among processes. The sentence encoder multiplies small
matrices. With two threads on a busy machine with two cores, it read 10 to 140 messages/s instead of
200.
"""
_EPILOG: Final = """\
examples:
  undertone simulate --conversations 20000 --output archive/
  undertone run --input 'archive/*.avro' --output run/
  undertone judge run/ --input 'archive/*.avro' --judge accurate
  undertone rates run/ --output rates.json
  undertone import conversations.json --output mine.avro
  undertone run --input mine.avro --output run/ --own_data
  undertone classify chats.jsonl --output classified.jsonl
  undertone label chats.jsonl --reader ana --labels labels.jsonl
  undertone replay --input 'archive/*.avro' --topic projects/my-project/topics/events
  undertone create --dataset my-project.undertone
  undertone status --dataset my-project.undertone --watch
  undertone dead-letters list --dataset my-project.undertone
  undertone audit run/
  undertone forget --user_file id.txt --archive 'archive/*.avro'

exit codes:
  0    success
  1    an unexpected error, with a traceback
  2    an error that you can fix, such as a wrong flag or a full disk
  3    the run finished, but refused more than half of its records
  4    the audit found something that analysts could use against single people
  130  Ctrl-C
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code, see `errors.exit_code_of`."""
    for variable in _BLAS_THREADS:
        os.environ.setdefault(variable, "1")
    parser = _parser()
    arguments, flags = parser.parse_known_args(underscored(sys.argv[1:] if argv is None else argv))
    if flags and not arguments.takes_beam_flags:
        parser.error(f"unrecognized arguments: {' '.join(flags)}")
    # Imported late, so that importing this module does not import Beam.
    from pipelines.terminal.errors import exit_code_of  # noqa: PLC0415

    command: Callable[[argparse.Namespace, Sequence[str]], None] = arguments.command
    return exit_code_of(lambda: command(arguments, flags))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        allow_abbrev=False,
        prog="undertone",
        description="Learn what people use your chat assistant for, without anyone reading a "
        "conversation.\nFor help on one command: undertone COMMAND --help",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"undertone {version('undertone')}")
    parser.set_defaults(takes_beam_flags=False)
    commands = parser.add_subparsers(required=True, metavar="command")
    for add in _COMMANDS:
        add(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())

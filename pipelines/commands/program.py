"""The program `undertone`: the command line, with Ctrl-C told in one sentence from the start."""

from __future__ import annotations

import sys

from pipelines.terminal.interrupts import tell_interrupts


def main() -> int:
    """Runs the command line's command; returns the exit code."""
    tell_interrupts()
    from pipelines.commands.main import main as run_command  # noqa: PLC0415 (it takes a while)

    return run_command()


if __name__ == "__main__":
    sys.exit(main())

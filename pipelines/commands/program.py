"""The entry point of the program `undertone`: handles Ctrl-C, then runs the command line."""

from __future__ import annotations

import sys

from pipelines.terminal.interrupts import tell_interrupts


def main() -> int:
    """Runs the command line and returns the exit code."""
    tell_interrupts()
    from pipelines.commands.main import main as run_command  # noqa: PLC0415 (slow)

    return run_command()


if __name__ == "__main__":
    sys.exit(main())

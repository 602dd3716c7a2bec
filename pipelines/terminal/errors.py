"""Turns an error into one sentence for the user, even an error from deep inside the runner."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from typing import Final

from pipelines.operations.audit.failure import AuditFailedError
from pipelines.operations.refusals import MostRefusedError
from pipelines.terminal import interrupts
from pipelines.terminal.full_disk import causes, full_disk
from schemas.failures import InputError
from transforms.counting.ledger import LedgerImbalanceError

MOST_REFUSED: Final = 3
"""Exit code of a run that wrote its tables, but refused most of its records."""

AUDIT_FAILED: Final = 4
"""Exit code of an audit that found something."""

_EXPECTED: Final = (InputError, LedgerImbalanceError, MostRefusedError, AuditFailedError)
_FIXABLE: Final = 2
_WHILE_RUNNING: Final = re.compile(r"\s*\[while running .*\]\s*", re.DOTALL)
_FROM_A_WORKER: Final = re.compile(
    r"(?:" + "|".join(e.__name__ for e in _EXPECTED) + r"): (?P<sentence>[^\n]*)"
)


def exit_code_of(action: Callable[[], object]) -> int:
    """Runs an action. If it fails for a reason that the user can fix, prints one sentence.

    Returns:
      0; 2 for an error that the user can fix, such as a wrong flag, a damaged input or a full disk;
      3 if most records were refused; 4 if an audit found something; 130 after Ctrl-C. An unexpected
      error keeps its traceback.
    """
    try:
        with interrupts.raised_while_working():
            action()
            sys.stdout.flush()  # If the disk is full, a flush at exit would print a traceback.
    except KeyboardInterrupt:
        print("undertone: interrupted", file=sys.stderr)
        return interrupts.EXIT_CODE
    except Exception as error:
        if interrupts.has_come() or any(_is_interrupt(link) for link in causes(error)):
            print("undertone: interrupted", file=sys.stderr)
            return interrupts.EXIT_CODE
        sentence = sentence_of(error)
        if sentence is None:
            raise
        _drop_unprinted()
        print(f"undertone: {sentence}", file=sys.stderr)
        if isinstance(error, AuditFailedError):
            return AUDIT_FAILED
        return MOST_REFUSED if isinstance(error, MostRefusedError) else _FIXABLE
    return 0


def sentence_of(error: BaseException) -> str | None:
    """Returns the sentence of an expected error, or None for an unexpected one.

    Beam's in-process runner raises the error itself with its step appended. The workers in other
    processes pass on a traceback as text.
    """
    for link in causes(error):
        if isinstance(link, _EXPECTED):
            return _WHILE_RUNNING.sub("", str(link))
        if isinstance(link, RuntimeError) and (match := _FROM_A_WORKER.search(str(link))):
            return _WHILE_RUNNING.sub("", match["sentence"])
        if isinstance(link, OSError) and isinstance(link.filename, str) and link.strerror:
            return f"{link.filename} can't be used ({link.strerror}); name another path"
    if said := full_disk(error):
        return f"can't write: {said}; free some space and run again"
    return None


def _drop_unprinted() -> None:
    # At exit, Python would try again to print the output, and fail with a traceback.
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _is_interrupt(error: BaseException) -> bool:
    # The in-process runner turns KeyboardInterrupt into a RuntimeError that names the step.
    return isinstance(error, KeyboardInterrupt) or str(error).startswith("KeyboardInterrupt [while")

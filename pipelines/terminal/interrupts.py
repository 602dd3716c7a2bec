"""Answers Ctrl-C with one sentence and no traceback, from a program's first moment to its last.

Importing Beam takes seconds. Meanwhile nothing needs tidying up, so Ctrl-C ends the program at
once. While a command works, Ctrl-C raises KeyboardInterrupt, so that temporary files are deleted.
Libraries may catch this exception and print it or raise a different error, so this module remembers
the interrupt.
"""

from __future__ import annotations

import _thread
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

EXIT_CODE: Final = 130
"""The exit code that shells expect from a program that was ended by Ctrl-C."""

_SENTENCE: Final = b"undertone: interrupted\n"
_GRACE_S: Final = 20.0
"""How long a program may take to tidy up after Ctrl-C before it is ended."""
_PAUSE_S: Final = 0.5
_NOTICE_S: Final = 5.0
"""How long an error in a thread waits for Ctrl-C before it is printed.

Ctrl-C also ends a child process that has only just started, and the thread that waits for this
child may run before the main thread does.
"""

_works = threading.Event()
_came = threading.Event()
_first: list[Callable[[], object]] = []


def tell_interrupts() -> None:
    """Takes over Ctrl-C in this process. Programs call it before they import Beam."""
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return  # Whoever started the program wants SIGINT ignored, as nohup does.
    signal.signal(signal.SIGINT, _on_interrupt)
    sys.unraisablehook = _on_unraisable
    threading.excepthook = _on_error_in_thread


@contextmanager
def raised_while_working() -> Iterator[None]:
    """Lets Ctrl-C raise KeyboardInterrupt until the block ends, so that the block can tidy up."""
    _works.set()
    try:
        yield
    finally:
        _works.clear()


@contextmanager
def done_first(action: Callable[[], object]) -> Iterator[None]:
    """Until the block ends, Ctrl-C runs an action before it raises KeyboardInterrupt."""
    _first.append(action)
    try:
        yield
    finally:
        _first.remove(action)


def has_come() -> bool:
    """Tells whether Ctrl-C was pressed while the command worked."""
    return _came.is_set()


def _on_interrupt(_number: int, _frame: Any) -> None:
    if not _works.is_set():
        if not _came.is_set():
            os.write(2, _SENTENCE)  # Do not use print, which may be running just now.
        os._exit(EXIT_CODE)
    if not _came.is_set():
        _came.set()
        threading.Thread(target=_insist, daemon=True).start()
    _run_first()
    raise KeyboardInterrupt


def _insist() -> None:
    """Makes sure that the program ends: a library may swallow an interrupt and wait for ever."""
    started_s = time.monotonic()
    has_raised_again = False
    while (waited_s := time.monotonic() - started_s) < _GRACE_S:
        time.sleep(_PAUSE_S)
        # Kills workers that started after the interrupt.
        _run_first()
        if waited_s > _GRACE_S / 2 and not has_raised_again:
            has_raised_again = True
            _thread.interrupt_main()
    os.write(2, _SENTENCE)
    os._exit(EXIT_CODE)


def _run_first() -> None:
    for action in [*_first]:
        with suppress(OSError):
            action()


def _on_unraisable(unraisable: Any) -> None:
    # Python drops what a destructor or a callback raises, so the interrupt is raised again.
    if isinstance(unraisable.exc_value, KeyboardInterrupt):
        _thread.interrupt_main()
    elif not _came.is_set():
        sys.__unraisablehook__(unraisable)


def _on_error_in_thread(error: Any) -> None:
    # After Ctrl-C, threads fail because their resources are closed. The user need not see that.
    if not _came.wait(_NOTICE_S):
        threading.__excepthook__(error)

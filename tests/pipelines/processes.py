"""Runs the programs as real processes, and can interrupt them."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
IMPORT_TIME: Final = "import time:"
PROGRESS: Final = " s …"
"""How a line ends that says how long a run has taken so far; a slow machine prints some."""
_PATIENCE_S: Final = 120.0
_PAUSE_S: Final = 0.02


def started(
    argv: Sequence[str], folder: Path, *, file_size_bytes: int | None = None, **streams: Any
) -> subprocess.Popen[str]:
    """Starts a program in its own process group.

    Args:
      argv: the arguments of `python`.
      folder: the working folder of the program; temporary files go into the subfolder `temporary`.
      file_size_bytes: the size of the largest file that the program may write.
      streams: arguments of Popen that replace the pipes for standard output and error.
    """
    temporary = folder / "temporary"
    temporary.mkdir(exist_ok=True)

    def in_child() -> None:
        # A test in the background ignores SIGINT, and child processes inherit that.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        if file_size_bytes is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_size_bytes, file_size_bytes))

    environment = {
        **os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(temporary),
        "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | streams
    return subprocess.Popen(
        [sys.executable, *argv], cwd=folder, env=environment, text=True, start_new_session=True,
        preexec_fn=in_child, **streams,  # noqa: PLW1509 (it takes no lock)
    )  # fmt: skip


def finished(argv: Sequence[str], folder: Path, **options: Any) -> tuple[int, list[str]]:
    """Runs a program until it ends; returns its exit code and the lines of standard error."""
    with started(argv, folder, **options) as process:
        _, errors = process.communicate(timeout=_PATIENCE_S)
        return process.returncode, errors.splitlines()


def interrupted(process: subprocess.Popen[str]) -> tuple[int, list[str]]:
    """Presses Ctrl-C as a terminal does.

    Returns:
      The exit code, and the rest of standard error without import times and progress.
    """
    os.killpg(process.pid, signal.SIGINT)
    try:
        _, errors = process.communicate(timeout=_PATIENCE_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    lines = [line for line in errors.splitlines() if not line.startswith(IMPORT_TIME)]
    return process.returncode, [line for line in lines if not line.endswith(PROGRESS)]


def await_line(process: subprocess.Popen[str], end: str) -> None:
    """Waits until a line of standard error ends with this text."""
    assert process.stderr
    for line in process.stderr:
        if line.rstrip().endswith(end):
            return
    raise AssertionError(f"{process.args!r} ended without a line that ends with {end!r}")


def await_true(is_met: Callable[[], bool]) -> None:
    """Waits until the condition is true."""
    deadline_s = time.monotonic() + _PATIENCE_S
    while not is_met():
        assert time.monotonic() < deadline_s
        time.sleep(_PAUSE_S)

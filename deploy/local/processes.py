"""Starts the local cloud's processes on free loopback ports, waits for them and ends them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

LOOPBACK: Final = "127.0.0.1"
_PAUSE_S: Final = 0.1
_TERM_S: Final = 15.0
_LAST_LINES: Final = 15


class ServiceError(RuntimeError):
    """Raised with one sentence when a service is missing, does not start, or ends early."""


def free_port() -> int:
    """Returns a free port of the loopback interface."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def answers(port: int, host: str = LOOPBACK) -> bool:
    """Tells whether something listens on the port."""
    with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=1):
        return True
    return False


@contextlib.contextmanager
def alone(target: Path) -> Iterator[None]:
    """Locks a target, so that one process makes it. Others wait, and then find the target made."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.with_name(f"{target.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class Process:
    """A process that has its own process group and writes its output to a file.

    As a context manager it ends the process when the block ends.

    Args:
      name: the name of the process in messages.
      command: program and arguments.
      log: file to which the process's output is appended.
      environment: variables in addition to those of the calling process.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        log: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the process still runs."""
        return self._process.poll() is None

    def wait_until(self, is_ready: Callable[[], bool], timeout_s: float) -> None:
        """Waits until the process is ready.

        Raises:
          ServiceError: if the process ends, or is not ready in time.
        """
        deadline_s = time.monotonic() + timeout_s
        while not is_ready():
            if not self.is_running:
                raise ServiceError(
                    f"{self.name} ended before it was ready; see {self.log}: {self.last_words()}"
                )
            if time.monotonic() > deadline_s:
                raise ServiceError(
                    f"{self.name} is not ready after {timeout_s:.0f} s; see {self.log}"
                )
            time.sleep(_PAUSE_S)

    def last_words(self) -> str:
        """Returns the last lines of the process's output."""
        lines = self.log.read_text("utf-8", "replace").splitlines()
        return " | ".join(lines[-_LAST_LINES:])

    def stop(self) -> None:
        """Ends the process and its children, with SIGTERM and after 15 s with SIGKILL."""
        self._signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_TERM_S)
        self.kill()

    def kill(self) -> None:
        """Ends the process and its children with SIGKILL, to simulate a crash."""
        self._signal(signal.SIGKILL)
        self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

"""A BigQuery emulator (local-bigquery, on DuckDB) in its own Python environment.

PyPI has two BigQuery emulators. Like BigQuery, this one refuses single rows and ignores repeated
inserts. It has its own environment because it needs Python 3.13 and libraries that Undertone does
not use.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from deploy.local.packages import InstallError, make_environment
from deploy.local.processes import LOOPBACK, Process, ServiceError, alone, free_port

_LOCK: Final = Path(__file__).with_name("requirements.lock")
_DATA: Final = "bigquery"
_START_S: Final = 60.0
_PYTHONS: Final = ("python3.14", "python3.13")
_EXTENSIONS: Final = ("icu", "json", "ducklake", "spatial")
_IMPORT_EXTENSIONS: Final = (
    f"from duckdb_extensions import import_extension as add\nfor name in {_EXTENSIONS!r}: add(name)"
)


class BigQueryEmulator:
    """A running emulator, which can be killed and then restarted with the same data."""

    def __init__(self, environment: Path, folder: Path, project: str) -> None:
        self.port = free_port()
        self.url = f"http://{LOOPBACK}:{self.port}"
        self._folder = folder
        self._project = project
        self._command: list[str | Path] = [
            environment / "bin" / "local-bigquery",
            "--host", LOOPBACK, "--port", str(self.port), "--grpc-port", str(free_port()),
            "--data-dir", folder / _DATA, "--project", project,
        ]  # fmt: skip
        self._environment = {"HOME": str(environment / "home")}
        self.process = self._started()

    def start_again(self) -> None:
        """Restarts a killed emulator on the same port."""
        self.process = self._started()

    def _started(self) -> Process:
        process = Process(
            "the BigQuery emulator", self._command, self._folder / "bigquery.log", self._environment
        )
        try:
            process.wait_until(self._is_ready, _START_S)
        except BaseException:
            process.kill()
            raise
        return process

    def _is_ready(self) -> bool:
        # The port opens and answers 400 even if the engine behind it is broken.
        try:
            with urllib.request.urlopen(
                f"{self.url}/bigquery/v2/projects/{self._project}/datasets", timeout=5
            ) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


@contextmanager
def bigquery_emulator(folder: Path, project: str) -> Iterator[BigQueryEmulator]:
    """Runs an empty emulator, and keeps the emulator's data and log in the folder."""
    # Rows of an earlier run would be compared with, and published with, the rows of this one.
    shutil.rmtree(folder / _DATA, ignore_errors=True)
    emulator = BigQueryEmulator(installed(), folder, project)
    try:
        yield emulator
    finally:
        emulator.process.stop()


def installed() -> Path:
    """Returns the emulator's environment; creates it if it is missing or the lock has changed.

    Raises:
      ServiceError: if Python 3.13 or the network is missing.
      InstallError: if a package cannot be installed.
    """
    environment = Path(__file__).parents[2] / ".venv-bigquery"
    with alone(environment):
        return _installed(environment)


def _installed(environment: Path) -> Path:
    stamp = environment / ".ready"
    wanted = hashlib.sha256(_LOCK.read_bytes()).hexdigest()
    if stamp.is_file() and stamp.read_text() == wanted:
        return environment
    python = _python()
    shutil.rmtree(environment, ignore_errors=True)
    make_environment(environment, _LOCK, "the BigQuery emulator", python)
    home = environment / "home"
    home.mkdir()
    _import_extensions(environment / "bin" / "python", home)
    stamp.write_text(wanted)
    return environment


def _python() -> str:
    named = [os.environ.get("UNDERTONE_PYTHON_313", ""), *_PYTHONS]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    named += [str(path) for path in sorted(pyenv.glob("3.1[34].*/bin/python3"), reverse=True)]
    if sys.version_info >= (3, 13):
        named.insert(0, sys.executable)
    for name in filter(None, named):
        path = shutil.which(name)
        # A program on the PATH may be a shim for a Python that is not installed.
        if path and subprocess.run([path, "--version"], capture_output=True).returncode == 0:  # noqa: PLW1510
            return path
    raise ServiceError(
        "the BigQuery emulator needs Python 3.13 or newer, and none was found; install it, or set "
        "UNDERTONE_PYTHON_313 to its path"
    )


def _import_extensions(python: Path, home: Path) -> None:
    done = subprocess.run(
        [str(python), "-c", _IMPORT_EXTENSIONS],
        env={**os.environ, "HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = " ".join(done.stderr.strip().splitlines()[-1:])
        raise InstallError(f"the BigQuery emulator's extensions can't be installed: {last}")

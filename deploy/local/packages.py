"""Creates environments from a lock. pip installs exactly the lock's pins, resolving nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from deploy.local.processes import ServiceError

FROM_LOCK: Final = ("--no-deps", "--require-hashes")
"""Flags to install a complete lock: pip installs exactly the pins, and ignores later releases."""

_NO_NETWORK: Final = (
    "NewConnectionError",
    "ConnectTimeoutError",
    "NameResolutionError",
    "Temporary failure in name resolution",
    "Network is unreachable",
)
"""Texts that pip prints when it cannot reach its package index."""


class InstallError(ServiceError):
    """Raised with one sentence if packages cannot be installed although the network works."""


def install_error(what: str, printed: str) -> ServiceError:
    """Returns a `ServiceError` if pip failed for lack of a network, else an `InstallError`.

    Args:
      what: name of the thing to install.
      printed: everything that pip printed.
    """
    last = " ".join(printed.strip().splitlines()[-1:])
    if any(sign in printed for sign in _NO_NETWORK):
        return ServiceError(f"{what} can't be installed without a network: {last}")
    return InstallError(f"{what} can't be installed: {last}")


def make_environment(folder: Path, lock: Path, what: str, python: str = sys.executable) -> None:
    """Creates a virtual environment that has exactly the packages of a lock.

    Raises:
      ServiceError: if the network is missing.
      InstallError: if the lock cannot be installed, or is not complete.
    """
    subprocess.run([python, "-m", "venv", folder], check=True)
    pip: list[str | Path] = [folder / "bin" / "python", "-m", "pip", "--disable-pip-version-check"]
    run_pip([*pip, "install", "--quiet", *FROM_LOCK, "--requirement", lock], what)
    run_pip([*pip, "check"], what)


def run_pip(command: Sequence[str | Path], what: str) -> None:
    """Runs a pip command.

    Raises:
      ServiceError: if the network is missing.
      InstallError: if the command fails for another reason.
    """
    words = [str(word) for word in command]
    # With a PYTHONPATH, pip would see packages of another environment.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    ran = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise install_error(what, ran.stdout + ran.stderr)

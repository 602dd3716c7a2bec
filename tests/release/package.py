"""The package as it is released: a source distribution, and a Python that has no more of us."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import Final

from deploy.local.processes import ServiceError

ROOT: Final = Path(__file__).parents[2]

PACKAGES: Final = ("schemas", "transforms", "pipelines")
_FILES: Final = ("setup.py", "pyproject.toml", "README.md", "LICENSE")
_BUILD_S: Final = 120
INSTALL_S: Final = 900


def build_sdist(folder: Path) -> Path:
    """Builds the source distribution from a copy of the sources alone; returns its file.

    A copy, because setuptools also packs what an earlier build listed beside the sources.
    """
    source = folder / "source"
    source.mkdir(parents=True)
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package, source / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    for file in _FILES:
        shutil.copy2(ROOT / file, source)
    command = [sys.executable, "setup.py", "--quiet", "sdist", "--dist-dir", str(folder)]
    _run(command, source, _BUILD_S)
    (sdist,) = folder.glob("*.tar.gz")
    return sdist


def install(sdist: Path, folder: Path) -> Path:
    """Installs a source distribution, at the locked versions, where nothing is; returns the Python.

    Raises:
      ServiceError: pip could not; the sentence ends with what it said last.
    """
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    constraints = folder / "constraints.txt"
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    # A constraint with hashes would ask for one of the distribution itself, too.
    constraints.write_text("\n".join(re.findall(r"^[\w.-]+==[^\\\n]+", lock, re.M)), "utf-8")
    command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
               "--constraint", constraints, sdist]  # fmt: skip
    _run([str(part) for part in command], folder, INSTALL_S)
    return python


def _run(command: list[str], folder: Path, timeout_s: float) -> None:
    ran = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=timeout_s, check=False
    )
    if ran.returncode:
        last = ran.stderr.strip().rpartition("\n")[2]
        raise ServiceError(f"{' '.join(command)} failed with {ran.returncode}: {last}")

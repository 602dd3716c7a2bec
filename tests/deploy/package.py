"""Builds the package for release: a source distribution that has only the sources."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from deploy.local.packages import install_error

ROOT: Final = Path(__file__).parents[2]

PACKAGES: Final = ("schemas", "transforms", "pipelines")
_FILES: Final = ("setup.py", "pyproject.toml", "README.md", "LICENSE")
_BUILD_S: Final = 120


def build_sdist(folder: Path) -> Path:
    """Builds the source distribution from a copy of only the sources, and returns its file.

    In the original folder, setuptools would also pack files that an earlier build had listed.
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


def _run(command: list[str], folder: Path, timeout_s: float) -> None:
    ran = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=timeout_s, check=False
    )
    if ran.returncode:
        raise install_error(" ".join(command), ran.stderr)

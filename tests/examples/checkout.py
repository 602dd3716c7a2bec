"""A copy of the sources that a test may change, and a contributor's commands in that copy."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import duckdb

RUN_FLAGS: Final = ("--direct_num_workers=1", "--classifier=default")
"""Flags for runs that are the same on every machine."""

MAX_NOISE: Final = 5
"""The most that the default policy changes a number of conversations."""

_ROOT: Final = Path(__file__).parents[2]
_COPIED: Final = ("schemas", "transforms", "pipelines", "deploy", "docs")
_FILES: Final = (
    "Makefile",
    "setup.py",
    "pyproject.toml",
    "requirements.lock",
    "requirements-dev.lock",
)
_TIMEOUT_S: Final = 240


@dataclass(frozen=True)
class Checkout:
    """A copy of the sources in a separate folder."""

    folder: Path

    @classmethod
    def copied_to(cls, folder: Path) -> Checkout:
        """Copies the sources, but not the files that were built from the sources."""
        unwanted = shutil.ignore_patterns("__pycache__", "node_modules", "*.egg-info")
        for name in _COPIED:
            shutil.copytree(_ROOT / name, folder / name, ignore=unwanted)
        for name in _FILES:
            shutil.copy2(_ROOT / name, folder / name)
        return cls(folder)

    def edit(self, file: str, before: str, after: str) -> None:
        """Replaces a text that must occur exactly once in a file."""
        path = self.folder / file
        text = path.read_text("utf-8")
        assert text.count(before) == 1, (
            f"{file} has {before!r} {text.count(before)} times, not once; adapt the example"
        )
        path.write_text(text.replace(before, after), "utf-8")

    def generate(self) -> None:
        """Runs `make generate` with this environment's Python, without installing anything."""
        ready = (".venv/.ready", ".venv/.ready-dev")
        binaries = Path(sys.executable).parent
        self._run("make", *(f"--old-file={file}" for file in ready), f"BIN={binaries}", "generate")

    def undertone(self, *arguments: str) -> str:
        """Runs an `undertone` command of the copy and returns what the command prints."""
        return self._run(sys.executable, "-m", "pipelines.commands.main", *arguments)

    def query(self, run: str, sql: str) -> list[tuple[Any, ...]]:
        """Runs a query on the database of the run in this folder."""
        with duckdb.connect(
            str(self.folder / run / "undertone.duckdb"), read_only=True
        ) as database:
            rows: list[tuple[Any, ...]] = database.execute(sql).fetchall()
        return rows

    def _run(self, *command: str) -> str:
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "MAKE"))}
        ran = subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True,
            timeout=_TIMEOUT_S, check=False,
        )  # fmt: skip
        assert ran.returncode == 0, (ran.stdout + ran.stderr)[-3000:]
        return ran.stdout

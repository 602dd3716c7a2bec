"""Reads a Dockerfile, and runs our own build steps in it without Docker."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local.packages import install_error


@dataclass(frozen=True)
class Step:
    """One instruction of a stage: its name, its words without flags, and its flags."""

    name: str
    words: tuple[str, ...]
    flags: dict[str, str]


@dataclass
class Stage:
    """One stage: the image or stage that it starts from, and its steps."""

    base: str
    steps: list[Step] = field(default_factory=list)

    def steps_named(self, name: str) -> list[Step]:
        """Returns the steps of one instruction, e.g. COPY."""
        return [step for step in self.steps if step.name == name]


def stages_of(text: str) -> dict[str, Stage]:
    """Returns a Dockerfile's stages by name; a stage without a name is `final`."""
    stages: dict[str, Stage] = {}
    named = "final"
    for step in _steps(text):
        if step.name == "FROM":
            named = step.words[2] if len(step.words) > 2 else "final"
            stages[named] = Stage(step.words[0])
        elif stages:
            stages[named].steps.append(step)
    return stages


def arguments_of(text: str) -> dict[str, str]:
    """Returns the default value of each ARG in a Dockerfile."""
    return dict(re.findall(r"^ARG (\w+)=(\S+)$", text, re.MULTILINE))


class Build:
    """Builds an image's files in a folder instead of `/`, with a virtual environment as its Python.

    Args:
      context: folder that the image is built from.
      root: folder that stands for `/`.
      environment: virtual environment that stands for the base image's Python.
    """

    def __init__(self, context: Path, root: Path, environment: Path) -> None:
        self.context = context
        self.root = root
        self.environment = environment
        self._folder = root

    @property
    def python(self) -> Path:
        """The image's Python."""
        return self.environment / "bin" / "python"

    def follow(self, steps: Iterable[Step]) -> None:
        """Follows WORKDIR, RUN, and each COPY from the context; skips all other steps."""
        for step in steps:
            if step.name == "WORKDIR":
                self._folder = self._inside(step.words[0])
                self._folder.mkdir(parents=True, exist_ok=True)
            elif step.name == "COPY" and "from" not in step.flags:
                self._copy(step)
            elif step.name == "RUN":
                self._run(step)

    def _copy(self, step: Step) -> None:
        *sources, target = step.words
        into = self._inside(target)
        for source in (self.context / name for name in sources):
            if source.is_dir():
                shutil.copytree(source, into, ignore=shutil.ignore_patterns("__pycache__"))
                continue
            file = into / source.name if target.endswith("/") else into
            file.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, file)

    def _run(self, step: Step) -> None:
        # The image has no cache, to be smaller; here a cache saves time.
        words = [word for word in step.words if word != "--no-cache-dir"]
        moved = [f"{self.root}{word}" if word.startswith("/") else word for word in words]
        command = " ".join(word if "*" in word else shlex.quote(word) for word in moved)
        path = f"{self.environment / 'bin'}{os.pathsep}{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        environment.pop("PYTHONPATH", None)
        done = subprocess.run(
            command, shell=True, cwd=self._folder, env=environment,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise install_error(f"RUN {' '.join(step.words)}", done.stdout + done.stderr)

    def _inside(self, path: str) -> Path:
        return self.root / path.lstrip("/") if path.startswith("/") else self._folder / path


def _steps(text: str) -> Iterator[Step]:
    for line in text.splitlines():
        name, _, rest = line.partition(" ")
        if not name.isupper():
            continue
        words = shlex.split(rest)
        flags = (
            [word for word in words if word.startswith("--")] if name in ("COPY", "FROM") else []
        )
        given = dict(flag.removeprefix("--").split("=", 1) for flag in flags)
        yield Step(name, tuple(word for word in words if word not in flags), given)

"""Builds Flink and Beam's Flink runner as one jar, with Maven."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

from deploy.local.processes import ServiceError, alone

_POM: Final = Path(__file__).with_name("flink_jar") / "pom.xml"


def jar() -> Path:
    """Returns the jar of Flink and Beam's runner; builds the jar if it is missing or outdated.

    Raises:
      ServiceError: if Java or Maven is missing, or Maven can't build the jar.
    """
    for program, what in (("java", "Java 17"), ("mvn", "Apache Maven")):
        if shutil.which(program) is None:
            raise ServiceError(
                f"the local Flink cluster needs {what}, and {program} is not installed; install it"
            )
    version = hashlib.sha256(_POM.read_bytes()).hexdigest()[:12]
    folder = Path(__file__).parents[2] / ".flink" / version
    built = folder / "undertone-flink.jar"
    with alone(folder):
        _build(folder, built)
    return built


def _build(folder: Path, built: Path) -> None:
    if not built.is_file():
        shutil.rmtree(folder, ignore_errors=True)
        command = ["mvn", "-B", "-q", "-f", str(_POM), f"-Dtarget={folder}.part", "package"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            last = [line for line in done.stdout.splitlines() if "ERROR" in line][:1]
            raise ServiceError(
                f"Maven can't build the Flink jar from {_POM}: "
                f"{' '.join(last) or 'it printed no error'}"
            )
        os.rename(f"{folder}.part", folder)

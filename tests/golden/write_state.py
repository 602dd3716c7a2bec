"""Writes the golden files of state: `python -m tests.golden.write_state [--replace]`.

A file that is there is what some running job may have in its state, so it is not replaced unless
told to. After a change of layout raise the version in `states.LAYOUTS` instead, and keep the file.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.golden.states import FOLDER, GOLDEN


def write(folder: Path, *, replace: bool) -> None:
    """Writes what is missing, and what differs if it may be replaced.

    Raises:
      SystemExit: something may not be replaced; then nothing is written.
    """
    fresh = {golden.file_name: golden.coder.encode(golden.value) for golden in GOLDEN}
    differing = [
        name
        for name, encoded in fresh.items()
        if (folder / name).exists() and (folder / name).read_bytes() != encoded
    ]
    if differing and not replace:
        raise SystemExit(
            f"{', '.join(differing)} would change, and a job may hold the old bytes in its state; "
            "raise the version in tests/golden/states.py, or, where no job does, give --replace"
        )
    folder.mkdir(exist_ok=True)
    for name, encoded in fresh.items():
        (folder / name).write_bytes(encoded)


def main(argv: Sequence[str]) -> None:
    """Writes the files of this repository."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--replace", action="store_true", help="replace files that differ")
    write(FOLDER, replace=parser.parse_args(argv).replace)


if __name__ == "__main__":
    main(sys.argv[1:])

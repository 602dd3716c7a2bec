"""Writes the golden files of state: `python -m tests.golden.write_state [--replace]`.

A running job may have the bytes of an existing file in its state, so only `--replace` overwrites
the file. After a change of layout, raise the version in `states.LAYOUTS` instead, and keep the old
file.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.golden.states import FOLDER, GOLDEN


def write(folder: Path, *, replace: bool) -> None:
    """Writes the golden files that are missing; `replace` also overwrites files that differ.

    Raises:
      SystemExit: if a file differs and `replace` is not set; then nothing is written.
    """
    fresh = {golden.file_name: golden.coder.encode(golden.value) for golden in GOLDEN}
    differing = [
        name
        for name, encoded in fresh.items()
        if (folder / name).exists() and (folder / name).read_bytes() != encoded
    ]
    if differing and not replace:
        raise SystemExit(
            f"{', '.join(differing)} would change, but a job may have the old bytes in its state; "
            "raise the version in tests/golden/states.py, or give --replace if no job has them"
        )
    folder.mkdir(exist_ok=True)
    for name, encoded in fresh.items():
        (folder / name).write_bytes(encoded)


def main(argv: Sequence[str]) -> None:
    """Writes the golden files of this repository."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--replace", action="store_true", help="replace files that differ")
    write(FOLDER, replace=parser.parse_args(argv).replace)


if __name__ == "__main__":
    main(sys.argv[1:])

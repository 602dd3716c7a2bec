"""The file that Dataflow's launcher runs: it starts one of the four programs.

The launcher can start only one file of an image, and one image serves all templates. Three flags
tell them apart: only the stream's template has `--subscription`, and only the judging job's has
`--judge`; of the other two, only the backfill's has `--input`. Each requires its flag.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from pipelines import backfill, judge, publish, stream


def main_of(argv: Sequence[str]) -> Callable[[], int]:
    """Returns the main function whose own flag is among the flags, else the publisher's."""
    named = {flag.split("=")[0] for flag in argv}
    if "--subscription" in named:
        return stream.main
    if "--judge" in named:
        return judge.main
    return backfill.main if "--input" in named else publish.main


if __name__ == "__main__":
    sys.exit(main_of(sys.argv[1:])())

"""What Dataflow's launcher runs: the main whose template was launched.

The launcher starts one file an image, and one image serves both templates. A subscription tells
them apart: the stream's template requires it, the backfill's has none.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from pipelines import backfill, stream


def main_of(argv: Sequence[str]) -> Callable[[], int]:
    """Returns the main that these flags are for."""
    is_stream = any(flag.split("=")[0] == "--subscription" for flag in argv)
    return stream.main if is_stream else backfill.main


if __name__ == "__main__":
    sys.exit(main_of(sys.argv[1:])())

"""The file that Dataflow's launcher runs: it starts the stream or the backfill.

The launcher can start only one file of an image, and one image serves both templates. The flag
`--subscription` tells them apart: the stream's template requires it, and the backfill's template
does not have it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from pipelines import backfill, stream


def main_of(argv: Sequence[str]) -> Callable[[], int]:
    """Returns the stream's main function if the flags name a subscription, else the backfill's."""
    is_stream = any(flag.split("=")[0] == "--subscription" for flag in argv)
    return stream.main if is_stream else backfill.main


if __name__ == "__main__":
    sys.exit(main_of(sys.argv[1:])())

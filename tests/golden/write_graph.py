"""Writes the golden graphs: `python -m tests.golden.write_graph [--release]`.

With `--release` the program freezes the stream's graph for the version in `setup.py`. Later
versions must be able to take over a job that runs this graph.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from tests.golden.graphs import FOLDER, GRAPHS, text_of
from tests.golden.update_rules import STREAM, freeze, version_of


def main(argv: Sequence[str]) -> None:
    """Writes the graphs of stream and backfill, or freezes the stream's graph."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--release", action="store_true", help="freeze the graph of a release")
    if parser.parse_args(argv).release:
        freeze(GRAPHS[STREAM](), version_of())
        return
    for name, graph in GRAPHS.items():
        (FOLDER / name).write_text(text_of(graph()), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])

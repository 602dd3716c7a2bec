"""Writes the golden graphs: `python -m tests.golden.write_graph`."""

from __future__ import annotations

from tests.golden.graphs import FOLDER, GRAPHS, text_of


def main() -> None:
    """Writes both."""
    for name, graph in GRAPHS.items():
        (FOLDER / name).write_text(text_of(graph()), encoding="utf-8")


if __name__ == "__main__":
    main()

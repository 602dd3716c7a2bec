"""Checks Dataflow's rules for updating a job of the last release to a new graph.

The golden test fails on any change of the graph. These rules fail only if Dataflow would refuse the
update, or would accept it and lose state or data of the job. The graphs of releases are frozen in
`releases/<version>/`. Source: Dataflow's guide "Update an existing pipeline", under "Job
compatibility check".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from tests.golden.graphs import FOLDER, Graph, text_of

ROOT: Final = FOLDER.parents[1]
RELEASES: Final = FOLDER / "releases"
STREAM: Final = "graph_stream.json"
"""The graph that is frozen. The backfill's is not, because a backfill is never updated."""

MAPPING: Final = ROOT / "deploy" / "transform_name_mapping.json"
"""The old and new labels that an update passes as `--transform_name_mapping`."""

_SOURCES: Final = ("beam:transform:pubsub_read:v1",)
_KEPT: Final = {
    "input": "its waiting input",
    "accumulator": "its sums",
    "states": "its state",
    "timers": "its timers",
}
"""The kinds of data that a running job keeps for a step, by their name in the graph."""

_ADVICE: Final = "see 'Changing the graph' in deploy/runbook.md"


def refusal(release: Graph, graph: Graph, mapping: Mapping[str, str], most: int = 5) -> str | None:
    """Returns a sentence that names what an update breaks, or None if the update breaks nothing.

    Args:
      release: the graph of the running job.
      graph: the graph that is to replace it.
      mapping: the new label of each renamed step, by its old label.
      most: how many breaks the sentence names at most.
    """
    breaks = [*_misnamed(release, graph, mapping), *_lost(release, graph, mapping)]
    if not breaks:
        return None
    more = f"; and {len(breaks) - most} more" if len(breaks) > most else ""
    return f"a running job can't be updated: {'; '.join(breaks[:most])}{more}; {_ADVICE}"


def read_mapping(path: Path = MAPPING) -> Mapping[str, str]:
    """Returns the old and new labels that the next update passes to Dataflow."""
    mapping: Mapping[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return mapping


def last_release(folder: Path = RELEASES) -> Path | None:
    """Returns the folder of the newest release, or None before the first release."""
    return max(folder.glob("*.*.*"), key=lambda release: _numbers(release.name), default=None)


def version_of(setup: Path = ROOT / "setup.py") -> str:
    """Returns the version in `setup.py`."""
    (version,) = re.findall(r'^    version="(\d+\.\d+\.\d+)",$', setup.read_text("utf-8"), re.M)
    return str(version)


def freeze(graph: Graph, version: str, folder: Path = RELEASES) -> Path:
    """Writes a graph as the graph of a release, and returns the file.

    Raises:
      SystemExit: if the version is already frozen with another graph.
    """
    file = folder / version / STREAM
    text = text_of(graph)
    if file.exists() and file.read_text(encoding="utf-8") != text:
        raise SystemExit(
            f"{version} was released with another graph, and a job may be running it; raise the "
            "version in setup.py"
        )
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def _misnamed(release: Graph, graph: Graph, mapping: Mapping[str, str]) -> Iterator[str]:
    """Yields each entry of a mapping that names a missing step."""
    for old, new in mapping.items():
        if old not in release:
            yield f"the mapping renames {old}, which is not in the release"
        if new and new not in graph:
            yield f"the mapping renames {old} to {new}, which is not in the new graph"


def _lost(release: Graph, graph: Graph, mapping: Mapping[str, str]) -> Iterator[str]:
    """Yields the state and sources of the running job that the new graph would not take over."""
    for old, was in release.items():
        new = mapping.get(old, old)
        if new in graph:
            yield from _changed(old, was, graph[new])
        elif kept := _kept(was):
            yield f"{old} is gone, and with it {kept}"


def _kept(step: Mapping[str, Any]) -> str:
    if step["urn"] in _SOURCES:
        return "its place in the source"
    return " and ".join(words for what, words in _KEPT.items() if what in step)


def _changed(label: str, was: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """Yields each change that would make a step misread the data kept from the running job."""
    if _kept(was) and was["urn"] != now["urn"]:
        yield f"{label} was {was['urn']}, now {now['urn']}"
    for what in ("input", "accumulator"):
        if what in was and was[what] != now.get(what):
            yield f"{label} had {what} {was[what]}, now {now.get(what)}"
    for what in ("states", "timers"):
        specs = now.get(what, {})
        for name, spec in was.get(what, {}).items():
            if specs.get(name) != spec:
                yield f"{label} had {name!r} among its {what}: {spec}, now {specs.get(name)}"
    # Dataflow refuses changed side inputs even if a step keeps nothing.
    if was.get("sides") != now.get("sides"):
        yield f"{label} had side inputs {was.get('sides')}, now {now.get('sides')}"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in version.split("."))

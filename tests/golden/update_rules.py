"""What Dataflow asks of a graph that replaces the last release's in a running job.

The golden test fails on any change; this fails only where Dataflow would refuse the update, or
take it and lose what the job keeps. Source: Dataflow's guide "Update an existing pipeline", under
"Job compatibility check". The graphs of releases are frozen in `releases/<version>/`.
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
"""The graph that is frozen: a backfill ends, so it is never updated."""

MAPPING: Final = ROOT / "deploy" / "transform_name_mapping.json"
"""The old and new labels that an update passes as `--transform_name_mapping`."""

_SOURCES: Final = ("beam:transform:pubsub_read:v1",)
_KEPT: Final = {
    "input": "what waits before it",
    "accumulator": "its sums",
    "states": "its state",
    "timers": "its timers",
}
"""What a running job keeps for a step, by how the graph says it."""

_ADVICE: Final = "see deploy/runbook.md 'Changing the graph'"


def refusal(release: Graph, graph: Graph, mapping: Mapping[str, str], most: int = 5) -> str | None:
    """Returns one sentence that names what an update would break, or None if it breaks nothing.

    Args:
      release: the graph that runs.
      graph: the graph that is to replace it.
      mapping: new labels by old, of the steps that were renamed.
      most: how many of the breaks are named.
    """
    breaks = [*_misnamed(release, graph, mapping), *_lost(release, graph, mapping)]
    if not breaks:
        return None
    more = f"; and {len(breaks) - most} more" if len(breaks) > most else ""
    return f"a running job can't be updated: {'; '.join(breaks[:most])}{more}; {_ADVICE}"


def read_mapping(path: Path = MAPPING) -> Mapping[str, str]:
    """Returns the labels that the next update maps."""
    found: Mapping[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return found


def last_release(folder: Path = RELEASES) -> Path | None:
    """Returns the folder of the newest release, or None before the first."""
    return max(folder.glob("*.*.*"), key=lambda release: _numbers(release.name), default=None)


def version_of(setup: Path = ROOT / "setup.py") -> str:
    """Returns the version that `setup.py` names."""
    (version,) = re.findall(r'^    version="(\d+\.\d+\.\d+)",$', setup.read_text("utf-8"), re.M)
    return str(version)


def freeze(graph: Graph, version: str, folder: Path = RELEASES) -> Path:
    """Writes the graph as the one of a release; returns its file.

    Raises:
      SystemExit: that version is frozen with another graph.
    """
    file = folder / version / STREAM
    text = text_of(graph)
    if file.exists() and file.read_text(encoding="utf-8") != text:
        raise SystemExit(
            f"{version} is released with another graph, which a job may be running; raise the "
            "version in setup.py"
        )
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def _misnamed(release: Graph, graph: Graph, mapping: Mapping[str, str]) -> Iterator[str]:
    """Yields what of a mapping names steps that are not there."""
    for old, new in mapping.items():
        if old not in release:
            yield f"the mapping renames {old}, which the release has not"
        if new and new not in graph:
            yield f"the mapping renames {old} to {new}, which the graph has not"


def _lost(release: Graph, graph: Graph, mapping: Mapping[str, str]) -> Iterator[str]:
    """Yields what the running job keeps, or reads from, and the graph would not take over."""
    for old, was in release.items():
        new = mapping.get(old, old)
        if new in graph:
            yield from _changed(old, was, graph[new])
        elif kept := _kept(was):
            yield f"{old} is gone, and with it {kept}"


def _kept(said: Mapping[str, Any]) -> str:
    if said["urn"] in _SOURCES:
        return "its place in the source"
    return " and ".join(words for what, words in _KEPT.items() if what in said)


def _changed(label: str, was: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """Yields how a step would read what is kept for it in another way than it was written."""
    if _kept(was) and was["urn"] != now["urn"]:
        yield f"{label} was {was['urn']}, now {now['urn']}"
    for what in ("input", "accumulator"):
        if what in was and was[what] != now.get(what):
            yield f"{label} had {what} {was[what]}, now {now.get(what)}"
    for what in ("states", "timers"):
        specs = now.get(what, {})
        for name, spec in was.get(what, {}).items():
            if specs.get(name) != spec:
                yield f"{label} had among its {what} {name}: {spec}, now {specs.get(name)}"
    # Dataflow refuses another set of side inputs even where a step keeps nothing.
    if was.get("sides") != now.get("sides"):
        yield f"{label} had side inputs {was.get('sides')}, now {now.get('sides')}"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in version.split("."))

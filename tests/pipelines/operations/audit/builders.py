"""Builds publications to attack: a sound one, and ways to break it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

from pipelines.operations.audit.evidence import Evidence, Row, Version
from schemas.published import AGGREGATES
from schemas.table import instant
from tests.published_timelines import Timeline, timeline, version_of
from transforms.counting.cells import BREAKDOWN_NAMES, Sums
from transforms.counting.places import Place
from transforms.facets.registry import SLICES

BUSY_SEED = 2
"""A timeline with some thousand conversations."""


@cache
def busy() -> Timeline:
    """Returns a busy day that was published once."""
    return timeline(BUSY_SEED, corrections=0)


def sound() -> Evidence:
    """Returns what an audit reads of the busy day."""
    return busy().evidence()


def day() -> Version:
    """Returns the publication of the busy day itself."""
    return next(version_of(p) for p in busy().versions if p.window.kind == "day")


def only(*versions: Version) -> Evidence:
    """Returns evidence of these versions and the truth of the busy day."""
    return replace(sound(), versions=versions)


def changed(
    version: Version, change: Callable[[Place, int, int, Sums], int | None], **other: Any
) -> Version:
    """Returns a version with other numbers; None removes a cell."""
    numbers: dict[Place, dict[int, int]] = {}
    for place, index, number in version.cells():
        sums = version.true_sums(place, index)
        assert sums is not None
        new = change(place, index, number, sums)
        if new is not None:
            numbers.setdefault(place, {})[index] = new
    return replace(version, numbers=numbers, **other)


def exact(_place: Place, _index: int, _number: int, sums: Sums) -> int:
    """Returns the true number of conversations, for `changed`."""
    return sums.conversations


def aggregates(version: Version) -> list[dict[str, Any]]:
    """Returns a version as rows of the table aggregates, as a query gives them."""
    window = version.window
    return [
        dict(
            zip(
                (column.name for column in AGGREGATES.columns),
                (version.publication, version.attempt, window.kind, instant(window.start_us),
                 instant(window.end_us), BREAKDOWN_NAMES[place.breakdown], place.value,
                 *SLICES[index], number),
                strict=True,
            )
        )
        for place, index, number in version.cells()
    ]  # fmt: skip


def tables(**columns: Any) -> dict[str, list[Row]]:
    """Returns the published table of the busy day, with columns of its first row replaced."""
    rows: list[Row] = [*aggregates(day())]
    rows[0] = {**rows[0], **columns}
    return {"aggregates": rows}

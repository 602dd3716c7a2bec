"""The shapes that the templates draw, such as bars, columns and points, with their positions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Bar:
    """A bar with its end, interval and text. A part whose position is None is not drawn.

    A quiet bar is shown only for comparison. The note gives the raw share if the bar shows a
    corrected share; otherwise it says that the bar shows a raw share.
    """

    name: str
    text: str
    interval: str
    counts: str
    end: float | None
    low: float | None
    high: float | None
    is_quiet: bool
    note: str = ""


@dataclass(frozen=True)
class Tick:
    """A mark on a scale."""

    at: float
    text: str


@dataclass(frozen=True)
class Bars:
    """Bars that share a scale; `zero` is the position of zero on the scale."""

    bars: Sequence[Bar]
    ticks: Sequence[Tick]
    zero: float


@dataclass(frozen=True)
class Column:
    """A column: its left edge, width, height and text."""

    at: float
    width: float
    height: float | None
    text: str
    name: str
    is_quiet: bool


@dataclass(frozen=True)
class Columns:
    """Columns that share a scale; `marks` are drawn below the columns, and `ticks` beside them."""

    columns: Sequence[Column]
    ticks: Sequence[Tick]
    marks: Sequence[Tick]


@dataclass(frozen=True)
class Point:
    """A point on a line."""

    at: float
    height: float
    low: float
    high: float
    name: str


@dataclass(frozen=True)
class Series:
    """A line with its 95 % band and its scale. `runs` are the parts of the line between gaps."""

    runs: Sequence[Sequence[Point]]
    ticks: Sequence[Tick]
    marks: Sequence[Tick]
    is_corrected: bool

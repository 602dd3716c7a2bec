"""What a template needs to draw: bars, columns, points, and where they lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Bar:
    """A bar: where it ends, its interval, and the text beside it. A position of None is not drawn.

    The true length of an open bar may be more than is drawn. A quiet bar is only for comparison.
    The note gives the raw share of a corrected bar, or says that the bar shows a raw share.
    """

    name: str
    text: str
    interval: str
    counts: str
    end: float | None
    low: float | None
    high: float | None
    is_open: bool
    is_quiet: bool
    note: str = ""


@dataclass(frozen=True)
class Tick:
    """A mark of a scale."""

    at: float
    text: str


@dataclass(frozen=True)
class Bars:
    """Bars on one scale; `zero` is the position of its zero."""

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
    """Columns on one scale; `marks` are drawn below them, and `ticks` beside them."""

    columns: Sequence[Column]
    ticks: Sequence[Tick]
    marks: Sequence[Tick]


@dataclass(frozen=True)
class Point:
    """A point of a line."""

    at: float
    height: float
    low: float
    high: float
    name: str


@dataclass(frozen=True)
class Series:
    """A line with gaps, its 95 % band, and its scale. `runs` are the stretches between gaps."""

    runs: Sequence[Sequence[Point]]
    ticks: Sequence[Tick]
    marks: Sequence[Tick]
    is_corrected: bool


@dataclass(frozen=True)
class Pair:
    """A pair of the drift matrix."""

    count: str
    share: str
    title: str
    heat: int
    is_headline: bool


@dataclass(frozen=True)
class Grid:
    """The drift matrix, with a row per opening type."""

    columns: Sequence[tuple[str, str]]
    rows: Sequence[tuple[str, Sequence[Pair]]]

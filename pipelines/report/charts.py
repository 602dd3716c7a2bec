"""Turns figures into the positions and text from which the templates draw charts.

Positions are percentages of the drawing's width or height. So a drawing fits any screen, and its
text keeps its size.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from pipelines.report import wording
from pipelines.report.figures import Change, Day, Share
from pipelines.report.shapes import Bar, Bars, Column, Columns, Point, Series, Tick
from pipelines.report.wording import percent, percent_interval, points, points_interval, readable
from schemas.published import CORRECTED
from transforms.conversation.summary import LONG_OVER
from transforms.facets.facet import ALL

_TICKS: Final = 4
_DATES: Final = 7
_STEPS: Final = (1.0, 2.0, 2.5, 5.0, 10.0)
_HEADROOM: Final = 1.08
"""Top of a scale, as a multiple of the largest figure."""


def share_bars(shares: Iterable[Share], quiet: Collection[str] = ()) -> Bars:
    """Draws each share's best estimate as a bar that starts at zero."""
    shares = list(shares)
    scale = _Scale.to(max((s.high or s.best or 0 for s in shares), default=0))
    bars = [_share_bar(share, scale, share.name in quiet) for share in shares]
    return Bars(bars, scale.ticks(_write_share), 0)


def change_bars(changes: Iterable[Change]) -> Bars:
    """Draws mean changes as points around a zero in the middle."""
    changes = list(changes)
    reach = max((max(-(c.low or 0), c.high or 0) for c in changes), default=0)
    scale = _Scale.to(reach)

    def place(value: float | None) -> float | None:
        return None if value is None else 50 + scale.place(value) / 2

    bars = [
        Bar(
            name=readable(change.name),
            text=wording.mean(change),
            interval=points_interval(change),
            counts=f"{change.conversations:,} conversations" if change.conversations else "",
            end=place(change.mean),
            low=place(change.low),
            high=place(change.high),
            is_quiet=change.name == ALL,
        )
        for change in changes
    ]
    steps = scale.steps(2)
    marks = [-value for value in reversed(steps[1:])] + steps
    return Bars(bars, [Tick(50 + scale.place(value) / 2, points(value)) for value in marks], 50)


def length_columns(lengths: Sequence[Share]) -> Columns:
    """Draws the length bins as columns. Each bin's smallest length is written at its left edge."""
    width = 100 / max(len(lengths), 1)
    scale = _Scale.to(max((share.best or 0 for share in lengths), default=0))
    columns = [
        Column(
            at=index * width,
            width=width,
            height=None if share.best is None else scale.place(share.best),
            text="" if share.best is None else _brief(share.best),
            name=f"{share.name} human messages: {wording.estimate(share)}",
            is_quiet=_fewest(share.name) <= LONG_OVER,
        )
        for index, share in enumerate(lengths)
    ]
    marks = [Tick(index * width, str(_fewest(s.name))) for index, s in enumerate(lengths)]
    return Columns(columns, [], marks)


def count_columns(counts: Sequence[tuple[str, int | None]], marks: Sequence[Tick]) -> Columns:
    """Draws numbers of conversations as columns with labels."""
    width = 100 / max(len(counts), 1)
    scale = _Scale.to(max((n or 0 for _, n in counts), default=0))
    columns = [
        Column(
            at=index * width,
            width=width,
            height=None if n is None else scale.place(n),
            text="",
            name=f"{name}: {wording.count(n)}",
            is_quiet=True,
        )
        for index, (name, n) in enumerate(counts)
    ]
    return Columns(columns, scale.ticks(_write_count), marks)


def long_mark(lengths: Sequence[Share]) -> float:
    """Returns the position at which long conversations begin."""
    not_long = sum(_fewest(share.name) <= LONG_OVER for share in lengths)
    return not_long * 100 / max(len(lengths), 1)


def _fewest(length: str) -> int:
    return int(length.removesuffix("+").partition("-")[0])


def day_series(days: Sequence[Day]) -> Series:
    """Draws the best estimate of the share of affective conversations by day.

    A day whose method differs from that of most days is left out, so that the line does not mix raw
    and corrected shares.
    """
    methods = [day.affective.method for day in days if day.affective.method is not None]
    method = max(methods, key=methods.count, default=None)
    scale = _Scale.to(max((d.affective.high or d.affective.best or 0 for d in days), default=0))
    width = 100 / max(len(days), 1)
    runs: list[list[Point]] = [[]]
    for index, day in enumerate(days):
        share = day.affective
        if share.best is None or share.low is None or share.high is None or share.method != method:
            runs.append([])
            continue
        runs[-1].append(
            Point(
                at=(index + 0.5) * width,
                height=scale.place(share.best),
                low=scale.place(share.low),
                high=scale.place(share.high),
                name=f"{day.day:%Y-%m-%d}: {percent(share.best)} ({percent_interval(share)})",
            )
        )
    return Series(
        [run for run in runs if run],
        scale.ticks(_write_share),
        day_marks(days),
        method == CORRECTED,
    )


def day_marks(days: Sequence[Day]) -> list[Tick]:
    """Returns up to seven dates to draw below the days."""
    width = 100 / max(len(days), 1)
    every = max(1, math.ceil(len(days) / _DATES))
    return [
        Tick((index + 0.5) * width, f"{day.day.day} {day.day:%b}")
        for index, day in enumerate(days)
        if index % every == 0
    ]


@dataclass(frozen=True)
class _Scale:
    top: float

    @classmethod
    def to(cls, largest: float) -> _Scale:
        return cls(largest * _HEADROOM or 1.0)

    def place(self, value: float) -> float:
        return round(value / self.top * 100, 3)

    def steps(self, count: int = _TICKS) -> list[float]:
        """Returns zero and about `count` round values up to the top of the scale."""
        rough = self.top / count
        power = 10 ** math.floor(math.log10(rough))
        step = next(s * power for s in _STEPS if s * power >= rough * 0.999)
        return [n * step for n in range(int(self.top / step + 1e-9) + 1)]

    def ticks(self, write: Callable[[float], str]) -> list[Tick]:
        """Returns a tick for each step of the scale."""
        return [Tick(self.place(value), write(value)) for value in self.steps()]


def _write_share(value: float) -> str:
    return f"{value * 100:.4g}%"


def _write_count(value: float) -> str:
    return f"{value:,.4g}" if value < 1000 else f"{value:,.0f}"


def _share_bar(share: Share, scale: _Scale, is_quiet: bool) -> Bar:
    def place(value: float | None) -> float | None:
        return None if value is None else scale.place(value)

    return Bar(
        name=readable(share.name),
        text=wording.estimate(share),
        interval=percent_interval(share),
        counts=wording.counts(share),
        end=place(share.best),
        low=place(share.low),
        high=place(share.high),
        is_quiet=is_quiet,
        note=wording.beside(share),
    )


def _brief(share: float) -> str:
    value = share * 100
    return f"{value:.0f}%" if value >= 1 else f"{value:.1f}%" if value >= 0.1 else "<.1%"

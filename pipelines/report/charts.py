"""Turns figures into the positions and text from which the templates draw charts.

Positions are percentages of the drawing's width or height. So a drawing fits any screen, and its
text keeps its size.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from pipelines.report.figures import Change, Day, Share
from pipelines.report.shapes import Bar, Bars, Column, Columns, Point, Series, Tick
from pipelines.report.wording import Wording, percent_interval, points, points_interval, readable
from transforms.conversation.summary import LONG_OVER
from transforms.facets.facet import ALL

_TICKS: Final = 4
_DATES: Final = 7
_STEPS: Final = (1.0, 2.0, 2.5, 5.0, 10.0)
_HEADROOM: Final = 1.08
"""Top of a scale, as a multiple of the largest figure."""


def share_bars(shares: Iterable[Share], words: Wording, quiet: Collection[str] = ()) -> Bars:
    """Draws each share's best estimate as a bar that starts at zero."""
    shares = list(shares)
    scale = _Scale.to(max((_top(s.best) for s in shares), default=0))
    bars = [_share_bar(share, scale, words, share.name in quiet) for share in shares]
    return Bars(bars, scale.ticks(_write_share), 0)


def change_bars(changes: Iterable[Change], words: Wording) -> Bars:
    """Draws mean changes as points around a zero in the middle."""
    changes = list(changes)
    reach = max((max(-(c.low or 0), c.high or 0) for c in changes), default=0)
    scale = _Scale.to(reach)

    def place(value: float | None) -> float | None:
        return None if value is None else 50 + scale.place(value) / 2

    bars = [
        Bar(
            name=readable(change.name),
            text=words.mean(change),
            interval=points_interval(change),
            counts=f"{change.conversations:,} conversations" if change.conversations else "",
            end=place(change.mean),
            low=place(change.low),
            high=place(change.high),
            is_open=False,
            is_quiet=change.name == ALL,
        )
        for change in changes
    ]
    steps = scale.steps(2)
    marks = [-value for value in reversed(steps[1:])] + steps
    return Bars(bars, [Tick(50 + scale.place(value) / 2, points(value)) for value in marks], 50)


def length_columns(lengths: Sequence[Share], words: Wording) -> Columns:
    """Draws the length bins as columns. Each bin's smallest length is written at its left edge."""
    width = 100 / max(len(lengths), 1)
    scale = _Scale.to(max((share.share or 0 for share in lengths), default=0))
    columns = [
        Column(
            at=index * width,
            width=width,
            height=None if share.share is None else scale.place(share.share),
            text="" if share.share is None else _brief(share.share),
            name=f"{share.name} human messages: {words.share(share)}",
            is_quiet=_fewest(share.name) <= LONG_OVER,
        )
        for index, share in enumerate(lengths)
    ]
    marks = [Tick(index * width, str(_fewest(s.name))) for index, s in enumerate(lengths)]
    return Columns(columns, [], marks)


def count_columns(
    counts: Sequence[tuple[str, int | None]], words: Wording, marks: Sequence[Tick]
) -> Columns:
    """Draws numbers of conversations as columns with labels."""
    width = 100 / max(len(counts), 1)
    scale = _Scale.to(max((n or 0 for _, n in counts), default=0))
    columns = [
        Column(
            at=index * width,
            width=width,
            height=None if n is None else scale.place(n),
            text="",
            name=f"{name}: {words.count(n)}",
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


def day_series(days: Sequence[Day], words: Wording) -> Series:
    """Draws the share of affective conversations by day.

    The corrected shares are drawn if every day has one; otherwise the raw shares are drawn.
    """
    known = [day.affective for day in days if day.affective.share is not None]
    is_corrected = bool(known) and all(share.is_corrected for share in known)
    shares = [day.affective.best if is_corrected else day.affective for day in days]
    scale = _Scale.to(max((s.high or s.share or 0 for s in shares), default=0))
    width = 100 / max(len(days), 1)
    runs: list[list[Point]] = [[]]
    for index, (day, share) in enumerate(zip(days, shares, strict=True)):
        if share.share is None or share.low is None:
            runs.append([])
            continue
        runs[-1].append(
            Point(
                at=(index + 0.5) * width,
                height=scale.place(share.share),
                low=scale.place(share.low),
                high=scale.place(share.share if share.high is None else share.high),
                name=f"{day.day:%Y-%m-%d}: {words.share(share)} ({percent_interval(share)})",
            )
        )
    return Series(
        [run for run in runs if run], scale.ticks(_write_share), day_marks(days), is_corrected
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


def _top(share: Share) -> float:
    """Returns the largest value drawn for a share.

    For a lower bound, the upper end of the interval is not drawn.
    """
    high = None if share.is_lower_bound else share.high
    return high or share.share or 0


def _share_bar(share: Share, scale: _Scale, words: Wording, is_quiet: bool) -> Bar:
    best = share.best
    interval = None
    if best.low is not None and best.high is not None and not share.is_lower_bound:
        interval = scale.place(best.low), scale.place(best.high)
    return Bar(
        name=readable(share.name),
        text=words.share(best),
        interval=percent_interval(best) if interval else "",
        counts=words.counts(share),
        end=None if best.share is None else scale.place(best.share),
        low=interval[0] if interval else None,
        high=interval[1] if interval else None,
        is_open=share.is_lower_bound,
        is_quiet=is_quiet,
        note=words.beside(share),
    )


def _brief(share: float) -> str:
    value = share * 100
    return f"{value:.0f}%" if value >= 1 else f"{value:.1f}%" if value >= 0.1 else "<.1%"

"""Estimates a window's shares and means from its published counts and its judged sample.

All places of the window have the same columns. A place uses the judged conversations that began in
the window and have its value. A day may also use those of the days before it; see `pooling`.

The judge's labels of single people must not show. In a small window every conversation may be
judged, and then only noise hides their number. So every judged number gets noise in the same way as
a count: its key is the sum of the keys of the conversations that it is made from. The intervals
include this noise. They use no exact number of conversations with a label, because their width
would tell it.

Shares and means are rounded to what one conversation of the published whole can change. Unrounded,
their fractions would tell exact denominators and single weights, and noise would not change these.

The parts of a partition, such as the uses, are divided by their sum, so that they add up to 1.

This module does not use Beam.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from transforms.counting.cells import DAY_US, day_of
from transforms.counting.places import Place
from transforms.counting.windows import DAY, Window
from transforms.estimation.difference.equation import Known
from transforms.estimation.difference.judge_errors import JudgeErrors
from transforms.estimation.difference.limits import Judged
from transforms.estimation.difference.moments import (
    PART,
    SAID_PART,
    SAID_WHOLE,
    WHOLE,
    Moments,
    Sample,
    moments_of,
)
from transforms.estimation.grid import Grid
from transforms.estimation.judged import mean_from, share_from
from transforms.estimation.pooling import Day, pool_shares
from transforms.estimation.proportions import Floats, Interval
from transforms.estimation.shares import EVERYTHING, PARTITIONS, SHARES
from transforms.facets.facet import Correction
from transforms.facets.registry import INDEX, SLICES, SUMMING_CHANGE
from transforms.judging.conversations import (
    CHANGE_UNITS_PER_POINT,
    MIN_JUDGED,
    JudgedConversation,
)
from transforms.publishing.noise import Purpose, noise, variance_of_sum

POOLED_DAYS: Final = 6
"""How many days before a day lend it their judgements, so that each day is served by a week."""

MIN_CHECKED: Final = 30
"""With fewer conversations that people have judged too, the judge's errors are not known."""

WITH_CHANGE: Final = sorted(SUMMING_CHANGE)
_JUDGED_COLUMNS: Final = [
    column for column, share in enumerate(SHARES) if share.correction is not Correction.COUNTED
]
"""Shares that depend on labels. The others are counted exactly."""
_PARTS: Final = [INDEX[SHARES[column].part] for column in _JUDGED_COLUMNS]
_WHOLES: Final = [INDEX[SHARES[column].whole] for column in _JUDGED_COLUMNS]
_FACTS: Final = {EVERYTHING, *(s.part for s in SHARES if s.correction is Correction.COUNTED)}
_IS_JUDGED_WHOLE: Final = np.array(
    [SHARES[column].whole not in _FACTS for column in _JUDGED_COLUMNS]
)
"""Wholes that depend on labels. The published counts tell the number of the others."""
_LARGEST_CHANGE_POINTS: Final = Purpose.CHANGE.value / CHANGE_UNITS_PER_POINT

_Rows = NDArray[np.int64]


class Noise(NamedTuple):
    """The noise of judged numbers, as in `Policy`."""

    variance: float
    max_noise: int


class JudgedSample(NamedTuple):
    """The judged conversations that a window's figures are made from.

    Attributes:
      inside: those that began in the window.
      earlier: those of the days before it, if the window is a day; otherwise none.
      checked: all that people have judged too, of any window. They tell the judge's errors.
    """

    inside: Sequence[JudgedConversation]
    earlier: Sequence[JudgedConversation]
    checked: Sequence[JudgedConversation] = ()


NO_SAMPLE: Final = JudgedSample((), ())


def sample_for(window: Window, judged: Iterable[JudgedConversation]) -> JudgedSample:
    """Picks a window's judged conversations out of many."""
    inside, earlier, checked = [], [], []
    since_us = window.start_us - POOLED_DAYS * DAY_US if window.kind == DAY else window.start_us
    for each in judged:
        if window.start_us <= each.started_at_us < window.end_us:
            inside.append(each)
        elif since_us <= each.started_at_us < window.start_us:
            earlier.append(each)
        if each.checked is not None:
            checked.append(each)
    return JudgedSample(inside, earlier, checked)


class JudgedEstimates(NamedTuple):
    """Judged estimates of a window, NaN where too few conversations are judged.

    Attributes:
      shares: float64 (places, `SHARES`).
      means: float64 (places, `WITH_CHANGE`), in points.
    """

    shares: Interval
    means: Interval


def estimate_judged(grid: Grid, judged: JudgedSample, noise_: Noise) -> JudgedEstimates:
    """Estimates the shares and means of all places of a window.

    Args:
      grid: the published counts.
      judged: the judged conversations.
      noise_: the noise of the counts and of the judged numbers.
    """
    shares = _nothing(len(grid.places), len(SHARES))
    means = _nothing(len(grid.places), len(WITH_CHANGE))
    errors = _errors(judged.checked)
    table, before = JudgedTable(judged.inside), [JudgedTable(day) for day in by_day(judged.earlier)]
    for row, place in enumerate(grid.places):
        rows, earlier = table.rows_of(place), [day.rows_of(place) for day in before]
        if sum(map(len, (rows, *earlier))) < MIN_JUDGED:
            continue
        lent = [_moments(*each, noise_) for each in zip(before, earlier, strict=True)]
        known = _known_shares(grid, row, noise_)
        _put(
            shares,
            row,
            _JUDGED_COLUMNS,
            _shares(_moments(table, rows, noise_), known, lent, errors),
        )
        _put(means, row, range(len(WITH_CHANGE)), _means(grid, row, table, rows, noise_))
    if noise_.variance:
        _round(shares, grid.counts_of([share.whole for share in SHARES]))
        _round(means, grid.conversations[:, WITH_CHANGE] / _LARGEST_CHANGE_POINTS)
    _add_to_one(shares)
    return JudgedEstimates(Interval(*shares), Interval(*means))


def _errors(checked: Sequence[JudgedConversation]) -> JudgeErrors | None:
    """Counts how often the judge agrees with people; None if too few were judged by both."""
    if len(checked) < MIN_CHECKED:
        return None
    said = JudgedTable(checked).truth
    true = JudgedTable([each._replace(truth=each.checked or each.truth) for each in checked]).truth
    is_part = (true[:, _PARTS] * true[:, _WHOLES]).astype(np.bool_)
    is_other = true[:, _WHOLES].astype(np.bool_) & ~is_part
    says = said[:, _PARTS].astype(np.bool_)
    return JudgeErrors(
        *(
            rows.sum(axis=0).astype(np.float64)
            for rows in (is_part & says, is_part, is_other & says, is_other)
        )
    )


def _shares(
    moments: Moments, known: Known, earlier: Sequence[Moments], errors: JudgeErrors | None
) -> Judged:
    if not earlier:
        return share_from(moments, known, errors=errors)
    # Of the other days only the samples are known, which suffices for the classifier's errors.
    others = [Day(day, Known(day.first[SAID_PART], day.first[SAID_WHOLE])) for day in earlier]
    return pool_shares([Day(moments, known), *others], wanted=[0], errors=errors).days[0]


def _known_shares(grid: Grid, row: int, noise_: Noise) -> Known:
    counts = grid.conversations[row]
    return Known(counts[_PARTS], counts[_WHOLES], noise_.variance, noise_.variance)


def _moments(table: JudgedTable, rows: _Rows, noise_: Noise) -> Moments:
    """Sums over some judged conversations, with noise on the judged parts."""
    truth, said = table.truth[rows], table.said[rows]
    sample = Sample(
        table.probability[rows],
        truth[:, _PARTS] * truth[:, _WHOLES],
        said[:, _PARTS] * said[:, _WHOLES],
        truth[:, _WHOLES],
        said[:, _WHOLES],
    )
    found, keys = moments_of(sample), table.keys[rows]
    found = with_noise(found, keys, sample.part, Purpose.CONVERSATIONS, 1.0, noise_)
    noisy = with_noise(found, keys, sample.whole, Purpose.CONVERSATIONS, 1.0, noise_, WHOLE)
    return Moments(*(np.where(_IS_JUDGED_WHOLE, a, b) for a, b in zip(noisy, found, strict=True)))


def _means(grid: Grid, row: int, table: JudgedTable, rows: _Rows, noise_: Noise) -> Judged:
    rows = rows[table.has_change[rows]]
    truth, said = table.truth[rows][:, WITH_CHANGE], table.said[rows][:, WITH_CHANGE]
    sample = Sample(
        table.probability[rows],
        truth * table.change[rows, None],
        said * table.said_change[rows, None],
        truth,
        said,
    )
    unit = _LARGEST_CHANGE_POINTS
    known = Known(
        grid.change[row, WITH_CHANGE] / CHANGE_UNITS_PER_POINT,
        grid.conversations[row, WITH_CHANGE],
        variance_of_sum(noise_.variance) * unit**2,
        noise_.variance,
    )
    moments = with_noise(moments_of(sample), table.keys[rows], truth, Purpose.CHANGE, unit, noise_)
    return mean_from(moments, known)


def with_noise(
    moments: Moments, keys: _Rows, members: Floats, purpose: Purpose, unit: float,
    noise_: Noise, column: int = PART,
) -> Moments:  # fmt: skip
    """Adds noise to a judged total, and to the number of conversations that it is made from.

    Args:
      moments: the sums over some judged conversations.
      keys: int64 (n,), their keys.
      members: float64 (n, k), not 0 for those that the total of a column is made from.
      purpose: what the total is.
      unit: the most that one conversation adds to it.
      noise_: the noise.
      column: the column of the total.
    """
    is_in = (members != 0).astype(np.int64)
    found = noise(is_in.sum(axis=0), keys @ is_in, purpose, noise_.variance, noise_.max_noise)
    is_count = purpose is Purpose.CONVERSATIONS
    steps = found / purpose.value
    variance = noise_.variance if is_count else variance_of_sum(noise_.variance)
    first, second, numbers = moments.first.copy(), moments.second.copy(), moments.numbers.copy()
    first[column] += steps * unit
    second[column, column] += variance * unit**2
    if is_count:
        numbers[column] += steps
    return moments._replace(first=first, second=second, numbers=numbers)


def _round(values: tuple[Floats, Floats, Floats], parts: Floats) -> None:
    """Rounds estimates and limits to multiples of 1 / parts, in place."""
    parts = np.maximum(parts, 1)
    for each in values:
        each[...] = np.round(each * parts) / parts


class JudgedTable:
    """Judged conversations as arrays, one row each.

    Attributes:
      probability: float64 (n,).
      keys: int64 (n,).
      truth, said: float64 (n, `SLICES`), 1 for each slice by the judge and by the classifier.
      change, said_change: float64 (n,), changes of mood in points.
      has_change: bool (n,), whether both are defined.
    """

    def __init__(self, judged: Sequence[JudgedConversation]) -> None:
        shape = len(judged), len(SLICES)
        self.truth: Floats = np.zeros(shape)
        self.said: Floats = np.zeros(shape)
        self._rows: dict[Place, list[int]] = {}
        for row, each in enumerate(judged):
            for breakdown, value, slices in each.said.slices():
                self._rows.setdefault(Place(breakdown, value), []).append(row)
                self.said[row, list(slices)] = 1
            for _, _, slices in each.truth.slices():
                self.truth[row, list(slices)] = 1
        self.probability: Floats = np.array([each.probability for each in judged], np.float64)
        self.keys: _Rows = np.array([each.key for each in judged], np.int64)
        units = CHANGE_UNITS_PER_POINT
        self.change: Floats = np.array([each.truth.change / units for each in judged])
        self.said_change: Floats = np.array([each.said.change / units for each in judged])
        self.has_change: NDArray[np.bool_] = np.array(
            [each.has_change for each in judged], np.bool_
        )

    def rows_of(self, place: Place) -> _Rows:
        """Returns the rows of the conversations with the place's value."""
        return np.array(self._rows.get(place, ()), np.int64)


def by_day(judged: Sequence[JudgedConversation]) -> list[list[JudgedConversation]]:
    """Returns the conversations of each day, in the order of days."""
    days: dict[int, list[JudgedConversation]] = {}
    for each in judged:
        days.setdefault(day_of(each.started_at_us), []).append(each)
    return [days[day_us] for day_us in sorted(days)]


def _nothing(places: int, columns: int) -> tuple[Floats, Floats, Floats]:
    low, middle, high = (np.full((places, columns), np.nan) for _ in range(3))
    return low, middle, high


def _put(
    into: tuple[Floats, Floats, Floats], row: int, columns: Sequence[int], found: Judged
) -> None:
    for values, some in zip(into, found, strict=True):
        values[row, list(columns)] = some


def _add_to_one(shares: tuple[Floats, Floats, Floats]) -> None:
    """Divides the parts of each partition by their sum, in place, where all are estimated."""
    estimate = shares[0]
    for columns in PARTITIONS:
        total = estimate[:, columns].sum(axis=1)  # NaN if a part is.
        is_whole = total > 0
        for values in shares:
            scaled = values[np.ix_(is_whole, columns)] / total[is_whole, None]
            values[np.ix_(is_whole, columns)] = np.clip(scaled, 0, 1)

"""Estimates all shares of a window, raw and corrected, for all places at once.

This module does not use Beam.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from schemas.labels import USES
from transforms.estimation.corrections import (
    ErrorRates,
    Group,
    direct,
    inside,
    inside_detected,
    quotient,
    union,
)
from transforms.estimation.grid import Grid, rate_column, rates_for
from transforms.estimation.proportions import (
    Floats,
    Interval,
    QuotientNoise,
    quotient_noise,
    score_interval,
)
from transforms.estimation.rates import Rates
from transforms.estimation.shares import (
    AFFECTIVE_USE,
    BY_PARTS,
    EVERYTHING,
    PARTITIONS,
    SHARES,
)
from transforms.estimation.uses import Estimate, estimate_uses
from transforms.facets.facet import Correction
from transforms.facets.registry import Slice

_USES: Final = [BY_PARTS[Slice("use", use), EVERYTHING] for use in USES]
_AFFECTIVE: Final = BY_PARTS[AFFECTIVE_USE, EVERYTHING]


class ShareEstimates(NamedTuple):
    """The shares of a window. All arrays are float64 (places, `SHARES`), NaN for no share.

    Attributes:
      parts, wholes: the numbers of conversations, each part to be divided by its whole.
      raw: the shares as they were counted.
      corrected: the shares corrected for the classifier's errors.
    """

    parts: Floats
    wholes: Floats
    raw: Interval
    corrected: Interval


def estimate_shares(grid: Grid, variance: float, measured: Rates | None) -> ShareEstimates:
    """Estimates all shares.

    Args:
      grid: the published counts.
      variance: variance of the noise of each count.
      measured: the classifier's measured error rates; None if there are none.
    """
    parts = grid.counts_of([share.part for share in SHARES])
    wholes, summands = _wholes(grid, parts)
    if variance == 0:
        _fill_uses(grid, parts, wholes)
    noise = quotient_noise(variance, summands)
    raw = score_interval(parts, wholes, noise)
    corrected = _Corrections(grid, parts, wholes, noise, rates_for(grid, measured)).apply(raw)
    if measured is not None:
        _correct_uses(grid, parts, corrected, variance, measured)
    return ShareEstimates(parts, wholes, raw, corrected)


def _wholes(grid: Grid, parts: Floats) -> tuple[Floats, Floats]:
    """Returns the divisor of each part, and how many parts the divisor is the sum of.

    The number of parts is 0 if the divisor has a count of its own.
    """
    wholes = grid.counts_of([share.whole for share in SHARES])
    summands = np.zeros(parts.shape)
    for columns in PARTITIONS:
        published = np.isfinite(parts[:, columns])
        total = np.nansum(parts[:, columns], axis=1)
        whole = wholes[:, columns[0]]
        is_sum = published.all(axis=1) | (total >= whole)
        wholes[:, columns] = np.where(is_sum, total, whole)[:, None]
        summands[:, columns] = np.where(is_sum, published.sum(axis=1), 0)[:, None]
    return np.where(wholes > 0, wholes, np.nan), summands


def _fill_uses(grid: Grid, parts: Floats, wholes: Floats) -> None:
    """Sets missing uses of the whole window to 0, in place, if the others add up to the whole."""
    row = grid.overall
    if row is not None and np.nansum(parts[row, _USES]) >= wholes[row, _USES[0]]:
        parts[row, _USES] = np.nan_to_num(parts[row, _USES])


def _correct_uses(
    grid: Grid, parts: Floats, corrected: Interval, variance: float, measured: Rates
) -> None:
    """Corrects the uses of the whole window together, in place, if the rates support it."""
    row = grid.overall
    if row is None or not measured.supports_uses or np.isnan(corrected.share[row, _AFFECTIVE]):
        return
    said = parts[row, _USES]
    if not np.isfinite(said).all():
        return
    affective = Estimate(*(float(values[row, _AFFECTIVE]) for values in corrected))
    found = estimate_uses(said.astype(int).tolist(), measured.use_confusion, affective, variance)
    for column, one in zip(_USES, found, strict=True):
        corrected.share[row, column] = one.share
        corrected.low[row, column], corrected.high[row, column] = one.low, one.high


@dataclass(frozen=True)
class _Corrections:
    """The input of one window's corrections. The arrays are as in `ShareEstimates`.

    Attributes:
      rates: supported error rates, as `rates_for` returns them.
    """

    grid: Grid
    parts: Floats
    wholes: Floats
    noise: QuotientNoise
    rates: Floats

    def apply(self, raw: Interval) -> Interval:
        """Returns the corrected shares, applying one way of correction after the other."""
        corrected = Interval(*(np.full(self.parts.shape, np.nan) for _ in range(3)))
        for correction, correct in (
            (Correction.DIRECT, self._direct),
            (Correction.QUOTIENT, self._quotient),
            (Correction.INSIDE, self._inside),
        ):
            columns = _corrected_by(correction)
            _set(corrected, columns, correct(columns))
        for column in _corrected_by(Correction.UNION):
            share = SHARES[column]
            united = [BY_PARTS[part, share.whole] for part in share.unites]
            found = union(
                raw.share[:, [column]],
                raw.share[:, united],
                Interval(*(values[:, united] for values in corrected)),
            )
            _set(corrected, [column], found)
        return corrected

    def _direct(self, columns: list[int]) -> Interval:
        return direct(
            self.parts[:, columns],
            self.wholes[:, columns],
            self._part_rates(columns),
            self.noise.at(columns),
        )

    def _quotient(self, columns: list[int]) -> Interval:
        return quotient(
            self.parts[:, columns],
            self.wholes[:, columns],
            self._everything(),
            self._part_rates(columns),
            self._whole_rates(columns),
            self.noise.constant,
        )

    def _inside(self, columns: list[int]) -> Interval:
        alike = self.grid.counts_of([SHARES[column].alike for column in columns])
        group = Group(self.parts[:, columns], self.wholes[:, columns], alike, self._everything())
        whole_rates, variance = self._whole_rates(columns), self.noise.constant
        counted = inside(group, whole_rates, variance)
        detected = inside_detected(group, self._part_rates(columns), whole_rates, variance)
        is_counted = [SHARES[column].rate is None for column in columns]
        return Interval(
            *(np.where(is_counted, a, b) for a, b in zip(counted, detected, strict=True))
        )

    def _everything(self) -> Floats:
        everything = self.grid.counts_of([EVERYTHING])
        return np.where(everything > 0, everything, np.nan)

    def _part_rates(self, columns: list[int]) -> ErrorRates:
        return self._rates_of([SHARES[column].rate for column in columns])

    def _whole_rates(self, columns: list[int]) -> ErrorRates:
        return self._rates_of([SHARES[column].whole for column in columns])

    def _rates_of(self, slices: list[Slice | None] | list[Slice]) -> ErrorRates:
        return ErrorRates(*self.rates[:, :, [rate_column(slice_) for slice_ in slices]])


def _corrected_by(correction: Correction) -> list[int]:
    return [index for index, share in enumerate(SHARES) if share.correction is correction]


def _set(corrected: Interval, columns: list[int], found: Interval) -> None:
    for values, some in zip(corrected, found, strict=True):
        values[:, columns] = some

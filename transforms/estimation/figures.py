"""Makes the figures of a window from its published counts: shares and means with intervals.

Everything is computed from counts that already have their noise. So the figures tell nothing that
the published counts do not.

There is a figure wherever its part and its whole are published. A partition is a set of parts that
make up a whole, such as the uses or the closings after one opening. If all parts are published,
they are divided by their sum. Otherwise they are divided by the published whole or by their sum,
whichever is more. So in spite of the noise, the raw shares of a partition never add up to more than
1. If they add up to less, the rest was withheld.

The corrected shares of the uses are estimated together and sum to 1. This is done only for the
whole window, and only if all uses are published. Elsewhere, only the affective share is corrected.

A cell is published only if it has enough users. A cell near the threshold is published more often
when chance made it larger. The intervals do not cover this bias.

This module does not use Beam.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isnan
from typing import NamedTuple

import numpy as np

from schemas.published import CORRECTED, COUNTED, JUDGED, MEAN_CHANGE, RAW, SHARE
from transforms.counting.places import Place
from transforms.estimation.estimates import ShareEstimates, estimate_shares
from transforms.estimation.grid import Grid, grid_of
from transforms.estimation.judged_figures import (
    NO_SAMPLE,
    WITH_CHANGE,
    JudgedSample,
    Noise,
    estimate_judged,
)
from transforms.estimation.means import mean_change
from transforms.estimation.proportions import Interval, preferred
from transforms.estimation.rates import Rates
from transforms.estimation.shares import SHARES, Share
from transforms.facets.facet import Correction
from transforms.facets.registry import SLICES
from transforms.publishing.publication import PublishedSums


class Figure(NamedTuple):
    """A share, a mean or a rate. The fields are those of `schemas.published.FigureRow`."""

    breakdown: str
    breakdown_value: str
    measure: str
    facet: str
    facet_value: str
    whole_facet: str | None
    whole_value: str | None
    conversations: int
    whole_conversations: int | None
    raw: float | None
    corrected: float | None
    low: float
    high: float
    method: str


def figures_of(
    cells: Mapping[Place, Mapping[int, PublishedSums]],
    noise: Noise,
    measured: Rates | None,
    judged: JudgedSample = NO_SAMPLE,
) -> list[Figure]:
    """Makes the figures of a window.

    Args:
      cells: the published cells: place -> slice index -> sums. The index points into
        `registry.SLICES`.
      noise: the noise of a count.
      measured: the classifier's measured error rates. None if there are none, or if several
        classifiers labelled the conversations.
      judged: the window's judged sample. Wherever enough conversations are judged, they take the
        place of the error rates.

    Returns:
      The shares of all places and then the means, each in the order of breakdown, value and facet.
      It does not depend on the order of `cells`.
    """
    grid = grid_of(cells)
    shares = estimate_shares(grid, noise.variance, measured)
    estimates = estimate_judged(grid, judged, noise)
    return [
        *_share_figures(grid, shares, estimates.shares),
        *_mean_figures(grid, noise.variance, estimates.means),
    ]


def _share_figures(grid: Grid, found: ShareEstimates, judged: Interval) -> Iterator[Figure]:
    best = preferred(judged, preferred(found.corrected, found.raw))
    is_judged, has_raw = np.isfinite(judged.share), np.isfinite(found.raw.share)
    corrected = np.where(is_judged, judged.share, found.corrected.share)
    rows, columns = np.nonzero(has_raw)
    arrays = (
        found.parts, found.wholes, found.raw.share, corrected, best.low, best.high, is_judged,
    )  # fmt: skip
    values = (array[rows, columns].tolist() for array in arrays)
    names = grid.names()
    for row, column, part, whole, raw, share, low, high, by_judge in zip(
        rows.tolist(), columns.tolist(), *values, strict=True
    ):
        breakdown, value = names[row]
        declared: Share = SHARES[column]
        if declared.correction is Correction.COUNTED:
            method = COUNTED
        elif by_judge:
            method = JUDGED
        else:
            method = RAW if isnan(share) else CORRECTED
        yield Figure(
            breakdown,
            value,
            SHARE,
            *declared.part,
            *declared.whole,
            int(part),
            int(whole),
            raw,
            None if isnan(share) else share,
            low,
            high,
            method,
        )


def _mean_figures(grid: Grid, variance: float, judged: Interval) -> Iterator[Figure]:
    conversations, change, squares = (
        sums[:, WITH_CHANGE] for sums in (grid.conversations, grid.change, grid.squares)
    )
    conversations = np.where(conversations > 0, conversations, np.nan)
    found = mean_change(conversations, change, squares, variance)
    best = preferred(judged, Interval(*found))
    rows, columns = np.nonzero(np.isfinite(found.mean))
    arrays = (conversations, found.mean, judged.share, best.low, best.high)
    values = (array[rows, columns].tolist() for array in arrays)
    names = grid.names()
    for row, column, count, mean, by_judge, low, high in zip(
        rows.tolist(), columns.tolist(), *values, strict=True
    ):
        breakdown, value = names[row]
        facet, group = SLICES[WITH_CHANGE[column]]
        yield Figure(
            breakdown,
            value,
            MEAN_CHANGE,
            facet,
            group,
            None,
            None,
            int(count),
            None,
            mean,
            None if isnan(by_judge) else by_judge,
            low,
            high,
            RAW if isnan(by_judge) else JUDGED,
        )

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
from typing import Final, NamedTuple

import numpy as np

from schemas.published import CORRECTED, COUNTED, MEAN_CHANGE, RAW, SHARE
from transforms.counting.places import Place
from transforms.estimation.estimates import ShareEstimates, estimate_shares
from transforms.estimation.grid import Grid, grid_of
from transforms.estimation.means import mean_change
from transforms.estimation.rates import Rates
from transforms.estimation.shares import SHARES, Share
from transforms.facets.facet import Correction
from transforms.facets.registry import SLICES, SUMMING_CHANGE
from transforms.publishing.publication import PublishedSums

_WITH_CHANGE: Final = sorted(SUMMING_CHANGE)


class Figure(NamedTuple):
    """A share or a mean. The fields are those of `schemas.published.FigureRow`."""

    breakdown: str
    breakdown_value: str
    measure: str
    facet: str
    facet_value: str
    whole_facet: str | None
    whole_value: str | None
    conversations: int
    whole_conversations: int | None
    raw: float
    corrected: float | None
    low: float
    high: float
    method: str


def figures_of(
    cells: Mapping[Place, Mapping[int, PublishedSums]],
    noise_variance: float,
    measured: Rates | None,
) -> list[Figure]:
    """Makes the figures of a window.

    Args:
      cells: the published cells: place -> slice index -> sums. The index points into
        `registry.SLICES`.
      noise_variance: variance of the noise of a count, as in `Policy`.
      measured: the classifier's measured error rates. None if there are none, or if several
        classifiers labelled the conversations.

    Returns:
      The shares of all places and then the means, each in the order of breakdown, value and facet.
      It does not depend on the order of `cells`.
    """
    grid = grid_of(cells)
    shares = estimate_shares(grid, noise_variance, measured)
    return [*_share_figures(grid, shares), *_mean_figures(grid, noise_variance)]


def _share_figures(grid: Grid, found: ShareEstimates) -> Iterator[Figure]:
    is_corrected = np.isfinite(found.corrected.share)
    low = np.where(is_corrected, found.corrected.low, found.raw.low)
    high = np.where(is_corrected, found.corrected.high, found.raw.high)
    rows, columns = np.nonzero(np.isfinite(found.raw.share))
    arrays = (found.parts, found.wholes, found.raw.share, found.corrected.share, low, high)
    values = (array[rows, columns].tolist() for array in arrays)
    names = grid.names()
    for row, column, part, whole, raw, corrected, lowest, highest in zip(
        rows.tolist(), columns.tolist(), *values, strict=True
    ):
        breakdown, value = names[row]
        share: Share = SHARES[column]
        has_correction = not isnan(corrected)
        if share.correction is Correction.COUNTED:
            method = COUNTED
        else:
            method = CORRECTED if has_correction else RAW
        yield Figure(
            breakdown,
            value,
            SHARE,
            *share.part,
            *share.whole,
            int(part),
            int(whole),
            raw,
            corrected if has_correction else None,
            lowest,
            highest,
            method,
        )


def _mean_figures(grid: Grid, variance: float) -> Iterator[Figure]:
    conversations, change, squares = (
        sums[:, _WITH_CHANGE] for sums in (grid.conversations, grid.change, grid.squares)
    )
    conversations = np.where(conversations > 0, conversations, np.nan)
    found = mean_change(conversations, change, squares, variance)
    rows, columns = np.nonzero(np.isfinite(found.mean))
    values = (array[rows, columns].tolist() for array in (conversations, *found))
    names = grid.names()
    for row, column, count, mean, low, high in zip(
        rows.tolist(), columns.tolist(), *values, strict=True
    ):
        breakdown, value = names[row]
        facet, group = SLICES[_WITH_CHANGE[column]]
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
            None,
            low,
            high,
            RAW,
        )

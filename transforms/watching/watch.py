"""Measures the classifier's recall and false alarms in each window, from the judged sample.

There are rates for the whole window only, of the values that `WATCHED` lists. A rate is measured
where the sample has enough conversations of its denominator: those that the judge puts into the
slice for recall, and all others for false alarms. A day that has too few is served by its week; see
`estimation.pooling`.

The judge's labels of single people must not show. So each judged total gets the noise that it has
in the judged figures: the total of the denominator, and of those in it that the classifier
finds.

This module does not use Beam.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.published import FALSE_ALARMS, JUDGED, RECALL
from transforms.counting.cells import BREAKDOWN_NAMES, OVERALL
from transforms.counting.places import Place
from transforms.estimation.difference.equation import Known
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
from transforms.estimation.figures import Figure
from transforms.estimation.judged import share_from
from transforms.estimation.judged_figures import (
    JudgedSample,
    JudgedTable,
    Noise,
    by_day,
    with_noise,
)
from transforms.estimation.judged_rates import false_alarm_sample, recall_sample
from transforms.estimation.pooling import Day, pool_shares
from transforms.estimation.proportions import Floats
from transforms.estimation.rates import RATED
from transforms.estimation.shares import AFFECTIVE_USE, EVERYTHING
from transforms.facets.facet import ALL
from transforms.facets.registry import INDEX, Slice
from transforms.judging.conversations import MIN_JUDGED
from transforms.publishing.noise import Purpose
from transforms.publishing.publication import PublishedSums
from transforms.watching.card import Card, Measured

WATCHED: Final = tuple(
    slice_
    for slice_ in (Slice(facet, value) for facet, values in RATED.items() for value in values)
    if slice_.facet != AFFECTIVE_USE.facet or slice_ == AFFECTIVE_USE
)
"""What is watched: affective use, each type, pushback and its reasons."""

_OVERALL: Final = Place(OVERALL, ALL)
_COLUMNS: Final = [INDEX[slice_] for slice_ in WATCHED]
_RECALL_PARTS: Final = 1_000
"""Recall is rounded to thousandths, and false alarms to one conversation of all."""
_SAMPLES: Final[Mapping[str, Callable[[Floats, Floats, Floats], Sample]]] = {
    RECALL: recall_sample,
    FALSE_ALARMS: false_alarm_sample,
}


class Watched(NamedTuple):
    """One rate of the classifier in one window.

    Attributes:
      slice: what the classifier decides.
      measure: `published.RECALL` or `published.FALSE_ALARMS`.
      conversations: published number of all conversations of the window.
      rate, low, high: the rate and its 95 % interval, in [0, 1].
      card: what was measured before; None if nothing was.
      same_all_week: p-value of the hypothesis that the rate is the same on all days of the
        week (Cochran's Q); None if it was not tested.
    """

    slice: Slice
    measure: str
    conversations: int
    rate: float
    low: float
    high: float
    card: Measured | None
    same_all_week: float | None

    @property
    def is_off(self) -> bool:
        """Whether the rate's interval has nothing in common with that of the card."""
        return self.card is not None and self.card.is_apart(self.low, self.high)

    def fields(self) -> dict[str, Any]:
        """Returns names and numbers for a line of the log."""
        numbers: dict[str, float | None] = {
            "rate": self.rate,
            "low": self.low,
            "high": self.high,
            "same_all_week": self.same_all_week,
        }
        if self.card is not None:
            card, low, high = self.card
            numbers |= {"card": card, "card_low": low, "card_high": high}
        return {
            "facet": self.slice.facet,
            "value": self.slice.value,
            "measure": self.measure,
            **{name: x if x is None else round(x, 4) for name, x in numbers.items()},
        }

    @property
    def figure(self) -> Figure:
        """The row of the table `figures`. Its raw value is the card's."""
        return Figure(
            BREAKDOWN_NAMES[OVERALL],
            ALL,
            self.measure,
            *self.slice,
            None,
            None,
            self.conversations,
            None,
            None if self.card is None else self.card.rate,
            self.rate,
            self.low,
            self.high,
            JUDGED,
        )


def watch(
    cells: Mapping[Place, Mapping[int, PublishedSums]],
    judged: JudgedSample,
    noise: Noise,
    card: Card,
) -> list[Watched]:
    """Measures the rates of a window.

    Args:
      cells: the window's published cells; see `figures_of`.
      judged: its judged sample.
      noise: the noise of the counts and of the judged numbers.
      card: what was measured before.

    Returns:
      The rates that can be measured, recall first, in the order of `WATCHED`. They depend on the
      order of the sample only by rounding.
    """
    counts = cells.get(_OVERALL, {})
    everything = counts.get(INDEX[EVERYTHING])
    table = JudgedTable(judged.inside)
    if everything is None or len(table.rows_of(_OVERALL)) < MIN_JUDGED:
        return []
    said = [counts[c].conversations if c in counts else np.nan for c in _COLUMNS]
    total = np.full(len(_COLUMNS), float(everything.conversations))
    known = Known(np.array(said, np.float64), total, noise.variance, noise.variance)
    before = [JudgedTable(day) for day in by_day(judged.earlier)]
    return [
        Watched(
            slice_,
            measure,
            everything.conversations,
            rate,
            low,
            high,
            card.get((slice_, measure)),
            None if np.isnan(same) else same,
        )
        for measure in _SAMPLES
        for slice_, rate, low, high, same in zip(
            WATCHED, *_rates(measure, table, before, known, noise), strict=True
        )
        if np.isfinite(rate)
    ]


def _rates(
    measure: str, table: JudgedTable, before: Sequence[JudgedTable], known: Known, noise: Noise
) -> Iterator[list[float]]:
    """Yields estimates, both ends of the intervals, and p-values; one of each for each slice."""
    moments = rate_moments(measure, table, noise)
    own, same = share_from(moments, known), np.full(len(WATCHED), np.nan)
    if before:
        lent = [rate_moments(measure, day, noise) for day in before]
        pooled, same = _pooled(Day(moments, known), lent)
        is_own = np.isfinite(own.estimate)
        own = Judged(*(np.where(is_own, a, b) for a, b in zip(own, pooled, strict=True)))
    if noise.variance:
        # More digits would tell which weights the judged conversations have.
        most = _RECALL_PARTS if measure == RECALL else np.inf
        parts = np.clip(known.said_whole, 1, most)
        own = Judged(*(np.round(values * parts) / parts for values in own))
    for values in (*own, same):
        yield values.tolist()


def _pooled(day: Day, before: Sequence[Moments]) -> tuple[Judged, Floats]:
    """Returns the rates of a day that its week serves, and the p-values of Cochran's Q."""
    # Of the other days only the samples are known, which suffices for the classifier's errors.
    days = [day, *(Day(m, Known(m.first[SAID_PART], m.first[SAID_WHOLE])) for m in before)]
    judged = np.sum([each.moments.numbers[WHOLE] for each in days], axis=0)
    columns = np.flatnonzero(judged)
    found = np.full((4, judged.size), np.nan)
    if columns.size:
        pooled = pool_shares([_at(each, columns) for each in days], wanted=[0])
        found[:, columns] = [*pooled.days[0], pooled.drift]
    return Judged(*found[:3]), found[3]


def _at(day: Day, columns: NDArray[np.intp]) -> Day:
    """Returns some columns of a day's sums and counts."""
    known = Known(day.known.said_part[columns], day.known.said_whole[columns], *day.known[2:])
    return Day(Moments(*(values[..., columns] for values in day.moments)), known)


def rate_moments(measure: str, table: JudgedTable, noise: Noise) -> Moments:
    """Returns the sums that recall or false alarms of `WATCHED` are made from, with noise."""
    rows = table.rows_of(_OVERALL)
    truth, said = table.truth[rows][:, _COLUMNS], table.said[rows][:, _COLUMNS]
    sample = _SAMPLES[measure](table.probability[rows], truth, said)
    moments = moments_of(sample)
    for column, members in ((PART, sample.part), (WHOLE, sample.whole)):
        moments = with_noise(
            moments, table.keys[rows], members, Purpose.CONVERSATIONS, 1.0, noise, column
        )
    # Noise may take all that there is. A denominator is never 0 if it has conversations.
    whole = np.where(moments.numbers[WHOLE] > 0, np.maximum(moments.first[WHOLE], 1.0), 0.0)
    moments.first[WHOLE] = whole
    return moments

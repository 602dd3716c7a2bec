"""Defines the figures that are shown in the report and in the terminal's summary.

A figure that was not published is None, so that it can't be mistaken for zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from schemas.breakdowns import BREAKDOWNS
from schemas.labels import TYPES
from schemas.published import CORRECTED, COUNTED, JUDGED
from transforms.estimation.rates import Drift, Rate
from transforms.facets.facet import ALL, Facet
from transforms.publishing.policy import Policy
from transforms.watching.watch import Watched

AFFECTIVE: Final = "affective"
GROUPS: Final = (ALL, AFFECTIVE, *TYPES)

TOGETHER: Final = "companionship_and_roleplay"
"""The facet that counts companionship and both roleplays together."""

LABELS: Final = {declared.name: declared.label for declared in BREAKDOWNS}


@dataclass(frozen=True)
class Share:
    """A share of conversations, with its 95 % interval.

    Attributes:
      name: name of the part: a type, a use, a length …
      conversations: published number of conversations in the part; None if not published.
      whole: published number of conversations of which this is a share; None if not published.
      raw: share as the classifier gave the labels, in [0, 1]; None if not published.
      corrected: share corrected for the classifier's errors; None if there is no correction.
      low, high: interval of `best`.
      method: `COUNTED`, `RAW`, `CORRECTED` or `JUDGED` of `schemas.published`; None if not
        published.
      is_supported: whether a correction is possible as far as is known. It is not if the
        classifier's errors were measured on too little data, or hardly tell conversations apart.
    """

    name: str
    conversations: int | None = None
    whole: int | None = None
    raw: float | None = None
    corrected: float | None = None
    low: float | None = None
    high: float | None = None
    method: str | None = None
    is_supported: bool = True

    @property
    def best(self) -> float | None:
        """The best estimate: the corrected share if there is one, otherwise the raw share."""
        return self.raw if self.corrected is None else self.corrected

    @property
    def is_corrected(self) -> bool:
        """Whether the best estimate is not the raw share."""
        return self.method in {CORRECTED, JUDGED}

    @property
    def is_judged(self) -> bool:
        """Whether the best estimate comes from a judged sample."""
        return self.method == JUDGED

    @property
    def is_counted(self) -> bool:
        """Whether the share involves no label, so that there is nothing to correct."""
        return self.method == COUNTED


@dataclass(frozen=True)
class Change:
    """The mean change of mood of a group, in points of the scale -1..+1; None if not published.

    Attributes:
      name: the group.
      conversations: published number of conversations with a change.
      raw: the mean as the classifier scored it.
      corrected: the mean corrected by a judged sample; None if there is none.
      low, high: interval of `mean`.
      method: as for `Share`.
    """

    name: str
    conversations: int | None = None
    raw: float | None = None
    corrected: float | None = None
    low: float | None = None
    high: float | None = None
    method: str | None = None

    @property
    def mean(self) -> float | None:
        """The best estimate."""
        return self.raw if self.corrected is None else self.corrected

    @property
    def is_judged(self) -> bool:
        """Whether the best estimate comes from a judged sample."""
        return self.method == JUDGED


@dataclass(frozen=True)
class Receipt:
    """The publication that the figures come from, and how its numbers were protected."""

    publication: str
    policy: Policy
    key_id: str
    metrics_version: str
    classifier_version: str
    judge: str = ""
    judgements: int = 0


@dataclass(frozen=True)
class Period:
    """The days covered by the run, and the published number of conversations."""

    conversations: int
    first: date
    last: date

    @property
    def days(self) -> int:
        """The number of days from the first to the last."""
        return (self.last - self.first).days + 1


@dataclass(frozen=True)
class Value:
    """The figures of one value of a breakdown."""

    name: str
    conversations: int
    affective: Share
    long: Share
    pushback: Share


@dataclass(frozen=True)
class Breakdown:
    """The published values of a breakdown, largest first.

    `unlisted` is the number of further values, which only the database has.
    """

    name: str
    label: str
    values: Sequence[Value]
    unlisted: int


@dataclass(frozen=True)
class Day:
    """The figures of one UTC day; a figure is None if it was not published."""

    day: date
    conversations: int | None
    affective: Share


@dataclass(frozen=True)
class FacetShares:
    """The shares of a facet that has no section of its own in the report."""

    facet: Facet
    shares: Sequence[Share]


@dataclass(frozen=True)
class Figures:
    """All figures of a run. If `period` is None, nothing was published."""

    receipt: Receipt | None
    period: Period | None
    affective: Share
    types: Sequence[Share]
    types_of_affective: Sequence[Share]
    together: Share
    uses: Sequence[Share]
    lengths: Sequence[Share]
    long: Sequence[Share]
    changes: Sequence[Change]
    pushback: Sequence[Share]
    reasons: Sequence[Share]
    headline_drift: Share
    headline_drift_long: Share
    measured_drift: Drift | None
    more: Sequence[FacetShares]
    breakdowns: Sequence[Breakdown]
    days: Sequence[Day]
    hours: Sequence[int | None]
    """Conversations by hour of the day. If numbers are exact, all days together; otherwise those of
    the day in the middle."""
    watched: Sequence[Watched]
    """The classifier's recall and false alarms on these conversations, by the judged sample."""
    rates: Sequence[Rate]
    unsupported: Sequence[tuple[str, str]]
    """Facets and values that are not corrected, because their rates do not support it."""

    @property
    def is_exact(self) -> bool:
        """Whether every number is exact, and a missing one is a true zero."""
        return self.receipt is not None and self.receipt.policy.is_exact

    @property
    def is_corrected(self) -> bool:
        """Whether at least one classified share could be corrected."""
        shares = (
            self.affective,
            *self.types,
            self.together,
            *self.uses,
            *self.pushback,
            *self.reasons,
        )
        return any(share.is_corrected for share in shares)

    @property
    def are_uses_coherent(self) -> bool:
        """Whether all uses were corrected together, so that they sum to one."""
        return all(use.is_corrected for use in self.uses)

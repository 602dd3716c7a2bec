"""Defines the figures that are shown in the report and in the terminal's summary.

A figure that was withheld is None, so that it can't be mistaken for zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from schemas.breakdowns import BREAKDOWNS
from schemas.labels import TYPES
from transforms.estimation.rates import Drift
from transforms.facets.facet import ALL, Facet

AFFECTIVE: Final = "affective"
GROUPS: Final = (ALL, AFFECTIVE, *TYPES)

_LABELS: Final = {declared.name: declared.label for declared in BREAKDOWNS}


@dataclass(frozen=True)
class Share:
    """A share of conversations, raw and corrected, each with a 95 % interval.

    Attributes:
      name: name of the part: a type, a use, a length …
      conversations: number of conversations in the part; None if withheld.
      whole: number of conversations of which this is a share; None if withheld.
      share, low, high: raw share and its interval, in [0, 1]; None if not known.
      is_lower_bound: whether some of the part was withheld, so the true share may be larger.
      days: number of days on which the part was released.
      corrected, corrected_low, corrected_high: share corrected for the classifier's errors, and
        its interval, in [0, 1]; None if not known.
      is_counted: whether the part was counted without a classifier. If it was, the raw and
        corrected shares are equal.
      is_supported: whether a correction is possible as far as is known. It is not if the
        classifier's errors were measured on too little data, or hardly tell conversations apart.
    """

    name: str
    conversations: int | None = None
    whole: int | None = None
    share: float | None = None
    low: float | None = None
    high: float | None = None
    is_lower_bound: bool = False
    days: int = 0
    corrected: float | None = None
    corrected_low: float | None = None
    corrected_high: float | None = None
    is_counted: bool = False
    is_supported: bool = True

    @property
    def is_corrected(self) -> bool:
        """Whether the corrected share is known."""
        return self.corrected is not None

    @property
    def best(self) -> Share:
        """The best estimate: the corrected share if there is one, otherwise the raw share."""
        if not self.is_corrected:
            return self
        return replace(self, share=self.corrected, low=self.corrected_low, high=self.corrected_high)


@dataclass(frozen=True)
class Change:
    """The mean sentiment change of a group, in points of the scale -1..+1; None if withheld."""

    name: str
    conversations: int | None = None
    mean: float | None = None
    low: float | None = None
    high: float | None = None
    deviation: float | None = None


@dataclass(frozen=True)
class Period:
    """The days covered by the run.

    `days` is the number of days with at least one released figure.
    """

    conversations: int
    days: int
    first: date
    last: date
    min_users: int
    min_conversations: int
    metrics_versions: Sequence[str]
    classifier_versions: Sequence[str]

    @property
    def is_exhaustive(self) -> bool:
        """Whether nothing was withheld. If nothing was, a missing figure is a true zero."""
        return self.min_users == 1 and self.min_conversations == 1


@dataclass(frozen=True)
class HeadlineDrift:
    """Conversations that opened as coaching or counseling, and closed as companionship.

    Attributes:
      share: their number, and their raw share of those that opened so. If it is a lower bound, the
        upper end of the interval counts in all withheld pairs.
      withheld: number of conversations whose pair of types was withheld; None if not known.
    """

    share: Share
    withheld: int | None


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
    """The values of a breakdown, largest first, and the number of conversations withheld."""

    name: str
    label: str
    values: Sequence[Value]
    unlisted: int
    not_published: int


@dataclass(frozen=True)
class Day:
    """The figures of one UTC day; a figure is None if it was not released."""

    day: date
    conversations: int | None
    affective: Share


@dataclass(frozen=True)
class Rate:
    """The classifier's errors on one value, measured on conversations with known labels."""

    facet: str
    value: str
    language: str
    true_positives: int
    positives: int
    false_positives: int
    negatives: int


@dataclass(frozen=True)
class FacetShares:
    """The shares of a facet that has no section of its own in the report."""

    facet: Facet
    shares: Sequence[Share]


@dataclass(frozen=True)
class Figures:
    """All figures of a run. If `period` is None, nothing was released."""

    period: Period | None
    affective: Share
    types: Sequence[Share]
    types_of_affective: Sequence[Share]
    uses: Sequence[Share]
    lengths: Sequence[Share]
    long: Sequence[Share]
    changes: Sequence[Change]
    pushback: Sequence[Share]
    reasons: Sequence[Share]
    headline_drift: HeadlineDrift
    headline_drift_long: HeadlineDrift
    measured_drift: Drift | None
    more: Sequence[FacetShares]
    breakdowns: Sequence[Breakdown]
    days: Sequence[Day]
    hours: Sequence[int | None]
    ledger: Sequence[tuple[str, str, int]]
    dead_letters: Sequence[tuple[str, str, int]]
    rates: Sequence[Rate]
    unsupported: Sequence[tuple[str, str]]
    """Facets and values that are not corrected, because their rates do not support it."""
    are_uses_coherent: bool
    """Whether all uses were corrected together, so that they sum to one."""

    @property
    def is_corrected(self) -> bool:
        """Whether at least one classified share could be corrected."""
        shares = (self.affective, *self.types, *self.uses, *self.pushback, *self.reasons)
        return any(share.is_corrected for share in shares)

"""The input of an audit: every version of every publication, and the true counts if known."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from transforms.counting.cells import Sums
from transforms.counting.places import Place, WindowCounts
from transforms.counting.windows import Window
from transforms.judging.conversations import JudgedConversation
from transforms.publishing.distribution import SCALE, cumulative, feasible_variance
from transforms.publishing.policy import Policy

UNCOMMITTED: Final = "uncommitted"
"""Status of an attempt without a receipt. Its rows are in no view, but they are in the tables."""

CHANCE: Final = 1e-6
"""A result that is less likely than this by chance is a finding."""

Numbers = Mapping[Place, Mapping[int, int]]
"""Published numbers of conversations: place -> slice index -> number."""

Row = Mapping[str, Any]
"""One row of a table."""


class Finding(NamedTuple):
    """Something that should not be there.

    Attributes:
      attack: short name of the attack.
      sentence: what it found.
    """

    attack: str
    sentence: str


class Score(NamedTuple):
    """How well an attack guesses small cells, which were not published.

    Attributes:
      attack: name of the attack.
      cells: number of small cells that it guesses.
      exact: how many of them it guesses exactly.
      constant: how many the best constant guess would get.
      middling: how many of the cells have five conversations or more.
      near: how many of the middling cells it guesses to within one conversation.
      constant_near: how many of the middling cells the best constant guess gets to within one.
      is_bounded: whether the audit fails if the attack is better than a constant guess.
      expected: how many exact guesses are possible in spite of the noise. The audit fails only if
        there are more. 0 if this is not known.
    """

    attack: str
    cells: int
    exact: int
    constant: int
    middling: int
    near: int
    constant_near: int
    is_bounded: bool = True
    expected: float = 0.0

    @property
    def advantage(self) -> float:
        """Share of cells guessed exactly, minus that of the best constant guess."""
        return (self.exact - self.constant) / self.cells if self.cells else 0.0

    @property
    def near_share(self) -> float:
        """Share of the middling cells that are guessed to within one conversation."""
        return self.near / self.middling if self.middling else 0.0

    def plus(self, other: Score) -> Score:
        """Adds the cells of another score of the same attack."""
        return Score(
            self.attack,
            self.cells + other.cells,
            self.exact + other.exact,
            self.constant + other.constant,
            self.middling + other.middling,
            self.near + other.near,
            self.constant_near + other.constant_near,
            self.is_bounded,
            self.expected + other.expected,
        )


@dataclass(frozen=True)
class Version:
    """One attempt at one version of a window's publication, with its rows.

    Attributes:
      publication, attempt: as in the table publications.
      window: the window.
      number: 1 for the first version; 0 if it has no receipt.
      status: `committed`, `withdrawn` or `UNCOMMITTED`.
      policy: the policy in the receipt; without a receipt, the policy in another one.
      classifier_version: as in the receipt.
      numbers: its published number of each cell.
      figures: its rows of the table figures.
      basis: the true sums of its cells; None if they are not known.
      judge, judgements: as in the receipt; without a receipt, as in that of another attempt.
      rates: as in the receipt.
    """

    publication: str
    attempt: int
    window: Window
    number: int
    status: str
    policy: Policy
    classifier_version: str
    numbers: Numbers
    figures: tuple[Row, ...] = ()
    basis: WindowCounts | None = None
    judge: str = ""
    judgements: int = 0
    rates: str = ""

    def cells(self) -> Iterator[tuple[Place, int, int]]:
        """Yields each published cell: place, slice and number."""
        for place, numbers in self.numbers.items():
            for index, number in numbers.items():
                yield place, index, number

    def true_sums(self, place: Place, index: int) -> Sums | None:
        """Returns the sums that a number was made from; None if they are not known."""
        return None if self.basis is None else self.basis.get(place, {}).get(index)


@dataclass(frozen=True)
class Evidence:
    """Everything that an audit reads.

    Attributes:
      versions: all publications, including withdrawn and uncommitted ones.
      counts: current true counts of each window; None if they are not known.
      judged: the judged conversations; none if they are not known.
    """

    versions: tuple[Version, ...]
    counts: Mapping[Window, WindowCounts] | None = field(default=None)
    judged: tuple[JudgedConversation, ...] = ()

    def protected(self) -> list[Version]:
        """Returns the versions whose numbers are not meant to be exact."""
        return [version for version in self.versions if not version.policy.is_exact]

    def by_window(self) -> dict[Window, list[Version]]:
        """Returns the protected versions of each window, the oldest first."""
        found: defaultdict[Window, list[Version]] = defaultdict(list)
        for version in sorted(self.protected(), key=lambda v: (v.number, v.attempt)):
            found[version.window].append(version)
        return dict(found)

    def current(self) -> dict[Window, Version]:
        """Returns the current version of each window, as the views show it."""
        newest = {window: versions[-1] for window, versions in self._receipts().items()}
        return {window: v for window, v in newest.items() if v.status == "committed"}

    def _receipts(self) -> dict[Window, list[Version]]:
        with_receipt = {
            window: [v for v in versions if v.status != UNCOMMITTED]
            for window, versions in self.by_window().items()
        }
        return {window: versions for window, versions in with_receipt.items() if versions}


def chance_of_no_noise(conversations: int, policy: Policy) -> float:
    """Returns the probability that the noise on a count is 0."""
    least = min(conversations, policy.max_noise)
    variance = feasible_variance(conversations, policy.variance, policy.max_noise)
    sums = (0, *cumulative(least, policy.max_noise, variance))
    return (sums[least + 1] - sums[least]) / SCALE


def chance_of_at_least(hits: int, tries: int, chance: float) -> float:
    """Returns an upper bound on the probability of at least this many hits.

    Each try hits with the same chance. The bound is Hoeffding's.
    """
    if hits <= tries * chance:
        return 1.0
    if chance <= 0.0:
        return 0.0
    share = hits / tries
    rest = 0.0 if share == 1 else (1 - share) * math.log((1 - share) / (1 - chance))
    return math.exp(-tries * (share * math.log(share / chance) + rest))


def totalled(scores: Iterable[Score]) -> list[Score]:
    """Adds up the scores of each attack, in the order in which the attacks first occur."""
    totals: dict[str, Score] = {}
    for score in scores:
        known = totals.get(score.attack)
        totals[score.attack] = known.plus(score) if known else score
    return list(totals.values())

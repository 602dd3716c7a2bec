"""Measures a judge's own error: its verdicts against labels that are taken as the truth.

A judge's labels are worth what its agreement with careful readers is worth. So it is measured
before its labels correct anything, and a judge that agrees too little is refused.

Sources: kappa is Cohen's, "A coefficient of agreement for nominal scales", 1960; the intervals are
Wilson's, 1927.

This module does not use Beam.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

import msgspec

from pipelines.judges.interface import Verdict
from schemas.failures import InputError
from schemas.judged import JUDGED, JudgedLabels
from schemas.labels import TYPES, USES
from transforms.estimation.proportions import Z
from transforms.judging.kappa import kappa

AFFECTIVE: Final = "affective"
PUSHBACK: Final = "pushback"
LABELS: Final = (AFFECTIVE, *TYPES, PUSHBACK)
"""The labels that a conversation has or has not."""

Pair = tuple[JudgedLabels, JudgedLabels]
"""The true labels of one conversation, and the judge's."""


class Rate(NamedTuple):
    """A share with its 95 % interval; from 0 to 1 if there is nothing to count."""

    share: float | None
    low: float
    high: float

    def __str__(self) -> str:
        if self.share is None:
            return "unknown"
        return f"{self.share:.1%} ({self.low:.1%} to {self.high:.1%})"


class Confusion(NamedTuple):
    """How often a judge gives one label where it is true, and where it is not."""

    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int

    @property
    def sensitivity(self) -> Rate:
        """Share of the conversations with the label that the judge finds."""
        return rate(self.true_positives, self.true_positives + self.false_negatives)

    @property
    def specificity(self) -> Rate:
        """Share of the conversations without the label that the judge leaves without it."""
        return rate(self.true_negatives, self.true_negatives + self.false_positives)

    @property
    def kappa(self) -> float | None:
        """Cohen's kappa; None if both give the same value to every conversation."""
        return kappa(
            {
                (True, True): self.true_positives,
                (False, True): self.false_positives,
                (True, False): self.false_negatives,
                (False, False): self.true_negatives,
            }
        )


class Agreement(msgspec.Struct, frozen=True, kw_only=True):
    """How far a judge agrees with the truth.

    Attributes:
      labels: one confusion for each of `LABELS`.
      uses: number of conversations by true use and by the judge's use.
      unjudged: number of conversations with a true label but no labels of the judge, by true use
        and by the verdict's status. They are in no other number here. If the judge leaves out
        affective conversations more often than others, its labels are biased.
    """

    labels: dict[str, Confusion]
    uses: dict[tuple[str, str], int]
    unjudged: dict[tuple[str, str], int]

    @property
    def compared(self) -> int:
        """Number of conversations with labels of both."""
        return sum(self.uses.values())

    @property
    def use_kappa(self) -> float | None:
        """Cohen's kappa of the use."""
        return kappa(self.uses)

    def refuse_below(self, floor: float) -> None:
        """Checks the agreement about what is affective.

        Args:
          floor: the least kappa, from -1 to 1.

        Raises:
          InputError: if kappa is below the floor, or unknown because the true labels have no
            affective conversation or no other one.
        """
        affective = self.labels[AFFECTIVE]
        if affective.sensitivity.share is None or affective.specificity.share is None:
            raise InputError(
                f"{self.compared:,} labels of the judge can be compared, and the true labels must "
                "have affective conversations and others among them; label more conversations"
            )
        found = affective.kappa
        if found is None or found < floor:
            raise InputError(
                f"the judge agrees too little with the labels about what is affective: kappa is "
                f"{_plain(found)}, and must be at least {floor:g}; take a better judge"
            )

    def lines(self) -> Iterator[str]:
        """Yields the agreement as lines of text."""
        affective = self.labels[AFFECTIVE]
        yield f"{self.compared:,} conversations are compared"
        yield f"affective ones found: {affective.sensitivity}"
        yield f"others left alone: {affective.specificity}"
        for name, found in self.labels.items():
            yield (
                f"{name}: kappa {_plain(found.kappa)}, {found.true_positives:,} found, "
                f"{found.false_negatives:,} missed, {found.false_positives:,} false"
            )
        yield f"use: kappa {_plain(self.use_kappa)}"
        for (use, status), count in sorted(self.unjudged.items()):
            yield f"not judged ({status}): {count:,} whose use is {use}"


def agreement(
    verdicts: Iterable[Verdict], truth: Mapping[tuple[str, int], JudgedLabels]
) -> Agreement:
    """Compares verdicts with true labels.

    Args:
      verdicts: a judge's verdicts, at most one for each conversation. Those about conversations
        without true labels are left out.
      truth: true labels by conversation and start, in microseconds, as in
        `schemas.judged.SampleRow`.

    Raises:
      ValueError: if a conversation has two verdicts.
    """
    statuses: dict[tuple[str, int], str] = {}
    pairs: list[Pair] = []
    for verdict in verdicts:
        key = (verdict.conversation, verdict.started_at_us)
        if key not in truth:
            continue
        if key in statuses:
            raise ValueError(f"conversation {verdict.conversation} has two verdicts")
        statuses[key] = verdict.status
        if verdict.status == JUDGED and verdict.labels is not None:
            pairs.append((truth[key], verdict.labels))
    unjudged = Counter(
        (labels.use, statuses.get(key, "no verdict"))
        for key, labels in truth.items()
        if statuses.get(key) != JUDGED
    )
    return Agreement(
        labels={name: _confusion(name, pairs) for name in LABELS},
        uses=dict(Counter((true.use, judged.use) for true, judged in pairs)),
        unjudged=dict(unjudged),
    )


def rate(hits: int, of: int) -> Rate:
    """Returns a share with its 95 % Wilson interval."""
    if not of:
        return Rate(None, 0.0, 1.0)
    share, squared = hits / of, Z * Z / of
    middle = (share + squared / 2) / (1 + squared)
    half = Z / (1 + squared) * (share * (1 - share) / of + squared / (4 * of)) ** 0.5
    return Rate(share, max(middle - half, 0.0), min(middle + half, 1.0))


def has_label(labels: JudgedLabels, name: str) -> bool:
    """Tells whether a conversation has one of `LABELS`."""
    if name == AFFECTIVE:
        return labels.use == USES[0]
    if name == PUSHBACK:
        return bool(labels.pushback_reasons)
    return name in labels.types


def _confusion(name: str, pairs: Iterable[Pair]) -> Confusion:
    counts = Counter((has_label(true, name), has_label(judged, name)) for true, judged in pairs)
    return Confusion(
        true_positives=counts[True, True],
        false_positives=counts[False, True],
        false_negatives=counts[True, False],
        true_negatives=counts[False, False],
    )


def _plain(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2f}"

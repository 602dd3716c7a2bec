"""Formats shares, intervals, counts and names as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pipelines.report.figures import Change, HeadlineDrift, Period, Share
from transforms.estimation.rates import Drift

NOT_SUPPORTED: Final = "not supported"
"""Stands for a correction that the measured error rates do not support."""

_AT_LEAST: Final = "\N{GREATER-THAN OR EQUAL TO}\N{NO-BREAK SPACE}"


_MINUS: Final = "\N{MINUS SIGN}"


_NAMES: Final[Mapping[str, str]] = {
    "all": "All conversations",
    "affective": "Affective",
    "none": "No type",
    "ai_identity": "AI identity",
    "harm_or_illegal": "Harm or illegal",
    "policy_other": "Other policy",
    "not_published": "Not published",
}


class Wording:
    """Formats figures as text, including those that were withheld."""

    def __init__(self, period: Period | None) -> None:
        self._min_users = period.min_users if period else 0
        self._is_exhaustive = period is not None and period.is_exhaustive

    @property
    def withheld(self) -> str:
        """The text that stands for a withheld figure."""
        if self._min_users > 1:
            return f"fewer than {self._min_users} users"
        return "not published"

    def count(self, conversations: int | None) -> str:
        """Writes a number of conversations."""
        return self.withheld if conversations is None else f"{conversations:,}"

    def share(self, share: Share) -> str:
        """Writes a share as a percentage, and marks a share that is a lower bound."""
        if share.share is None:
            # If there is a count but no share, the denominator was withheld.
            return {None: self.withheld, 0: "none"}.get(share.conversations, "share not known")
        return f"{_AT_LEAST if share.is_lower_bound else ''}{percent(share.share)}"

    def beside(self, share: Share) -> str:
        """Writes the note beside the best estimate.

        The note is the raw share, or the word `raw` if the best estimate is itself raw. It says if
        a correction is not supported.
        """
        if share.share is None or share.is_counted:
            return ""
        if share.is_corrected:
            return f"raw {self.share(share)}"
        return "raw" if share.is_supported else f"raw, correction {NOT_SUPPORTED}"

    def mean(self, change: Change) -> str:
        """Writes a mean change in points."""
        if change.mean is not None:
            return points(change.mean)
        return "none" if change.conversations == 0 else self.withheld

    def headline_drift(self, drift: HeadlineDrift) -> str:
        """Writes how many conversations turn from coaching or counseling to companionship."""
        share = drift.share
        if not share.conversations or share.share is None or share.low is None:
            is_none = share.conversations == 0 and (self._is_exhaustive or drift.withheld == 0)
            most = "" if is_none or not share.high else f"; at most {percent(share.high)}"
            return ("none" if is_none else f"{self.withheld} a day") + most
        at_least, at_most = ("at least ", "at most ") if share.is_lower_bound else ("", "")
        ends = f"from {percent(share.low)}"
        if share.high is not None:
            ends = f"{percent(share.low)[:-1]}\N{EN DASH}{percent(share.high)}"
        return (
            f"{at_least}{share.conversations:,} of {at_most}{share.whole:,} conversations, "
            f"{at_least}{percent(share.share)} (95% interval {ends})"
        )

    def counts(self, share: Share) -> str:
        """Writes a share as two counts, e.g. `12 of 345`."""
        if not share.conversations or share.whole is None:
            return ""
        return f"{share.conversations:,} of {share.whole:,}"


def percent(share: float) -> str:
    """Writes a share in [0, 1] as a percentage with about three digits."""
    value = share * 100
    if 0 < value < 0.01:
        return "<0.01%"
    digits = 0 if value in (0, 100) else 2 if value < 1 else 1
    return f"{value:.{digits}f}%"


def percent_interval(share: Share) -> str:
    """Writes the 95 % interval of a share; for a lower bound, only the lower end."""
    if share.low is None:
        return ""
    if share.high is None or share.is_lower_bound:
        return f"from {percent(share.low)}"
    return f"{percent(share.low)[:-1]}\N{EN DASH}{percent(share.high)}"


def reliability(drift: Drift | None) -> str:
    """Writes in one sentence how often a drift that the classifier finds is real."""
    if drift is None or not drift.said:
        return (
            "Single drifts cannot be supported yet by the labels: how often a drift that the "
            "classifier finds is real has not been measured."
        )
    measured = (
        f"of {drift.said:,} labelled conversations that the classifier said drift, "
        f"{drift.true_positives:,} ({percent(drift.true_positives / drift.said)}) really do."
    )
    if drift.is_supported:
        return f"How reliable this is: {measured}"
    return f"Single drifts cannot be supported yet by the labels: {measured}"


def points(change: float) -> str:
    """Writes a sentiment change in points, with its sign."""
    text = f"{change:+.2f}"
    return "0.00" if text in ("+0.00", "-0.00") else text.replace("-", _MINUS)


def points_interval(change: Change) -> str:
    """Writes the 95 % interval of a mean change."""
    if change.low is None or change.high is None:
        return ""
    return f"{points(change.low)} to {points(change.high)}"


def readable(name: str) -> str:
    """Writes a label in plain words. Names that the project did not define keep their words."""
    return _NAMES.get(name, name.replace("_", " ").capitalize())

"""Formats shares, intervals, counts and names as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pipelines.report.figures import Change, Receipt, Share
from schemas.published import RAW
from transforms.estimation.rates import Drift

NOT_SUPPORTED: Final = "not supported"
"""Stands for a correction that the measured error rates do not support."""

TOO_FEW: Final = "too few"
"""Stands for a figure that was not published."""

NONE: Final = "none"
"""Stands for a figure of no conversations."""

_MINUS: Final = "\N{MINUS SIGN}"


_NAMES: Final[Mapping[str, str]] = {
    "all": "All conversations",
    "affective": "Affective",
    "none": "No type",
    "ai_identity": "AI identity",
    "harm_or_illegal": "Harm or illegal",
    "policy_other": "Other policy",
}


def count(conversations: int | None) -> str:
    """Writes a number of conversations."""
    return TOO_FEW if conversations is None else f"{conversations:,}"


def estimate(share: Share) -> str:
    """Writes the best estimate of a share as a percentage."""
    return _missing(share.conversations) if share.best is None else percent(share.best)


def raw(share: Share) -> str:
    """Writes the raw share as a percentage."""
    return _missing(share.conversations) if share.raw is None else percent(share.raw)


def method(share: Share) -> str:
    """Writes how a share was made, and whether a correction is not supported."""
    if share.method is None:
        return ""
    if share.method == RAW and not share.is_supported:
        return f"raw, correction {NOT_SUPPORTED}"
    return share.method


def beside(share: Share) -> str:
    """Writes the note beside the best estimate: the raw share, or that the estimate is raw."""
    if share.raw is None or share.is_counted:
        return ""
    return f"raw {percent(share.raw)}" if share.is_corrected else method(share)


def judge(receipt: Receipt) -> str:
    """Writes who judged the sample, and how many conversations at least."""
    return f"{receipt.judge}, at least {plural(receipt.judgements, 'conversation')}"


def mean(change: Change) -> str:
    """Writes a mean change in points."""
    return _missing(change.conversations) if change.mean is None else points(change.mean)


def counts(share: Share) -> str:
    """Writes a share as two counts, e.g. `12 of 345`."""
    if not share.conversations or share.whole is None:
        return ""
    return f"{share.conversations:,} of {share.whole:,}"


def drift(share: Share) -> str:
    """Writes how many conversations turn from coaching or counseling to companionship."""
    if share.best is None:
        return estimate(share)
    return (
        f"{counts(share)} conversations, {percent(share.best)} "
        f"(95% interval {percent_interval(share)})"
    )


def protection(receipt: Receipt) -> list[str]:
    """Writes in sentences how the published numbers were protected."""
    policy = receipt.policy
    if policy.is_exact:
        return [
            "Every number is exact, and every figure is shown, however small. That suits only your "
            "own conversations. This report is not anonymous: do not pass it on."
        ]
    said = [
        f"A figure is shown only if it has at least {plural(policy.min_users, 'distinct user')} "
        f"and {plural(policy.min_conversations, 'conversation')}. All others are called "
        f"\u201c{TOO_FEW}\u201d; they need not be zero."
    ]
    if policy.max_noise:
        said.append(
            f"Every number of conversations has noise of at most \N{PLUS-MINUS SIGN}"
            f"{policy.max_noise} (variance {policy.variance:g}), so that nobody can be singled out "
            "by a difference. The noise is zero on average, and the intervals cover it."
        )
    said.append(
        f"Each breakdown shows at most {plural(policy.max_values, 'value')}, those with the most "
        "users. The rest counts as \u201cother\u201d."
    )
    return said


def _missing(conversations: int | None) -> str:
    return NONE if conversations == 0 else TOO_FEW


def percent(share: float) -> str:
    """Writes a share in [0, 1] as a percentage with about three digits."""
    value = share * 100
    if 0 < value < 0.01:
        return "<0.01%"
    digits = 0 if value in (0, 100) else 2 if value < 1 else 1
    return f"{value:.{digits}f}%"


def percent_interval(share: Share) -> str:
    """Writes the 95 % interval of a share."""
    if share.low is None or share.high is None:
        return ""
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


def plural(number: int, noun: str) -> str:
    """Writes a number of things."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"

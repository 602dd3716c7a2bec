"""Finds versions of a window whose judged figures differ by few judgements."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Final

from pipelines.operations.audit.evidence import Evidence, Finding, Row, Version
from schemas.published import JUDGED

ATTACK: Final = "differences between judgements"
_SAME_COUNTS: Final = (
    "breakdown", "breakdown_value", "measure", "facet", "facet_value", "whole_facet", "whole_value",
    "conversations", "whole_conversations", "raw",
)  # fmt: skip
_ESTIMATE: Final = ("corrected", "low", "high", "method")


def find_judged_changes(evidence: Evidence) -> Iterator[Finding]:
    """Yields a finding for each pair of versions that differ by too few judgements.

    Figures whose counts differ are left out: `corrections` looks at the counts.
    """
    for versions in evidence.by_window().values():
        for earlier, later in combinations(versions, 2):
            if _may_differ(earlier, later):
                continue
            if moved := _moved(earlier, later):
                yield Finding(
                    ATTACK,
                    f"{later.publication} (attempt {later.attempt}) differs from "
                    f"{earlier.publication} in {moved:,} judged figures, by fewer than "
                    f"{later.policy.min_users} judgements",
                )


def find_exact_receipts(evidence: Evidence) -> Iterator[Finding]:
    """Yields a finding for each receipt with an exact number of judgements."""
    for version in evidence.protected():
        if version.judgements % version.policy.min_users:
            yield Finding(
                ATTACK,
                f"the receipt of {version.publication} states {version.judgements:,} judgements, "
                f"which is not rounded to a multiple of {version.policy.min_users}",
            )


def _may_differ(earlier: Version, later: Version) -> bool:
    """Tells whether the figures have another judge, or enough new judgements."""
    if earlier.judge != later.judge:
        return True
    return abs(later.judgements - earlier.judgements) >= later.policy.min_users


def _moved(earlier: Version, later: Version) -> int:
    before = {_counts(row): row for row in earlier.figures}
    return sum(
        1
        for row in later.figures
        if (old := before.get(_counts(row))) is not None
        and JUDGED in {old["method"], row["method"]}
        and any(old[column] != row[column] for column in _ESTIMATE)
    )


def _counts(row: Row) -> tuple[object, ...]:
    return tuple(row[column] for column in _SAME_COUNTS)

"""Finds published cells that have too few users or conversations."""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.operations.audit.evidence import Evidence, Finding, Version

ATTACK = "rows under a threshold"


def find_small_rows(evidence: Evidence) -> Iterator[Finding]:
    """Yields a finding for each version with cells that should have been withheld."""
    for version in evidence.protected():
        small = sum(1 for _ in _small_cells(version))
        if small:
            yield Finding(
                ATTACK,
                f"{version.publication} publishes {small:,} cells with fewer than "
                f"{version.policy.min_users} users or {version.policy.min_conversations} "
                "conversations",
            )
        unknown = sum(1 for place, index, _ in version.cells()
                      if version.basis and version.true_sums(place, index) is None)  # fmt: skip
        if unknown:
            yield Finding(
                ATTACK,
                f"{version.publication} publishes {unknown:,} cells that are not in its basis, so "
                "nothing says that they are large enough",
            )


def _small_cells(version: Version) -> Iterator[int]:
    policy = version.policy
    for place, index, number in version.cells():
        sums = version.true_sums(place, index)
        if number < policy.min_conversations - policy.max_noise:
            yield index  # Noise never makes a large enough number so small.
        elif sums is not None and not policy.allows(sums):
            yield index

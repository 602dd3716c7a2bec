"""Compares the versions of each window, and finds changes that reveal something about few users."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, pairwise
from typing import Final, NamedTuple

from pipelines.operations.audit.evidence import Evidence, Finding, Row, Version
from schemas.published import JUDGED
from transforms.counting.cells import BREAKDOWN_IDS, NOTHING
from transforms.counting.places import Place

ATTACK: Final = "differences between versions"
_ALL_PAIRS_UP_TO: Final = 30
"""If a window has more versions than this, only successive ones are compared."""
_FIGURE_KEY: Final = (
    "breakdown", "breakdown_value", "measure", "facet", "facet_value", "whole_facet", "whole_value",
)  # fmt: skip
_FIGURE_VALUES: Final = ("raw", "corrected", "low", "high")


class Change(NamedTuple):
    """The differences between two versions of a window.

    Attributes:
      earlier, later: publications that are compared.
      cells: number of cells that change.
      isolating: cells whose number of users changes by fewer than min_users. They reveal something
        about these users.
      is_from_truth: whether the true numbers of users are known. If not, `isolating` has the cells
        whose published number changes little.
    """

    earlier: Version
    later: Version
    cells: int
    isolating: tuple[tuple[Place, int], ...]
    is_from_truth: bool

    @property
    def facts(self) -> int:
        """Number of different facts that the isolating cells reveal, such as a country or a use."""
        return len({(place.breakdown, index) for place, index in self.isolating})


def changes(evidence: Evidence) -> Iterator[Change]:
    """Yields the changes between the versions of each window, including withdrawn ones.

    Old rows stay in the tables, so a reader can compare any two versions.
    """
    for versions in evidence.by_window().values():
        few = len(versions) <= _ALL_PAIRS_UP_TO
        for earlier, later in combinations(versions, 2) if few else pairwise(versions):
            yield _compared(earlier, later)


def find_isolating_changes(evidence: Evidence) -> Iterator[Finding]:
    """Yields a finding for each pair of versions that differ by only a few users."""
    for change in changes(evidence):
        names = f"{_name(change.later)} differs from {_name(change.earlier)}"
        if change.isolating:
            why = (
                f"by fewer than {change.later.policy.min_users} users"
                if change.is_from_truth
                else "by so few conversations that single people may be seen"
            )
            yield Finding(
                ATTACK, f"{names} in {len(change.isolating):,} cells {why}; together these tell "
                f"{change.facts:,} facts",
            )  # fmt: skip
        if moved := _moved_figures(change.earlier, change.later):
            yield Finding(
                ATTACK, f"{names} in {moved:,} figures of places whose cells do not differ",
            )  # fmt: skip


def _name(version: Version) -> str:
    return f"{version.publication} ({version.status} attempt {version.attempt})"


def _compared(earlier: Version, later: Version) -> Change:
    known = earlier.basis is not None and later.basis is not None
    isolating, changed = [], 0
    for place in earlier.numbers.keys() | later.numbers.keys():
        before, after = earlier.numbers.get(place, {}), later.numbers.get(place, {})
        for index in before.keys() | after.keys():
            was = earlier.true_sums(place, index) or NOTHING
            now = later.true_sums(place, index) or NOTHING
            if before.get(index) == after.get(index) and (not known or was == now):
                continue
            changed += 1
            policy = later.policy
            if known:
                is_isolating = abs(now.users - was.users) < policy.min_users
            elif index in before and index in after:
                least = policy.min_users - 2 * policy.max_noise
                is_isolating = abs(after[index] - before[index]) < least
            else:
                is_isolating = False
            if is_isolating:
                isolating.append((place, index))
    return Change(earlier, later, changed, tuple(sorted(isolating)), known)


def _moved_figures(earlier: Version, later: Version) -> int:
    """Counts the figures that change although the cells of their place do not.

    New error rates change figures too, so versions with other rates are left out. So are judged
    figures; see `judged.changes`.
    """
    if (earlier.classifier_version, earlier.rates) != (later.classifier_version, later.rates):
        return 0
    before = {_key(row): row for row in earlier.figures}
    moved = 0
    for row in later.figures:
        old = before.get(_key(row))
        if old is None or JUDGED in {old["method"], row["method"]}:
            continue
        if any(old[c] != row[c] for c in _FIGURE_VALUES):
            place = Place(BREAKDOWN_IDS.get(row["breakdown"], -1), row["breakdown_value"])
            moved += earlier.numbers.get(place) == later.numbers.get(place)
    return moved


def _key(figure: Row) -> tuple[object, ...]:
    return tuple(figure[column] for column in _FIGURE_KEY)

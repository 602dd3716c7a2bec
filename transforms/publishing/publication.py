"""Makes the next publication of a window from its exact counts and its last publication.

This module does not use Beam.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from transforms.counting.cells import Sums
from transforms.counting.places import Cells, Place, WindowCounts
from transforms.counting.windows import Window
from transforms.facets.registry import SUMMING_CHANGE
from transforms.publishing.basis import Past, extended_past, new_basis
from transforms.publishing.noise import Purpose, noise
from transforms.publishing.policy import Policy
from transforms.publishing.values import fold_values


class Provenance(NamedTuple):
    """Where the counts of a publication come from.

    Attributes:
      key_id: id of the secret that the record keys are made with. These keys decide the noise.
      metrics_version: version of the definitions.
      classifier_version: version of the classifier's weights; several are separated by commas.
      generations: how many jobs counted the window, one after another. With more than one, the
        numbers of users are lower bounds.
      judge: who judged a sample of the conversations; empty if nobody did.
      judgements: how many judged conversations the figures are made from, rounded down to a
        multiple of `min_users`.
    """

    key_id: str
    metrics_version: str
    classifier_version: str
    generations: int = 1
    judge: str = ""
    judgements: int = 0

    def is_judged_better(self, last: Provenance, min_users: int) -> bool:
        """Tells whether there are new judgements of at least `min_users` conversations.

        Two publications of a window never differ by the judgements of fewer. If the judge is
        another one, all judged numbers get another noise.
        """
        is_same = self.judge == last.judge
        return self.judgements > (last.judgements + min_users if is_same else 0)

    def with_judge_of(self, last: Provenance) -> Provenance:
        """Returns the provenance of a version that keeps the judged figures of the last one."""
        # The few figures that change use the new judgements, so these are not new next time.
        return self._replace(judge=last.judge, judgements=max(self.judgements, last.judgements))


class PublishedSums(NamedTuple):
    """The published sums of a cell: the true sums plus noise.

    Attributes:
      conversations: number of conversations; never negative.
      change: sum of their changes of mood, in three-hundredths of a point; None in slices that do
        not sum it.
      change_squares: sum of the squares, in ninety-thousandths of a squared point. Noise can make
        it negative. It is not raised to 0, because that would bias the estimates.
    """

    conversations: int
    change: int | None
    change_squares: int | None


PublishedCells = dict[Place, dict[int, PublishedSums]]
"""The published cells of a window: place -> slice index -> sums."""


@dataclass(frozen=True)
class Published:
    """One publication of one window.

    Attributes:
      window: the window.
      version: 1 for its first publication, then 2, and so on.
      policy: how the numbers are protected.
      provenance: where the counts come from.
      basis: the exact counts of the published cells and of no others. Restricted.
      past: the numbers of users of cells in earlier versions. Restricted.
    """

    window: Window
    version: int
    policy: Policy
    provenance: Provenance
    basis: WindowCounts
    past: Past = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Identifies the publication, e.g. day/2026-11-20/1."""
        return f"{self.window.kind}/{self.window.name}/{self.version}"

    @cached_property
    def cells(self) -> PublishedCells:
        """The published cells, in the order of the basis."""
        return perturbed(self.basis, self.policy)


def publish(
    window: Window,
    counts: Mapping[Place, Cells],
    last: Published | None,
    policy: Policy,
    provenance: Provenance,
    *,
    is_withdrawn: bool = False,
) -> Published | None:
    """Makes the next publication of a window.

    Args:
      window: the window.
      counts: its exact counts.
      last: its last publication; None if there is none.
      policy: how the numbers are protected.
      provenance: where the counts come from.
      is_withdrawn: whether the last publication was withdrawn. Then the next one is made even if
        no number changes. Readers may have kept the withdrawn numbers, so `new_basis` still
        compares with them. If the last publication can't be corrected, e.g. because its policy was
        the mistake, the window starts fresh.

    Guarantees: the result does not depend on the order of the counts. `new_basis` decides which
    cells get a new basis. A cell's noise depends only on its basis, so all other cells keep their
    numbers.

    Returns:
      The publication. None if nothing changes, or if `kept_because` gives a reason. A first
      publication is never None; it may have no cells. If only the judgements are new, all cells
      keep their basis.
    """
    kept = None if last is None else kept_because(last, policy, provenance)
    if last is None or (kept and is_withdrawn):
        folded = fold_values(counts, (), policy.max_values)
        basis = new_basis(folded, {}, {}, policy)
        return Published(window, last.version + 1 if last else 1, policy, provenance, basis)
    is_judged = provenance.is_judged_better(last.provenance, policy.min_users)
    if kept and not is_judged:
        return None
    if kept:
        judged = last.provenance._replace(judge=provenance.judge, judgements=provenance.judgements)
        return replace(last, version=last.version + 1, provenance=judged)
    folded = fold_values(counts, last.basis, policy.max_values)
    basis = new_basis(folded, last.basis, last.past, policy)
    if basis == last.basis and not is_withdrawn and not is_judged:
        return None
    past = extended_past(last.past, last.basis, basis)
    both = _joined(last.provenance, provenance)
    if not is_judged:
        both = both.with_judge_of(last.provenance)
    return Published(window, last.version + 1, policy, both, basis, past)


def kept_because(last: Published, policy: Policy, provenance: Provenance) -> str | None:
    """Returns the reason why a published window can't be corrected, or None if it can.

    A published window keeps its policy, its secret and its definitions. With new noise on the same
    conversations, a reader could average the noise away. With new thresholds, a reader could
    compare the two versions.

    Returns:
      The reason as a clause, or None.
    """
    if replace(policy, publish_after=last.policy.publish_after) != last.policy:
        return f"it was published with another policy: {last.policy.encode()}"
    if provenance.key_id != last.provenance.key_id:
        return "it was published with another secret"
    if provenance.metrics_version != last.provenance.metrics_version:
        return f"it was published with definitions {last.provenance.metrics_version}"
    if max(last.provenance.generations, provenance.generations) > 1:
        # Two lower bounds may differ by more people than the true numbers do.
        return "several jobs counted it, so its number of users is not known exactly"
    return None


def perturbed(basis: Mapping[Place, Cells], policy: Policy) -> PublishedCells:
    """Adds the noise to exact sums."""
    flat = [(place, index, sums) for place, cells in basis.items() for index, sums in cells.items()]
    counts = _noise_of([sums for _, _, sums in flat], Purpose.CONVERSATIONS, policy)
    moods = [sums for _, index, sums in flat if index in SUMMING_CHANGE]
    changes = iter(_noise_of(moods, Purpose.CHANGE, policy))
    squares = iter(_noise_of(moods, Purpose.CHANGE_SQUARES, policy))
    published: PublishedCells = {place: {} for place in basis}
    for (place, index, sums), extra in zip(flat, counts, strict=True):
        has_change = index in SUMMING_CHANGE
        published[place][index] = PublishedSums(
            sums.conversations + extra,
            sums.change + next(changes) if has_change else None,
            sums.change_squares + next(squares) if has_change else None,
        )
    return published


def _noise_of(cells: list[Sums], purpose: Purpose, policy: Policy) -> list[int]:
    counts = np.array([sums.conversations for sums in cells], np.int64)
    keys = np.array([sums.key for sums in cells], np.int64)
    found: list[int] = noise(counts, keys, purpose, policy.variance, policy.max_noise).tolist()
    return found


def _joined(last: Provenance, new: Provenance) -> Provenance:
    """Joins the versions. A correction may have cells of the last classifier and of the new one."""
    versions = {*last.classifier_version.split(","), *new.classifier_version.split(",")}
    return new._replace(classifier_version=",".join(sorted(versions)))

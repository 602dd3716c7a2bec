"""Compares how often judged figures have no noise with how often the noise is 0.

If every conversation of a window is judged, a judged figure without noise tells the true number of
conversations with a label. The audit does not miss it elsewhere: it makes each figure again without
noise, from the same sample.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

import numpy as np

from pipelines.operations.audit.evidence import Evidence, Finding, Row, Version, chance_of_no_noise
from pipelines.operations.audit.exactness import Tally
from schemas.published import JUDGED, MEAN_CHANGE, SHARE
from transforms.counting.cells import BREAKDOWN_IDS
from transforms.counting.places import Place
from transforms.estimation.figures import figures_of
from transforms.estimation.judged_figures import JudgedSample, JudgedTable, Noise, sample_for
from transforms.facets.registry import INDEX, Slice
from transforms.publishing.publication import perturbed

ATTACK: Final = "judged figures without noise"
WITHHELD: Final = "judged figures of withheld cells"
_CLOSE: Final = 1e-9
_KEY: Final = (
    "breakdown", "breakdown_value", "measure", "facet", "facet_value", "whole_facet", "whole_value",
)  # fmt: skip


class Exactness(NamedTuple):
    """How often judged numbers are exact.

    Attributes:
      figures: judged figures, and how many equal what they would be without noise.
      census: figures of places of which every conversation is judged, and how many give the true
        number of conversations when multiplied with the published whole.
    """

    figures: Tally
    census: Tally

    def tallies(self) -> Iterator[tuple[str, Tally]]:
        """Yields each tally with its name."""
        yield "judged figures", self.figures
        yield "judged numbers where everybody is judged", self.census


def judged_exactness(evidence: Evidence) -> Exactness:
    """Returns how often judged figures of current publications are exact.

    Figures that are made from the same conversations have the same noise, so they count once.
    """
    found = Exactness(Tally(), Tally())
    for window, version in evidence.current().items():
        sample = sample_for(window, evidence.judged)
        if sample.inside and version.judge:
            _add(found, version, sample)
    return found


def find_exact_judgements(evidence: Evidence) -> Iterator[Finding]:
    """Yields a finding for judged figures that have no noise too often."""
    for name, tally in judged_exactness(evidence).tallies():
        if tally.is_suspicious():
            yield Finding(
                ATTACK,
                f"{tally.exact:,} of {tally.numbers:,} {name} are exact, but noise leaves only "
                f"{tally.expected_share:.0%} exact",
            )


def find_withheld_judgements(evidence: Evidence) -> Iterator[Finding]:
    """Yields a finding for versions with judged shares or means of cells that are withheld."""
    for version in evidence.protected():
        withheld = sum(
            1
            for row in version.figures
            if row["method"] == JUDGED and row["measure"] in {SHARE, MEAN_CHANGE}
            and not _is_published(version, row)
        )  # fmt: skip
        if withheld:
            yield Finding(
                WITHHELD, f"{version.publication} has {withheld:,} judged figures of cells that it "
                "withholds",
            )  # fmt: skip


def _is_published(version: Version, row: Row) -> bool:
    place = Place(BREAKDOWN_IDS.get(row["breakdown"], -1), row["breakdown_value"])
    here = version.numbers.get(place, {})
    index = INDEX.get(Slice(row["facet"], row["facet_value"]))
    return index in here or (row["facet"] in BREAKDOWN_IDS and place in version.numbers)


def _add(found: Exactness, version: Version, sample: JudgedSample) -> None:
    without = _without_noise(version, sample)
    table = JudgedTable(sample.inside)
    seen: set[tuple[object, ...]] = set()
    for row in version.figures:
        if row["method"] != JUDGED or row["measure"] not in {SHARE, MEAN_CHANGE}:
            continue
        place = Place(BREAKDOWN_IDS[row["breakdown"]], row["breakdown_value"])
        index = INDEX[Slice(row["facet"], row["facet_value"])]
        rows = table.rows_of(place)
        members = rows[table.truth[rows, index] > 0]
        same = (row["measure"], row["whole_value"], int(table.keys[members].sum()), len(members))
        exact = without.get(tuple(row[column] for column in _KEY))
        if same in seen or exact is None:
            continue
        seen.add(same)
        chance = chance_of_no_noise(len(members), version.policy)
        found.figures.add(abs(row["corrected"] - exact) < _CLOSE, chance)
        if row["measure"] == SHARE and np.all(table.probability[rows] == 1):
            guess = round(row["corrected"] * row["whole_conversations"])
            found.census.add(guess == len(members), chance)


def _without_noise(
    version: Version, sample: JudgedSample
) -> Mapping[tuple[object, ...], float | None]:
    if version.basis is None:
        return {}
    cells = perturbed(version.basis, version.policy)
    figures = figures_of(cells, Noise(version.policy.variance, 0), None, sample)
    return {
        tuple(getattr(figure, column) for column in _KEY): figure.corrected for figure in figures
    }

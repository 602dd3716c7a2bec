"""Compares how often published numbers are exact with how often noise leaves them exact."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Final

from pipelines.operations.audit.evidence import (
    CHANCE,
    Evidence,
    Finding,
    Row,
    Version,
    chance_of_at_least,
    chance_of_no_noise,
)
from schemas.published import FALSE_ALARMS, MEAN_CHANGE, RECALL, SHARE
from transforms.counting.cells import BREAKDOWN_IDS, BREAKDOWN_NAMES, Sums
from transforms.counting.places import Place
from transforms.estimation.shares import EVERYTHING
from transforms.facets.registry import INDEX, SLICES, Slice
from transforms.publishing.relations import OVERALL, cell_of

ATTACK: Final = "exact numbers"
ALL_CELLS: Final = "all cells"
_FLOAT_COLUMNS: Final = ("raw", "corrected", "low", "high")
_CLOSE: Final = 1e-12
_UNITS_PER_POINT: Final = 300
_COINCIDENCES: Final = 0.02
"""An upper bound for the share of figures that equal the true ones by chance."""


class Tally:
    """Counts how many numbers are exact, and how many chance would make exact."""

    def __init__(self) -> None:
        self.exact = self.numbers = 0
        self._expected = 0.0

    def add(self, is_exact: bool, chance: float) -> None:
        """Adds one number."""
        self.exact += is_exact
        self.numbers += 1
        self._expected += chance

    @property
    def expected_share(self) -> float:
        """The share of numbers expected to be exact by chance."""
        return self._expected / self.numbers if self.numbers else 0.0

    def is_suspicious(self) -> bool:
        """Tells whether there are more exact numbers than chance explains."""
        return chance_of_at_least(self.exact, self.numbers, self.expected_share) < CHANCE


def exactness(evidence: Evidence) -> dict[str, Tally]:
    """Returns how often numbers are exact: overall, by facet, by breakdown and by publication.

    Cells with the same conversations have the same noise, so they count once.
    """
    tallies: defaultdict[str, Tally] = defaultdict(Tally)
    for version in evidence.protected():
        seen: set[tuple[int, int]] = set()
        for place, index, number in version.cells():
            sums = version.true_sums(place, index)
            if sums is None or (sums.key, sums.conversations) in seen:
                continue
            seen.add((sums.key, sums.conversations))
            chance = chance_of_no_noise(sums.conversations, version.policy)
            names = (
                ALL_CELLS,
                f"facet {SLICES[index].facet}",
                f"breakdown {BREAKDOWN_NAMES[place.breakdown]}",
                version.publication,
            )
            for name in names:
                tallies[name].add(number == sums.conversations, chance)
    return dict(tallies)


def find_exact_numbers(evidence: Evidence) -> Iterator[Finding]:
    """Yields a finding for numbers that are exact too often or off by too much."""
    for name, tally in exactness(evidence).items():
        if tally.is_suspicious():
            yield Finding(
                ATTACK,
                f"{name}: {tally.exact:,} of {tally.numbers:,} numbers of conversations are exact, "
                f"but noise leaves only {tally.expected_share:.0%} exact",
            )
    for version in evidence.protected():
        far = sum(1 for place, index, number in version.cells()
                  if (sums := version.true_sums(place, index)) is not None
                  and abs(number - sums.conversations) > version.policy.max_noise)  # fmt: skip
        if far:
            yield Finding(
                ATTACK, f"{version.publication} has {far:,} numbers that are off by more than "
                f"max_noise, {version.policy.max_noise}",
            )  # fmt: skip
    yield from _find_exact_figures(evidence)


def _find_exact_figures(evidence: Evidence) -> Iterator[Finding]:
    tallies: defaultdict[str, Tally] = defaultdict(Tally)
    for version in evidence.protected():
        strange, sums = 0, _sums_of_parts(version)
        for figure in version.figures:
            strange += _says_another_number(version, figure, sums)
            for column, is_exact in _compared(version, figure):
                tallies[column].add(is_exact, _COINCIDENCES)
        if strange:
            yield Finding(
                ATTACK,
                f"{strange:,} figures of {version.publication} state a number of conversations "
                "that its aggregates do not; two noises on one number can be averaged away",
            )
    for column, tally in tallies.items():
        if tally.is_suspicious():
            yield Finding(
                ATTACK,
                f"column figures.{column}: {tally.exact:,} of {tally.numbers:,} values equal the "
                "true one, and the noise does not explain it",
            )


def _spot(figure: Row, facet: str, value: str) -> tuple[Place, int] | None:
    breakdown = BREAKDOWN_IDS.get(figure["breakdown"])
    index = INDEX.get(Slice(figure[facet], figure[value]))
    if breakdown is None or index is None:
        return None
    return Place(breakdown, figure["breakdown_value"]), index


def _counted(figure: Row) -> tuple[Place, int] | None:
    """Returns the cell whose number a figure states."""
    spot = _spot(figure, "facet", "facet_value")
    if spot is None or figure["measure"] not in {RECALL, FALSE_ALARMS}:
        return spot
    return spot[0], INDEX[EVERYTHING]


def _sums_of_parts(version: Version) -> Counter[tuple[object, ...]]:
    """Adds up the parts of each whole. Shares that sum to one are divided by such a sum."""
    sums: Counter[tuple[object, ...]] = Counter()
    for figure in version.figures:
        sums[_family(figure)] += int(figure["conversations"])
    return sums


def _family(figure: Row) -> tuple[object, ...]:
    columns = ("breakdown", "breakdown_value", "facet", "whole_facet", "whole_value")
    return tuple(figure[column] for column in columns)


def _says_another_number(
    version: Version, figure: Row, sums: Mapping[tuple[object, ...], int]
) -> bool:
    if not _is_published(version, _counted(figure), figure["conversations"]):
        return True
    whole = figure["whole_conversations"]
    if figure["whole_facet"] is None or whole == sums[_family(figure)]:
        return False
    return not _is_published(version, _spot(figure, "whole_facet", "whole_value"), whole)


def _is_published(version: Version, spot: tuple[Place, int] | None, number: int) -> bool:
    """Tells whether the aggregates state a number of a cell, maybe under another breakdown."""
    if spot is None:  # `words` reports unknown names.
        return True
    place, index = spot
    cell = cell_of(index)
    if BREAKDOWN_NAMES[place.breakdown] == OVERALL and cell is not None:
        place, index = Place(BREAKDOWN_IDS[cell.breakdown], cell.value), cell.slice_index
    return version.numbers.get(place, {}).get(index) == number


def _compared(version: Version, figure: Row) -> Iterator[tuple[str, bool]]:
    """Yields the column of each float that noise should change, and whether the float is exact."""
    part_at = _spot(figure, "facet", "facet_value")
    part = version.true_sums(*part_at) if part_at else None
    if part is None:
        return
    if figure["measure"] == SHARE:
        whole_at = _spot(figure, "whole_facet", "whole_value")
        whole = version.true_sums(*whole_at) if whole_at else None
        if whole is None or part.conversations in {0, whole.conversations}:
            return
        true = part.conversations / whole.conversations
        stated = figure["whole_conversations"]
        if stated and abs(figure["conversations"] / stated - true) < _CLOSE:
            return  # The noise happens to leave the share as it is.
    elif figure["measure"] == MEAN_CHANGE and part.change:
        true = _mean_change(part)
    else:
        return
    for column in _FLOAT_COLUMNS:
        value = figure[column]
        if value is not None and 0 < abs(value) < 1:
            yield column, abs(value - true) < _CLOSE


def _mean_change(sums: Sums) -> float:
    return sums.change / _UNITS_PER_POINT / sums.conversations

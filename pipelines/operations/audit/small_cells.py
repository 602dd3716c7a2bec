"""Guesses the small cells, which were not published, and scores the guesses."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import lru_cache, reduce
from typing import Final

import numpy as np

from pipelines.operations.audit.evidence import Evidence, Score, Version, totalled
from pipelines.operations.audit.solve import NO_BOUND, Bounds, Prior, bounds, least_squares
from pipelines.operations.audit.system import (
    TIME_FAMILY,
    Flags,
    Floats,
    Indexes,
    System,
    parts_of,
    system_of,
)
from transforms.counting.windows import DAY, HOUR, Window
from transforms.publishing.distribution import SCALE, cumulative
from transforms.publishing.relations import Sense

MIDDLING: Final = 5
"""Cells with at least this many conversations count as middling."""

SUBTRACTION: Final = "subtraction: one unknown in a relation"
TIME: Final = "subtraction: hours against days, days against longer windows"
INTERSECTION: Final = "singling out: a cell minus cells within it"
LEAST_SQUARES: Final = "least squares over all relations"
INFORMED: Final = "least squares, with the mean of small cells known"
BOUNDS: Final = "bounds from all relations: the middle"
PINNED: Final = "bounds that leave one number, against bounds without numbers"
HISTORY: Final = "earlier versions of a cell"
HEDGED: Final = "constant within the bounds, against bounds without numbers"
CALIBRATED: Final = "least squares, read as on many such days"
"""This attack has no bound. Every useful table shows which groups are large, and cells within a
large group are rarely 1. The score shows how much that reveals."""


def scores(evidence: Evidence) -> list[Score]:
    """Attacks the small cells of the current publications; empty if the truth is not known."""
    return totalled(score for system in systems(evidence) for score in _attack(system)) + list(
        _history(evidence)
    )


def systems(evidence: Evidence) -> Iterator[System]:
    """Yields what an attacker knows, in parts: each day with its hours, then all longer windows."""
    current, counts = evidence.current(), evidence.counts
    if counts is None:
        return
    windows = set(current)
    longer = {w: v for w, v in current.items() if w.kind not in {HOUR, DAY}}
    groups: list[dict[Window, Version]] = [
        {w: current[w] for w in (day, *parts_of(day, windows))}
        for day in sorted(windows)
        if day.kind == DAY
    ]
    covered = {w for group in groups for w in group}
    groups += [{w: v} for w, v in current.items() if w not in covered and w not in longer]
    if longer:
        groups.append(longer | {w: v for w, v in current.items() if w.kind == DAY})
    for group in groups:
        if any(version.numbers for version in group.values()):
            yield system_of(group, counts)


def _attack(system: System) -> Iterator[Score]:
    least = system.least
    small = system.small()
    for name, is_time in ((SUBTRACTION, False), (TIME, True)):
        guesses = _subtracted(system, is_time=is_time)
        yield _score(name, guesses, system.truth, small & ~np.isnan(guesses), least)
    yield _intersections(system)
    solved = least_squares(system)
    yield _score(LEAST_SQUARES, solved, system.truth, small, least)
    yield _calibrated(solved, system)
    values = system.truth[small]
    prior = Prior(float(values.mean()), float(values.var()) + 1) if small.any() else Prior(1, 1)
    yield _score(INFORMED, least_squares(system, prior), system.truth, small, least)
    yield from _from_bounds(system)


def _from_bounds(system: System) -> Iterator[Score]:
    found = bounds(system)
    small, least = system.small(), system.least
    bounded = small & (found.high < NO_BOUND)
    middle = np.floor((found.low + np.minimum(found.high, least - 1)) / 2)
    yield _score(BOUNDS, middle, system.truth, bounded, least)
    blind = bounds(system._replace(published=np.full(len(middle), np.nan)))
    for name, guesses, chosen in (
        (PINNED, found.low, small & found.pinned()),
        (HEDGED, _hedged(system, found), small),
    ):
        score = _score(name, guesses, system.truth, chosen, least, is_bounded=False)
        without = _score(name, _hedged(system, blind), system.truth, chosen, least)
        yield score._replace(constant=without.exact, constant_near=without.near)


def _hedged(system: System, known: Bounds) -> Floats:
    """Guesses the best constant wherever the bounds allow it, and otherwise the nearest bound."""
    constant = float(_best_constant(system.truth[system.small()], 0))
    guesses: Floats = np.clip(np.full(len(system.cells), constant), known.low, known.high)
    return guesses


def _calibrated(solved: Floats, system: System) -> Score:
    """Replaces each estimate with the number that is most often true for such an estimate.

    The numbers are learned from half of the cells, and the other half is attacked.
    """
    cells = np.flatnonzero(system.small())
    taught, attacked = np.zeros((2, len(solved)), np.bool_)
    taught[cells[::2]] = attacked[cells[1::2]] = True
    estimates = np.clip(np.round(solved), -system.max_noise, system.least + system.max_noise)
    constant = _best_constant(system.truth[taught], 0)
    guesses = np.full(len(solved), float(constant))
    for estimate in np.unique(estimates[taught]):
        like_it = estimates == estimate
        guesses[like_it] = _best_constant(system.truth[taught & like_it], 0)
    return _score(CALIBRATED, guesses, system.truth, attacked, system.least, is_bounded=False)


def _subtracted(system: System, *, is_time: bool) -> Floats:
    """Solves the equations with one unpublished cell; returns the mean for each cell, or NaN."""
    unpublished = system.unpublished()
    sums, weights = np.zeros(len(system.cells)), np.zeros(len(system.cells))
    for equation in system.equations:
        if equation.sense is not Sense.EQUAL or (equation.family == TIME_FAMILY) != is_time:
            continue
        unknown = [c for c in (equation.total, *equation.parts) if unpublished[c]]
        if len(unknown) == 1:
            (cell,) = unknown
            others = float(sum(system.published[p] for p in equation.parts if p != cell))
            total = cell == equation.total
            weight = 1 / len(equation.parts)
            sums[cell] += weight * (others if total else system.published[equation.total] - others)
            weights[cell] += weight
    with np.errstate(invalid="ignore"):
        found: Floats = sums / np.where(weights > 0, weights, np.nan)
    return found


def _intersections(system: System) -> Score:
    """Guesses how many conversations of a published cell are in none of its published parts.

    Only the sum of the cell's noise and its parts' noises hides the rest. So a guess that is
    clipped to the range of small cells is right more often than a constant one.
    """
    guesses, truth, expected = [], [], 0.0
    for equation in system.equations:
        parts = list(equation.parts)
        is_published = not np.isnan(system.published[[equation.total, *parts]]).any()
        if equation.sense is Sense.AT_MOST and is_published:
            rest = int(system.truth[equation.total] - system.truth[parts].sum())
            if 0 < rest < system.least:
                truth.append(rest)
                guesses.append(system.published[equation.total] - system.published[parts].sum())
                expected += _chance_of_hit(rest, 1 + len(parts), system)
    numbers = np.array(truth, np.int64)
    score = _score(
        INTERSECTION, np.array(guesses), numbers, np.ones(len(numbers), np.bool_), system.least
    )
    return score._replace(expected=expected)


def _chance_of_hit(number: int, noises: int, system: System) -> float:
    """Returns the probability that a guess with several noises is exact after clipping."""
    chances = _chances_of_sum(noises, system.variance, system.max_noise)
    zero = len(chances) // 2
    if number == 1:
        return float(chances[: zero + 1].sum())
    if number == system.least - 1:
        return float(chances[zero:].sum())
    return float(chances[zero])


@lru_cache(maxsize=64)
def _chances_of_sum(noises: int, variance: float, max_noise: int) -> Floats:
    """Returns the probabilities of the sum of independent noises, from the least to the most."""
    thresholds = cumulative(max_noise, max_noise, variance)
    one = np.diff(np.array([0, *thresholds], np.float64)) / SCALE
    return reduce(np.convolve, [one] * noises)


def _history(evidence: Evidence) -> Iterator[Score]:
    """Guesses the small cells by the last number that an earlier version gave."""
    counts = evidence.counts
    if counts is None:
        return
    guesses, truth, least = [], [], 1
    for window, versions in evidence.by_window().items():
        now: Mapping[object, object] = {(p, i): n for p, i, n in versions[-1].cells()}
        policy = versions[-1].policy
        least = max(policy.min_users, policy.min_conversations)
        past: defaultdict[object, int] = defaultdict(int)
        for version in versions[:-1]:
            past.update({(place, index): number for place, index, number in version.cells()})
        for place, cells in counts.get(window, {}).items():
            for index, sums in cells.items():
                is_gone = (place, index) in past and (place, index) not in now
                if is_gone and 0 < sums.conversations < least:
                    guesses.append(past[place, index])
                    truth.append(sums.conversations)
    numbers = np.array(truth, np.int64)
    everyone = np.ones(len(numbers), np.bool_)
    yield _score(HISTORY, np.array(guesses, np.float64), numbers, everyone, least)


def _score(
    attack: str, guesses: Floats, truth: Indexes, chosen: Flags, least: int,
    *, is_bounded: bool = True,
) -> Score:  # fmt: skip
    """Scores guesses of the chosen cells, after clipping them to the range of small cells."""
    numbers = truth[chosen]
    guessed = np.clip(np.round(guesses[chosen]), 1, least - 1).astype(np.int64)
    middling = numbers >= MIDDLING
    off = np.abs(guessed - numbers)
    return Score(
        attack,
        len(numbers),
        int((off == 0).sum()),
        int((numbers == _best_constant(numbers, 0)).sum()),
        int(middling.sum()),
        int((off[middling] <= 1).sum()),
        int((np.abs(numbers[middling] - _best_constant(numbers[middling], 1)) <= 1).sum()),
        is_bounded,
    )


def _best_constant(numbers: Indexes, within: int) -> int:
    """Returns the constant that is within a distance of as many of the numbers as possible."""
    if not len(numbers):
        return 1
    candidates = range(1, int(numbers.max()) + 1)
    return max(candidates, key=lambda c: int((np.abs(numbers - c) <= within).sum()))

"""Attacks everything that is published of many simulated days, and checks what is promised.

Run: `python -m tests.benchmarks.bench_attack`. The days have 0.5 to 200 users an hour,
conversations that come late, grow or are joined, corrections each night, and a backfill after the
stream.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from typing import Final, NamedTuple

from pipelines.operations.audit import small_cells
from pipelines.operations.audit.attack import MOST_NEAR, find_good_guesses, score_rows
from pipelines.operations.audit.corrections import changes
from pipelines.operations.audit.evidence import Score, totalled
from pipelines.operations.audit.exactness import ALL_CELLS, exactness
from pipelines.terminal.text import aligned
from tests.published_timelines import timeline

TIMELINES: Final = 1_000
SOLVERS: Final = (small_cells.SUBTRACTION, small_cells.LEAST_SQUARES, small_cells.BOUNDS)
"""The attacks that must not be better than a constant guess by any amount."""


class Attacked(NamedTuple):
    """What the attacks on some timelines found, added up.

    Attributes:
      timelines, versions: how many were attacked.
      changed: cells that differ between two versions of a window.
      isolating: those whose users differ by fewer than min_users.
      crossings: cells that appeared because fewer than min_users users came.
      large, withheld: cells above the thresholds, and those of them that are not published.
      exact, numbers: published numbers that are exact, and all whose truth is known.
      scores: how well small cells are guessed.
    """

    timelines: int
    versions: int
    changed: int
    isolating: int
    crossings: int
    large: int
    withheld: int
    exact: int
    numbers: int
    scores: tuple[Score, ...]


def attacked(seed: int) -> Attacked:
    """Simulates one timeline and attacks it."""
    simulated = timeline(seed)
    evidence = simulated.evidence()
    compared = list(changes(evidence))
    tally = exactness(evidence).get(ALL_CELLS)
    return Attacked(
        1,
        len(simulated.versions),
        sum(change.cells for change in compared),
        sum(len(change.isolating) for change in compared),
        simulated.crossings,
        simulated.large,
        simulated.withheld,
        tally.exact if tally else 0,
        tally.numbers if tally else 0,
        tuple(small_cells.scores(evidence)),
    )


def added_up(parts: Iterable[Attacked]) -> Attacked:
    """Adds up what was found on several timelines."""
    found = list(parts)
    names = Attacked._fields[:-1]
    sums = {name: sum(getattr(part, name) for part in found) for name in names}
    return Attacked(**sums, scores=tuple(totalled(s for part in found for s in part.scores)))


def lines_of(total: Attacked) -> list[str]:
    """Returns the figures as lines of text."""
    rows = [
        ("timelines", f"{total.timelines:,}"),
        ("publications", f"{total.versions:,}"),
        ("cells that differ between versions", f"{total.changed:,}"),
        ("of these, isolating fewer than 15 users", f"{total.isolating:,}"),
        ("cells that appeared with fewer than 15 new users", f"{total.crossings:,}"),
        ("large cells", f"{total.large:,}"),
        ("of these withheld", f"{total.withheld:,}"),
        ("published numbers that are exact", f"{total.exact / max(1, total.numbers):.1%}"),
    ]
    return [*aligned(rows), "", *aligned(score_rows(total.scores))]


def broken_promises(total: Attacked) -> list[str]:
    """Returns what is not as promised."""
    found = []
    if total.isolating:
        found.append(f"{total.isolating:,} changes isolate fewer than 15 users")
    if total.withheld:
        found.append(f"{total.withheld:,} large cells are withheld")
    for score in total.scores:
        if score.attack in SOLVERS and score.advantage > 0:
            found.append(f"{score.attack}: {100 * score.advantage:+.1f} points over a constant")
        # A constant guess is near many cells without knowing anything.
        if score.attack in SOLVERS and score.near > max(
            MOST_NEAR * score.middling, score.constant_near
        ):
            found.append(f"{score.attack}: {score.near_share:.1%} located to within one")
    return [*found, *(finding.sentence for finding in find_good_guesses(total.scores))]


def main() -> int:
    """Attacks the timelines, prints the figures, and returns 1 if a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--timelines", type=int, default=TIMELINES)
    parser.add_argument("--processes", type=int, default=1)
    arguments = parser.parse_args()
    with ProcessPoolExecutor(arguments.processes) as pool:
        total = added_up(pool.map(attacked, range(arguments.timelines), chunksize=5))
    print("\n".join(lines_of(total)))
    broken = broken_promises(total)
    for score in total.scores:
        if score.attack in SOLVERS and score.near_share > MOST_NEAR:
            print(
                f"{score.attack}: more than {MOST_NEAR:.0%} of the cells of five or more are "
                "located to within one, but fewer than by a constant guess"
            )
    print("\n".join(broken) or "all promises are kept")
    return bool(broken)


if __name__ == "__main__":
    sys.exit(main())

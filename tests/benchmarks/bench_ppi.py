"""Compares judged shares with ppi-python (PPI++) on the same plain random samples.

Run: `python -m tests.benchmarks.bench_ppi`, in an environment that also has ppi-python. It is not
among the requirements, because with all that it needs it takes 774 MB. The benchmark prints, for
each share and number of judgements, the largest difference of the estimates, both half-widths in
points, and how often each interval contains the true share.
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from typing import Any, Final

import numpy as np

from tests.transforms.estimation.judged_windows import window
from transforms.estimation.judged import judged_share

DRAWS: Final = 150
CONVERSATIONS: Final = 20_000
KINDS: Final = ((0.2, 1000), (0.1, 1000), (0.03, 500), (0.01, 200))


def main() -> int:
    """Prints a line for each kind."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    ppi: Any = import_module("ppi_py")
    random = np.random.default_rng(10)
    for share, judgements in KINDS:
        differences, widths, covered = [], [], np.zeros(2)
        for _ in range(DRAWS):
            one = window(random, CONVERSATIONS, share)
            sample = one.plain(random, judgements)
            found = judged_share(sample, one.known, as_sample=True)
            arrays = (sample.part[:, 0], sample.said_part[:, 0], one.said)
            theirs = ppi.ppi_mean_ci(*arrays, alpha=0.05)
            ours = found.low[0], found.high[0]
            differences.append(abs(found.estimate[0] - ppi.ppi_mean_pointestimate(*arrays)[0]))
            pairs = (ours, tuple(float(end[0]) for end in theirs))
            widths.append([(high - low) / 2 for low, high in pairs])
            covered += [low <= share <= high for low, high in pairs]
        half = 100 * np.mean(widths, axis=0)
        print(
            f"{share:.0%}, {judgements} judged: estimates differ by at most "
            f"{100 * max(differences):.2f} points; half-width {half[0]:.2f} (ppi {half[1]:.2f}); "
            f"coverage {covered[0] / DRAWS:.1%} (ppi {covered[1] / DRAWS:.1%})"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())

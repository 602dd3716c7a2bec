"""Measures judged shares and means on simulated conversations: coverage, bias and width.

Run: `python -m tests.benchmarks.bench_judged`. The benchmark prints tables and asserts nothing. On
an idle core it takes about ten minutes. `--models default` measures one model only. A kind of
window is a model, a true share and a number of judgements. Of each kind, it draws 1,000 samples
from 20 windows of 20,000 conversations.

- *coverage*: how often the 95 % interval contains the true figure of the window.
- *half-width*: of the interval, in points. *of plain*: as a share of the half-width of a plain
  random sample with as many judgements (Wilson's interval; for means, 1.96 standard errors).
- *bias*: in standard errors of its Monte Carlo mean, and in half-widths.

In the kind `shift`, a week's traffic changes on its fifth day. The samples are drawn each day.
The last table is about single days of such weeks, with and without the other days' judgements.
"""

from __future__ import annotations

import argparse
import sys
from functools import reduce
from typing import Final, NamedTuple

import numpy as np

from pipelines.terminal.text import aligned
from tests.benchmarks.judged_populations import (
    MODELS,
    NAMES,
    SHARE_NAMES,
    Columns,
    Floats,
    Model,
    Population,
    priority_sample,
    simulate,
)
from transforms.estimation.difference.equation import Known
from transforms.estimation.difference.moments import Moments, Sample, add, moments_of
from transforms.estimation.judged import mean_from, share_from
from transforms.estimation.pooling import Day, pool_shares
from transforms.estimation.proportions import Z, quotient_noise, score_interval

SHARES: Final = (0.01, 0.03, 0.1)
JUDGEMENTS: Final = (200, 500, 1000)
CONVERSATIONS: Final = 20_000
VARIANCE: Final = 4.0
WINDOWS: Final = 20
DAYS: Final = 7
SHIFT: Final = "shift"
LEVEL: Final = 0.93
LARGEST_RATIO: Final = 0.55


class Kind(NamedTuple):
    """A kind of window."""

    model: str
    share: float
    judgements: int


class Figures(NamedTuple):
    """What was found for all figures of `NAMES`, float64 (k,).

    Attributes:
      coverage, missed_above: the share of intervals that contain the truth, or end below it.
      half_width, plain: the mean half-width, and that of a plain random sample.
      bias: the mean error, in its own standard errors.
      relative_bias: the mean error, in half-widths.
      known: the share of draws with enough judgements.
    """

    coverage: Floats
    missed_above: Floats
    half_width: Floats
    plain: Floats
    bias: Floats
    relative_bias: Floats
    known: Floats


def days_of(random: np.random.Generator, kind: Kind) -> list[Population]:
    """Simulates a window: one population, or one for each day of a week that shifts."""
    if kind.model != SHIFT:
        return [simulate(random, CONVERSATIONS, kind.share, MODELS[kind.model])]
    size = CONVERSATIONS // DAYS
    return shifted_week(random, MODELS["default"], size, kind.share, 0.8)


def shifted_week(
    random: np.random.Generator, model: Model, size: int, share: float, shift: float
) -> list[Population]:
    """Simulates a week whose last three days have higher logits and more affective traffic."""
    late = [day >= DAYS - 3 for day in range(DAYS)]
    return [
        simulate(random, size, share * (1 + shift * is_late) * 0.8, model, shift * is_late)
        for is_late in late
    ]


def judge(random: np.random.Generator, days: list[Population], judgements: int) -> list[Moments]:
    """Draws a sample of each day and returns the moments of shares and means of the window."""
    found = []
    for day in days:
        rows, probability = priority_sample(random, day.weights, judgements // len(days))
        parts = (Sample(probability, *columns.at(rows)) for columns in (day.shares, day.means))
        found.append([moments_of(part) for part in parts])
    return [reduce(add, column) for column in zip(*found, strict=True)]


def counts_of(random: np.random.Generator, columns: Columns) -> Known:
    """Returns the published counts of a window: its sums with noise."""
    noise = random.normal(0.0, VARIANCE**0.5, (2, columns.part.shape[1]))
    part = columns.said_part.sum(axis=0) + noise[0]
    return Known(part, columns.said_whole.sum(axis=0) + noise[1], VARIANCE, VARIANCE)


def plain_widths(random: np.random.Generator, window: Population, judgements: int) -> Floats:
    """Returns the half-widths of the intervals from a plain random sample, float64 (k,)."""
    rows = random.choice(len(window.weights), judgements, replace=False)
    shares, means = window.shares.at(rows), window.means.at(rows)
    with np.errstate(divide="ignore", invalid="ignore"):
        whole = shares.whole.sum(axis=0)
        noise = quotient_noise(0.0, np.ones(len(whole)))
        interval = score_interval(shares.part.sum(axis=0), whole, noise)
        number = means.whole.sum(axis=0)
        mean = means.part.sum(axis=0) / number
        error = (((means.part - mean) * means.whole) ** 2).sum(axis=0) ** 0.5 / number
    return np.concatenate([(interval.high - interval.low) / 2, Z * error])


def joined(days: list[Population]) -> Population:
    """Returns the conversations of all days as one window."""
    columns = [
        Columns(*map(np.concatenate, zip(*parts, strict=True)))
        for parts in ([day.shares for day in days], [day.means for day in days])
    ]
    return Population(np.concatenate([day.weights for day in days]), *columns)


def measure(kind: Kind, draws: int, seed: int) -> Figures:
    """Measures one kind of window."""
    random = np.random.default_rng([seed, *map(ord, str(kind))])
    found, truths, plain = [], [], []
    for _ in range(WINDOWS):
        days = days_of(random, kind)
        window = joined(days)
        truth = np.concatenate([window.shares.truth(), window.means.truth()])
        for draw in range(draws // WINDOWS):
            shares, means = judge(random, days, kind.judgements)
            share = share_from(shares, counts_of(random, window.shares))
            mean = mean_from(means, counts_of(random, window.means))
            found.append([np.concatenate(pair) for pair in zip(share, mean, strict=True)])
            truths.append(truth)
            if draw < 5:
                plain.append(plain_widths(random, window, kind.judgements))
    return summarize(np.array(found), np.array(truths), np.array(plain))


def summarize(found: Floats, truth: Floats, plain: Floats) -> Figures:
    """Compares estimates with low and high ends, float64 (draws, 3, k), with the truth."""
    estimate, low, high = np.moveaxis(found, 1, 0)
    known = np.isfinite(estimate)
    number = np.maximum(known.sum(axis=0), 1)
    error = np.where(known, estimate - truth, 0.0)
    bias = error.sum(axis=0) / number
    spread = np.sqrt((error**2).sum(axis=0) / number - bias**2)
    half = np.where(known, high - low, 0.0).sum(axis=0) / 2 / number
    with np.errstate(divide="ignore", invalid="ignore"):
        return Figures(
            ((low <= truth) & (truth <= high)).sum(axis=0) / number,
            (truth > high).sum(axis=0) / number,
            half,
            np.nanmean(np.where(np.isfinite(plain).any(axis=0), plain, 9.0), axis=0),
            bias / spread * number**0.5,
            bias / half,
            known.mean(axis=0),
        )


MIN_KNOWN: Final = 0.9
"""Figures that are estimated less often say nothing about coverage: the draws are a selection."""


def line_of(kind: Kind, found: Figures) -> list[str]:
    """Returns the table's line of a kind: the affective share, and the worst of all figures."""
    usable = found.known >= MIN_KNOWN
    least = int(np.argmin(np.where(usable, found.coverage, 2.0)))
    most = int(np.argmax(np.where(usable, np.abs(found.relative_bias), -1.0)))
    return [
        *(kind.model, f"{kind.share:.0%}", str(kind.judgements), f"{found.coverage[0]:.3f}"),
        *(f"{100 * found.half_width[0]:.2f}", f"{found.half_width[0] / found.plain[0]:.2f}"),
        *(f"{found.bias[0]:+.1f}", f"{found.coverage[least]:.3f}", NAMES[least]),
        *(f"{found.relative_bias[most]:+.2f}", f"{found.bias[most]:+.1f}", NAMES[most]),
    ]


HEADER: Final = [
    *("model", "share", "judged", "coverage", "half-width", "of plain", "bias / s.e."),
    *("least coverage", "of", "largest bias / half-width", "/ s.e.", "of"),
]


def print_figures(kinds: list[Kind], found: list[Figures]) -> None:
    """Prints a line for each figure: the least coverage and the mean width over all kinds."""
    lines = [["figure", "least coverage", "in", "median of plain", "kinds below 93 %", "kinds"]]
    coverage = np.stack([np.where(one.known >= MIN_KNOWN, one.coverage, np.nan) for one in found])
    ratio = np.stack([one.half_width / one.plain for one in found])
    for column, name in enumerate(NAMES):
        usable = np.flatnonzero(np.isfinite(coverage[:, column]))
        if not usable.size:
            lines.append([name, "", "", "", "", "0"])
            continue
        row = usable[np.argmin(coverage[usable, column])]
        kind = f"{kinds[row].model} {kinds[row].share:.0%} {kinds[row].judgements}"
        below = int((coverage[usable, column] < LEVEL).sum())
        middle = float(np.median(ratio[usable, column]))
        lines.append([name, f"{coverage[row, column]:.3f}", kind, f"{middle:.2f}"])
        lines[-1] += [str(below), str(usable.size)]
    print("\n".join(aligned(lines)))


def measure_days(shift: float, judgements: int, draws: int) -> list[str]:
    """Measures single days with and without the other days' judgements."""
    random = np.random.default_rng([judgements, int(10 * shift)])
    inside, widths, drifts = np.zeros((2, len(SHARE_NAMES))), [], []
    repeats = max(draws // WINDOWS, 1)
    for _ in range(WINDOWS):
        days = shifted_week(random, MODELS["default"], 5_000, 0.03, shift)
        truth = np.stack([day.shares.truth() for day in days])
        for _ in range(repeats):
            week = [
                Day(judge(random, [day], judgements)[0], counts_of(random, day.shares))
                for day in days
            ]
            pooled = pool_shares(week)
            alone = [share_from(*day) for day in week]
            for row, judged in enumerate((pooled.days, alone)):
                _, low, high = (np.stack(part) for part in zip(*judged, strict=True))
                inside[row] += ((low <= truth) & (truth <= high)).mean(axis=0)
                widths.append((high - low).mean(axis=0) / 2)
            drifts.append(pooled.drift < 0.05)
    coverage = inside / (repeats * WINDOWS)
    pooled_width, width = np.mean(widths[::2], axis=0), np.mean(widths[1::2], axis=0)
    return [
        *(f"{shift:.1f}", str(judgements), f"{coverage[0, 0]:.3f}", f"{coverage[1, 0]:.3f}"),
        *(f"{100 * pooled_width[0]:.2f}", f"{100 * width[0]:.2f}"),
        *(f"{np.mean(drifts, axis=0)[0]:.2f}", f"{coverage[0, :7].min():.3f}"),
    ]


def main() -> None:
    """Measures all kinds and prints the tables."""
    parser = argparse.ArgumentParser(description="Measure judged shares on simulated windows.")
    parser.add_argument("--draws", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--models", nargs="*", default=[*MODELS, SHIFT])
    parser.add_argument("--days", action="store_true", help="only the table of single days")
    options = parser.parse_args()
    if not options.days:
        kinds = [Kind(m, s, n) for m in options.models for s in SHARES for n in JUDGEMENTS]
        lines, found = [HEADER], []
        for kind in kinds:
            found.append(measure(kind, options.draws, options.seed))
            lines.append(line_of(kind, found[-1]))
            print(" ".join(lines[-1]), file=sys.stderr, flush=True)
        print("\n".join(aligned(lines)))
        print_figures(kinds, found)
    lines = [["shift", "judged a day", "pooled", "alone", "half-width", "alone", "drift found"]]
    lines[0].append("least coverage of types")
    for shift in (0.0, 0.2, 0.4, 0.8, 1.5):
        lines += [measure_days(shift, number, options.draws // 4) for number in (100, 500)]
    print("\n".join(aligned(lines)))


if __name__ == "__main__":
    main()

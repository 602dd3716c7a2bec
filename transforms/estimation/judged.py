"""Estimates shares and means from all counts and a judged sample of the same conversations.

This is prediction-powered inference (Angelopoulos, Bates, Fannjiang, Jordan and Zrnic 2023), known
in survey statistics as the difference estimator (Särndal, Swensson and Wretman 1992, section 6.3).
The classifier's decisions are known for all conversations, the judge's for a sample:

    estimate = judged share - lambda * (said share in the sample - said share of all).

The sample's shares are weighted by 1 / probability. lambda is tuned so that the variance is least
(PPI++: Angelopoulos, Duchi and Zrnic 2023). It is near 0 for a useless classifier, so that such a
classifier does no harm. A whole may be classified too: then both shares are ratios.

**The interval.** The usual interval, estimate +- 1.96 standard errors, misses the truth too often
if the share is small. Few sampled conversations are in the part, and some of them have large
weights. The sample often has none of the heaviest, and then the standard error is too small, too.
So the interval contains each share p for which

    sum over the sample of weight * (part - p whole - lambda (said part - ...))

is not too far from 0. What is too far depends on p, as in Wilson's interval, and on the direction:
the limits are those of a gamma distribution with the estimated variance and skewness. One more
conversation of a typical weight is added to the sum in the direction of the limit. If all weights
are equal, the limits are nearly the exact ones of a Poisson number (Garwood 1936). For unequal
weights they follow Fay and Feuer (1997), who take the largest weight for the additional
conversation. We take the root mean square of the weights in the part and the largest weight, which
counts less the more conversations are in the part. So if nothing was found, the upper limit is Fay
and Feuer's. Quantiles of the gamma distribution are Wilson and Hilferty's (1931).

The interval is about the conversations that were counted. With `as_sample`, it is about what the
assistant is used for, of which these conversations are a sample.

This module does not use Beam.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from transforms.estimation.difference.equation import (
    CHANGES,
    SHARES,
    Known,
    square,
    tune,
    unit,
)
from transforms.estimation.difference.judge_errors import JudgeErrors, carry
from transforms.estimation.difference.limits import Deviation, Judged, skewness, solve, typical
from transforms.estimation.difference.moments import (
    PART,
    SAID_PART,
    WHOLE,
    Moments,
    Sample,
    moments_of,
)
from transforms.estimation.proportions import Floats, Interval

__all__ = [
    "JudgeErrors",
    "Judged",
    "Known",
    "Moments",
    "Sample",
    "judged_mean",
    "judged_share",
    "mean_from",
    "moments_of",
    "share_from",
]


_DOUBT: Final = 5.0
"""How much larger the variance of a mean may be than estimated, for one judged conversation.

For n of equal weight the variance is taken to be 1 + 5 / n times as large. Student's t distribution
does about half of that. The variance is less certain than with equal weights, as few conversations
make up most of it. Simulated at 200 judgements, the interval of the mean change covers 95.0 % with
this, and 92.8 % without.
"""


def judged_share(
    sample: Sample, known: Known, *, errors: JudgeErrors | None = None, as_sample: bool = False
) -> Judged:
    """Estimates shares of one place from its judged sample.

    Args:
      sample: the judged conversations.
      known: the counts of all conversations.
      errors: the judge's errors; None if the judge is taken to be right.
      as_sample: whether the interval also covers that other conversations might have been held.

    Returns:
      Shares in [0, 1].

    Raises:
      ValueError: if a probability is not in (0, 1].
    """
    return share_from(moments_of(sample), known, errors=errors, as_sample=as_sample)


def judged_mean(sample: Sample, known: Known) -> Judged:
    """Estimates mean changes of mood of one place from its judged sample.

    Args:
      sample: the judged conversations; `part` and `said_part` are changes in points.
      known: the sums of the changes of all conversations in points, and their numbers.

    Returns:
      Means in points, in [-2, 2].

    Raises:
      ValueError: if a probability is not in (0, 1].
    """
    return mean_from(moments_of(sample), known)


def share_from(
    moments: Moments,
    known: Known,
    *,
    errors: JudgeErrors | None = None,
    as_sample: bool = False,
    between: Floats | float = 0.0,
) -> Judged:
    """Does the same as `judged_share`, from the sums over the sample.

    Args:
      moments: the sums over the judged conversations.
      known: the counts of all conversations.
      errors: the judge's errors; None if the judge is taken to be right.
      as_sample: as for `judged_share`.
      between: the variance of the share because some of the sample is from other days.
    """
    equation = tune(moments, known, SHARES)
    parts = typical(moments.second[PART, PART], moments.heaviest, moments.numbers[PART])
    others = typical(
        square(moments.second, unit(WHOLE) - unit(PART)),
        moments.heaviest,
        moments.numbers[WHOLE] - moments.numbers[PART],
    )
    false = typical(
        moments.second[SAID_PART, SAID_PART] - moments.second[SAID_PART, PART],
        moments.heaviest_said,
        moments.numbers[SAID_PART] - moments.right,
    )

    def deviate(share: Floats) -> Deviation:
        more, fewer = (1 - share) * parts, np.hypot(share * others, equation.power * false)
        variance = equation.variance(share) + between * equation.whole**2
        if as_sample:
            variance = variance + share * (1 - share) * equation.whole
        return Deviation(variance, equation.third(share), more, fewer)

    found = solve(equation, deviate)
    return found if errors is None else Judged(*carry(Interval(*found), errors))


def mean_from(moments: Moments, known: Known) -> Judged:
    """Does the same as `judged_mean`, from the sums over the sample."""
    equation = tune(moments, known, CHANGES)
    number = moments.numbers[WHOLE]
    uneven = skewness(moments.second[WHOLE, WHOLE], moments.third[WHOLE, WHOLE, WHOLE])
    doubt = 1 + _DOUBT * uneven**2

    def deviate(mean: Floats) -> Deviation:
        variance = doubt * equation.variance(mean)
        more = typical(variance, moments.heaviest, number)
        return Deviation(variance, equation.third(mean), more, more)

    return solve(equation, deviate)

"""Loads the classifier's error rates, measured on conversations that were not used in training.

`training.evaluate` writes the error rates to `rates.json`:

    [{"classifier_version": "ngram-2-…",
      "rates": [{"language": "all", "facet": "use", "facet_value": "affective",
                 "true_positives": 14, "positives": 28, "false_positives": 34, "negatives": 1573},
                …],
      "use_confusion": [[25, 3, …], …],
      "drift": {"true_positives": 41, "said": 120, "conversations": 1425}},
     {"classifier_version": "accurate-ngram-2-…", "rates": […]}]

`positives` is the number of conversations that really have the value. The classifier gave the value
to `true_positives` of them. `negatives` is the number of conversations that do not have the value.
The classifier gave the value to `false_positives` of them. `true_positives` and `false_positives`
are measured at the threshold that is used for counting. `spread` says how much the false positive
rate differs between platforms.

`language` is `all` or a code from `labels.LANGUAGES`. For a language without a row, the row for
`all` is used. The facets are `use` (each of USES), `type` (each of TYPES), `pushback` (the value
`all`) and `pushback_reason` (each of PUSHBACK_REASONS). If a value has no row at all, only its raw
share is published.

Only supported rates correct figures (`Rate.is_supported`). Rates that come from little data, or
that differ between platforms, may move a share further from the truth.

`use_confusion` and `drift` are optional. `use_confusion` has a row for each true use and a column
for each assigned use, both in the order of USES. `drift` counts the conversations whose opening and
closing types differ.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Final

import msgspec

from schemas.labels import LANGUAGES, USES
from transforms.facets.registry import FACETS

RATES_FILE: Final = "rates.json"
ALL_LANGUAGES: Final = "all"

RATED: Final[Mapping[str, Sequence[str]]] = {
    facet.name: facet.rated_values for facet in FACETS if facet.rated_values
}
"""The facets for which error rates are measured, with their values."""

MIN_POSITIVES: Final = 30
MIN_NEGATIVES: Final = 500
MIN_GAIN: Final = 0.3
"""What a rate must have to be supported. The gain is the true minus the false positive rate.
With this much data, the lower end of the gain's 95 % interval is also above 0.1.

We simulated 1,109 classifiers whose rates pass these criteria (true positive rates of 20 to 90 %,
false positive rates of 0.1 to 15 %, up to 300 positives and 3,000 negatives), at true shares of 1,
3 and 10 %. Over the three shares together, the corrected share was closer to the truth than the
raw share in 81 % of the resamples. For all but 2 of the classifiers, it was closer in most
resamples. For no classifier was its mean error more than 1.04 times the raw share's. With only 200
negatives, it was closer in fewer than half of the resamples for 3.5 % of the classifiers, and its
error was up to 1.4 times as large. No criterion helps at a share where misses and false alarms
happen to cancel. There the raw share is right by chance.
"""

MAX_SPREAD: Final = 0.005
"""The largest standard deviation of the false positive rate between platforms.

Near a true share of 3 %, most positives are false alarms. If the false positive rate is off by half
a point, the corrected share is off by about a point, because the error is divided by the gain. On
most platforms that we measured, the raw share is off by as much. So a correction that was measured
elsewhere would not help.
"""

MIN_OF_USE: Final = 50
"""The fewest labelled conversations of each true use with which uses are corrected.

We simulated 20,000 conversations, for six mixes of uses and accuracies. With 50 labelled
conversations of each use, the corrected shares were closer to the truth than the raw ones in 53 to
97 % of the resamples. With 100 it was 76 to 100 %, but with 30 only 26 to 92 %.
"""

MIN_DRIFT_PRECISION: Final = 0.5
"""Drifts are supported if at least this share of the drifts that the classifier finds is real."""

_OTHER_USES: Final = tuple(use for use in USES if use != "affective")


class Rate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How well the classifier recognizes one value of one facet; an entry of `rates.json`.

    `spread` is the standard deviation of the false positive rate between platforms, beyond chance;
    0 if the rate was measured on the platform that it corrects.

    Raises:
      ValueError: if a name is unknown, or if a count is negative or above its total.
    """

    language: str
    facet: str
    facet_value: str
    true_positives: int
    positives: int
    false_positives: int
    negatives: int
    spread: float = 0.0

    def __post_init__(self) -> None:
        if self.language not in (ALL_LANGUAGES, *LANGUAGES):
            raise ValueError(
                f"language {self.language!r} is unknown; use {ALL_LANGUAGES} or a code such as en"
            )
        if self.facet_value not in RATED.get(self.facet, ()):
            raise ValueError(
                f"{self.facet} {self.facet_value!r} is not a value that the classifier decides; "
                "choose e.g. use 'affective'"
            )
        for count, total in (
            (self.true_positives, self.positives),
            (self.false_positives, self.negatives),
        ):
            if not 0 <= count <= total:
                raise ValueError(
                    f"rate for {self.facet} {self.facet_value}: got {count} of {total}; "
                    "a count must be between 0 and its total"
                )
        if not 0 <= self.spread <= 1:
            raise ValueError(f"spread must be between 0 and 1, got {self.spread}")

    @property
    def is_supported(self) -> bool:
        """Whether a correction can be expected to improve a share on any platform."""
        if self.positives < MIN_POSITIVES or self.negatives < MIN_NEGATIVES:
            return False
        if self.spread > MAX_SPREAD:
            return False
        gain = self.true_positives / self.positives - self.false_positives / self.negatives
        return gain > MIN_GAIN


class Drift(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How often a drift that the classifier gives is real, measured on labelled conversations.

    A conversation drifts if its opening and closing types differ.

    Attributes:
      true_positives: conversations that drift, of those that the classifier said drift.
      said: conversations that the classifier said drift.
      conversations: all labelled conversations.

    Raises:
      ValueError: if a count is negative or above the count that contains it.
    """

    true_positives: int
    said: int
    conversations: int

    def __post_init__(self) -> None:
        if not 0 <= self.true_positives <= self.said <= self.conversations:
            raise ValueError(
                f"drift counts {self.true_positives} true of {self.said} said of "
                f"{self.conversations} conversations; each must be between 0 and the next"
            )

    @property
    def is_supported(self) -> bool:
        """Whether at least half of the drifts that the classifier gives are real."""
        return self.said > 0 and self.true_positives >= MIN_DRIFT_PRECISION * self.said


class Rates(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Rates of one version of the classifier, at most one for each language and value.

    Attributes:
      use_confusion: confusion matrix of the labelled conversations: rows are true uses, columns are
        assigned uses, both in the order of USES. Empty if it was not measured.
      drift: how often a drift is real; None if this was not measured.

    Raises:
      ValueError: if there are two rates for the same language and value, or if `use_confusion` has
        the wrong size or a negative count.
    """

    classifier_version: str
    rates: tuple[Rate, ...]
    use_confusion: tuple[tuple[int, ...], ...] = ()
    drift: Drift | None = None

    def __post_init__(self) -> None:
        seen = set()
        for rate in self.rates:
            place = (rate.language, rate.facet, rate.facet_value)
            if place in seen:
                raise ValueError(f"the rates for {' '.join(place)} occur twice; keep one of them")
            seen.add(place)
        sizes = [len(row) for row in self.use_confusion]
        if sizes not in ([], [len(USES)] * len(USES)):
            raise ValueError(
                f"use_confusion must be empty or have {len(USES)} rows of {len(USES)} counts; "
                f"got rows of {sizes} counts"
            )
        fewest = min((count for row in self.use_confusion for count in row), default=0)
        if fewest < 0:
            raise ValueError(f"use_confusion counts {fewest}; a count must not be negative")

    @property
    def supported(self) -> tuple[Rate, ...]:
        """The rates that may correct a share."""
        return tuple(rate for rate in self.rates if rate.is_supported)

    @property
    def supports_uses(self) -> bool:
        """Whether each use has enough labelled conversations to correct the shares of the uses."""
        return bool(self.use_confusion) and min(map(sum, self.use_confusion)) >= MIN_OF_USE

    @property
    def unsupported(self) -> frozenset[tuple[str, str]]:
        """The facets and values whose measured rates are not good enough to correct a share.

        Uses other than `affective` are corrected together, by `use_confusion`.
        """
        thin = {
            (rate.facet, rate.facet_value)
            for rate in self.rates
            if rate.language == ALL_LANGUAGES and not rate.is_supported
        }
        thin -= {("use", use) for use in _OTHER_USES}
        if self.use_confusion and not self.supports_uses:
            thin |= {("use", use) for use in _OTHER_USES}
        return frozenset(thin)


class GivenRates(msgspec.Struct, frozen=True):
    """Rates that an operator gives. They take the place of the shipped ones.

    Attributes:
      rates: the rates of some versions of the classifier. All other versions keep the shipped ones.
    """

    rates: tuple[Rates, ...] = ()

    def of(self, version: str) -> Rates | None:
        """Returns the rates of a version of the classifier; None if there are none."""
        return self._given(version) or load_measured(version)

    def name(self, version: str) -> str:
        """Returns the first 12 digits of the given rates' SHA-256; empty if they are the shipped.

        Equal rates have equal names.
        """
        given = self._given(version)
        return "" if given is None else hashlib.sha256(encode_rates((given,))).hexdigest()[:12]

    def _given(self, version: str) -> Rates | None:
        return next((each for each in self.rates if each.classifier_version == version), None)


def encode_rates(rates: Sequence[Rates]) -> bytes:
    """Returns the bytes of `rates.json`, as JSON that is indented to keep diffs readable."""
    return msgspec.json.format(msgspec.json.encode(rates), indent=1) + b"\n"


def decode_rates(encoded: bytes) -> tuple[Rates, ...]:
    """Reads the bytes of `rates.json`.

    Raises:
      msgspec.DecodeError: if the bytes are not a valid `rates.json`.
    """
    return msgspec.json.decode(encoded, type=tuple[Rates, ...])


def load_measured(version: str) -> Rates | None:
    """Loads the measured rates of a version of the classifier; returns None if there are none."""
    return next((rates for rates in _shipped() if rates.classifier_version == version), None)


SHIPPED: Final = GivenRates()


def _shipped() -> tuple[Rates, ...]:
    return decode_rates(files("transforms.estimation").joinpath(RATES_FILE).read_bytes())

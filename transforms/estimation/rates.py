"""Loads the classifier's error rates, measured on conversations that were not used in training.

`training.evaluate` writes the error rates to `rates.json`:

    [{"classifier_version": "ngram-2-…",
      "rates": [{"language": "all", "facet": "use", "facet_value": "affective",
                 "true_positives": 14, "positives": 28, "false_positives": 34, "negatives": 1573},
                …]},
     {"classifier_version": "accurate-ngram-2-…", "rates": […]}]

`positives` is the number of conversations that really have the value. The classifier gave the value
to `true_positives` of them. `negatives` is the number of conversations that do not have the value.
The classifier gave the value to `false_positives` of them. `true_positives` and `false_positives`
are measured at the threshold that is used for counting.

`language` is `all` or a code from `labels.LANGUAGES`. For a language without a row, the row for
`all` is used. The facets are `use` (each of USES), `type` (each of TYPES), `pushback` (the value
`all`) and `pushback_reason` (each of PUSHBACK_REASONS). If a value has no row at all, only its raw
share is published.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Final

import msgspec

from schemas.labels import LANGUAGES
from transforms.facets.registry import FACETS

RATES_FILE: Final = "rates.json"
ALL_LANGUAGES: Final = "all"

RATED: Final[Mapping[str, Sequence[str]]] = {
    facet.name: facet.rated_values for facet in FACETS if facet.rated_values
}
"""Facets of `aggregates` that the classifier decides, with their values."""

_log: Final = logging.getLogger(__name__)


class Rate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How well the classifier recognizes one value of one facet; an entry of `rates.json`.

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
                    f"{self.facet} {self.facet_value} counts {count} of {total}; "
                    "a count must be between 0 and its total"
                )


class Rates(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rates of one version of the classifier, at most one for each language and value.

    Raises:
      ValueError: if there are two rates for the same language and value.
    """

    classifier_version: str
    rates: tuple[Rate, ...]

    def __post_init__(self) -> None:
        seen = set()
        for rate in self.rates:
            place = (rate.language, rate.facet, rate.facet_value)
            if place in seen:
                raise ValueError(f"the rates for {' '.join(place)} occur twice; keep one of them")
            seen.add(place)


def encode_rates(rates: Sequence[Rates]) -> bytes:
    """Returns the bytes of `rates.json`, as JSON that is indented to keep diffs readable."""
    return msgspec.json.format(msgspec.json.encode(rates), indent=1) + b"\n"


def decode_rates(encoded: bytes) -> tuple[Rates, ...]:
    """Reads the bytes of `rates.json`.

    Raises:
      msgspec.DecodeError: if the bytes are not a valid `rates.json`.
    """
    return msgspec.json.decode(encoded, type=tuple[Rates, ...])


def load_rates(version: str) -> tuple[Rate, ...]:
    """Loads the rates of a classifier; if there are none, warns and returns an empty tuple."""
    shipped = decode_rates(files("transforms.estimation").joinpath(RATES_FILE).read_bytes())
    for rates in shipped:
        if rates.classifier_version == version:
            return rates.rates
    _log.warning(
        "%s has rates for %s, but not for %s; only raw shares are published until you run "
        "python -m training.evaluate",
        RATES_FILE, " and ".join(rates.classifier_version for rates in shipped), version,
    )  # fmt: skip
    return ()

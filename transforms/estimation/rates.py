"""How often the shipped classifier errs: counts of conversations that no training step saw.

`training.evaluate` writes `rates.json` together with the model:

    [{"classifier_version": "ngram-2-…",
      "rates": [{"language": "all", "facet": "use", "facet_value": "affective",
                 "true_positives": 14, "positives": 28, "false_positives": 34, "negatives": 1573},
                …]},
     {"classifier_version": "accurate-ngram-2-…", "rates": […]}]

Of the `positives` (conversations that truly have the value) the classifier gave it to
`true_positives`, of the `negatives` (those that truly have not) to `false_positives`, both at the
threshold at which it counts. `language` is `all` or a code of `labels.LANGUAGES`; a language
without a row is corrected with `all`. The facets are `use` (each of USES), `type` (each of TYPES),
`pushback` (the value `all`) and `pushback_reason` (each of PUSHBACK_REASONS). A value without a row
is published raw only.
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
"""What the classifier decides of a conversation: facets of `aggregates` and their values."""

_log: Final = logging.getLogger(__name__)


class Rate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the classifier did on one value of one facet; the attributes as in the file.

    Raises:
      ValueError: a name that is none of ours, or counts that can't be.
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
            raise ValueError(f"{self.language!r} is no language of rates; use all or e.g. en")
        if self.facet_value not in RATED.get(self.facet, ()):
            raise ValueError(f"{self.facet} {self.facet_value!r} is nothing that is classified")
        for found, of in (
            (self.true_positives, self.positives),
            (self.false_positives, self.negatives),
        ):
            if not 0 <= found <= of:
                raise ValueError(f"{self.facet} {self.facet_value}: {found} of {of} can't be")


class Rates(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rates of one version of the classifier, each value once a language.

    Raises:
      ValueError: a value stands there twice.
    """

    classifier_version: str
    rates: tuple[Rate, ...]

    def __post_init__(self) -> None:
        seen = set()
        for rate in self.rates:
            place = (rate.language, rate.facet, rate.facet_value)
            if place in seen:
                raise ValueError(f"the rates of {' '.join(place)} stand there twice")
            seen.add(place)


def encode_rates(rates: Sequence[Rates]) -> bytes:
    """Returns the bytes of the file, indented for whoever reads the difference."""
    return msgspec.json.format(msgspec.json.encode(rates), indent=1) + b"\n"


def decode_rates(encoded: bytes) -> tuple[Rates, ...]:
    """Reads the bytes of the file.

    Raises:
      msgspec.ValidationError: they are no such file.
    """
    return msgspec.json.decode(encoded, type=tuple[Rates, ...])


def load_rates(version: str) -> tuple[Rate, ...]:
    """Loads the shipped rates of a classifier: none, and a warning, where they are of another."""
    shipped = decode_rates(files("transforms.estimation").joinpath(RATES_FILE).read_bytes())
    for rates in shipped:
        if rates.classifier_version == version:
            return rates.rates
    _log.warning(
        "%s holds the rates of %s, not of %s; shares are published raw only, until "
        "python -m training.evaluate writes them anew",
        RATES_FILE, " and ".join(rates.classifier_version for rates in shipped), version,
    )  # fmt: skip
    return ()

"""Reads and writes files of the classifier's error rates; see `transforms.estimation.rates`."""

from __future__ import annotations

from pathlib import Path

import msgspec
from apache_beam.io.filesystems import FileSystems

from schemas.failures import InputError
from transforms.estimation.rates import (
    RATES_FILE,
    SHIPPED,
    GivenRates,
    Rates,
    decode_rates,
    encode_rates,
)


def given_rates(path: str | None) -> GivenRates:
    """Reads a file of rates, on this machine or on Cloud Storage; None stands for the shipped ones.

    Raises:
      InputError: if the file can't be read, is not a file of rates, or has no rates.
    """
    if path is None:
        return SHIPPED
    try:
        with FileSystems.open(path) as file:
            rates = decode_rates(file.read())
    except OSError:
        raise InputError(
            f"can't read the rates in {path}; name a file that undertone rates wrote"
        ) from None
    except msgspec.DecodeError as error:
        raise InputError(
            f"{path} is not a file of rates ({error}); make one with: undertone rates"
        ) from None
    versions = [each.classifier_version for each in rates]
    if not rates or len({*versions}) < len(versions):
        raise InputError(
            f"{path} must have the rates of at least one classifier, and of each only once; got "
            f"{', '.join(versions) or 'none'}"
        )
    return GivenRates(rates)


def kept_rates(folder: Path) -> GivenRates:
    """Returns the rates that a run was published with.

    Raises:
      InputError: if its file of rates is damaged.
    """
    file = folder / RATES_FILE
    return given_rates(str(file)) if file.exists() else SHIPPED


def keep_rates(folder: Path, rates: GivenRates) -> None:
    """Writes the rates that a run is published with into its folder, unless they are shipped."""
    if rates.rates:
        write_rates(folder / RATES_FILE, rates.rates)


def write_rates(path: Path, rates: tuple[Rates, ...]) -> None:
    """Writes a file of rates."""
    path.write_bytes(encode_rates(rates))

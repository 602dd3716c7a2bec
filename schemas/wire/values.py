"""Validates values of breakdowns. An invalid value becomes `other`, and the message still counts.

A value on the wire is free text. Without these rules, a client that sends its build number would
give the tables one value per build. A client that sends a sentence would publish that sentence in
the tables.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from schemas.breakdowns import ATTRIBUTES, OTHER, RESERVED, STATED, UNKNOWN, Kind
from schemas.countries import COUNTRIES

AllowedValues = frozenset[tuple[str, str]]
"""The operator's lists, as pairs of a breakdown and an allowed value. A breakdown
without any pair is not restricted."""

ANY_VALUE: Final[AllowedValues] = frozenset()

INVALID: Final = "invalid"
"""The value is not of the breakdown's kind."""
UNLISTED: Final = "unlisted"
"""The value is valid, but it is not on the operator's list."""

_MAX_STATED_CHARS: Final = 256
_TOO_LONG: Final = "?"
"""Replaces a value that is too long to cache; the replacement is invalid too."""
_NAME: Final = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9._-]{1,40}")
_LANGUAGE_TAG: Final = re.compile(
    r"""
    ([a-z]{2,3})                             # primary language
    (?:-[a-z]{3}){0,3}                       # extended language
    (?:-[a-z]{4})?                           # script
    (?:-(?:[a-z]{2}|[0-9]{3}))?              # region
    (?:-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}))* # variants
    (?:-[0-9a-wy-z](?:-[a-z0-9]{2,8})+)*     # extensions
    (?:-x(?:-[a-z0-9]{1,8})+)?               # private use
    """,
    re.VERBOSE,
)
"""A well-formed tag in lower case: https://www.rfc-editor.org/rfc/rfc5646#section-2.1. Primary
languages of four letters or more are left out, because none are registered."""
_UNDETERMINED: Final = "und"


class CleanValues(NamedTuple):
    """The values that an event states, cleaned for the tables.

    Attributes:
      values: the values of `ATTRIBUTES`, in that order; None if the event does not state one.
      others: an entry such as `platform/invalid` for each value that became `other`.
    """

    values: tuple[str | None, ...]
    others: tuple[str, ...]


def clean_values(stated: tuple[str | None, ...], allowed: AllowedValues) -> CleanValues:
    """Returns an event's values of `ATTRIBUTES`, each as spelled in the tables or as `other`.

    Millions of events share a few combinations, so most calls cost one look-up in a cache.
    """
    try:
        return _clean_values(stated, allowed)
    except _TooLongError:
        short = (_TOO_LONG if len(value or "") > _MAX_STATED_CHARS else value for value in stated)
        return _clean_values(tuple(short), allowed)


def parse_allowed(text: str) -> list[tuple[str, str]]:
    """Reads the operator's lists, e.g. `platform=web,ios` or `platform=web,ios;plan=free,pro`.

    Raises:
      ValueError: if the text can't be parsed, or contains a value that events can't state.
    """
    return [pair for part in text.split(";") for pair in _parse_list(part)]


def lists_of(allowed: AllowedValues) -> dict[str, list[str]]:
    """Returns the operator's list for each breakdown, sorted."""
    names = sorted({name for name, _ in allowed})
    return {name: sorted(value for of, value in allowed if of == name) for name in names}


class _TooLongError(Exception):
    """Raised if a value is too long to cache; a cached function does not keep exceptions."""


@lru_cache(maxsize=4096)
def _clean_values(stated: tuple[str | None, ...], allowed: AllowedValues) -> CleanValues:
    if any(len(value or "") > _MAX_STATED_CHARS for value in stated):
        raise _TooLongError
    spellings = _spellings_of(allowed)
    cleaned = [
        (name, *_clean_value(name, value, spellings.get(name)))
        for name, value in zip(ATTRIBUTES, stated, strict=True)
    ]
    return CleanValues(
        tuple(value for _, value, _ in cleaned),
        tuple(f"{name}/{why}" for name, _, why in cleaned if why),
    )


def _clean_value(
    name: str, stated: str | None, spellings: Mapping[str, str] | None
) -> tuple[str | None, str | None]:
    """Returns the value and, if it became `other`, the reason."""
    value = (stated or "").strip()
    if not value or value.lower() == UNKNOWN:
        return None, None
    if value.lower() == OTHER:
        return OTHER, None
    canonical = _CANONICAL[STATED[name]](value) if value.isascii() else None
    if canonical is None or canonical.lower() in RESERVED:
        return OTHER, INVALID
    if canonical == _UNDETERMINED and STATED[name] is Kind.LANGUAGE:
        return None, None
    if spellings is None:
        return canonical, None
    listed = spellings.get(canonical.lower())
    return (OTHER, UNLISTED) if listed is None else (listed, None)


@lru_cache(maxsize=16)
def _spellings_of(allowed: AllowedValues) -> dict[str, dict[str, str]]:
    """Maps each breakdown and lower-case value to the spelling on the operator's list."""
    return {
        name: {value.lower(): value for value in values}
        for name, values in lists_of(allowed).items()
    }


def _parse_list(text: str) -> list[tuple[str, str]]:
    name, equals, values = text.strip().partition("=")
    if not equals:
        raise ValueError(f"{text!r} is not a list of values; write e.g. platform=web,ios,android")
    if name not in STATED:
        raise ValueError(
            f"{name!r} is not a field that can have a list of values; "
            f"use one of {', '.join(ATTRIBUTES)}"
        )
    return [(name, _parse_value(name, value.strip())) for value in values.split(",")]


def _parse_value(name: str, text: str) -> str:
    value, _ = _clean_value(name, text, None)
    if value is None or value.lower() != text.lower():
        raise ValueError(
            f"{text!r} can't be a value of {name} in the tables; write {STATED[name].value}"
        )
    return value


def _country(value: str) -> str | None:
    code = value.upper()
    return code if code in COUNTRIES else None


def _language(value: str) -> str | None:
    tag = _LANGUAGE_TAG.fullmatch(value.lower().replace("_", "-"))
    return tag[1] if tag else None


def _name(value: str) -> str | None:
    return value if _NAME.fullmatch(value) else None


_CANONICAL: Final[Mapping[Kind, Callable[[str], str | None]]] = {
    Kind.COUNTRY: _country,
    Kind.LANGUAGE: _language,
    Kind.NAME: _name,
}
"""For each kind, a function that returns the standard spelling of a value, or None if invalid."""

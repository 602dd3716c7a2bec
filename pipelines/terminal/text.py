"""Plain text for a terminal: aligned tables, instants, durations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from schemas.table import instant

NOTHING: Final = "–"
"""Shown in place of an unknown figure."""

_UNITS: Final = (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1))
_SECOND_US: Final = 1_000_000


def aligned(table: Sequence[Sequence[str]], names: int = 1) -> list[str]:
    """Formats a table as lines: the first `names` columns left-aligned, the rest right-aligned."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = []
    for row in table:
        cells = [
            cell.ljust(width) if place < names else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return lines


def at(instant_us: int | None) -> str:
    """Formats an instant in UTC, to the second.

    None becomes a dash, and a date that is out of range becomes a number.
    """
    if instant_us is None:
        return NOTHING
    try:
        return f"{instant(instant_us):%Y-%m-%d %H:%M:%S}"
    except OverflowError:
        return str(instant_us)


def ago(now_us: int, then_us: int | None) -> str:
    """Formats the time since an instant in its two largest units. None becomes a dash."""
    if then_us is None:
        return NOTHING
    rest_s = max(0, (now_us - then_us) // _SECOND_US)
    parts = []
    for unit, seconds in _UNITS:
        count, rest_s = divmod(rest_s, seconds)
        parts.append((count, unit))
    first = next((place for place, (count, _) in enumerate(parts) if count), len(parts) - 1)
    return " ".join(f"{count} {unit}" for count, unit in parts[first : first + 2] if count) or "0 s"

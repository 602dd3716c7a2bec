"""Formats shares and tables as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Metrics = Mapping[str, Any]


def percent(share: Metrics) -> str:
    """Formats a share with its interval and counts."""
    if not share.get("of"):
        return "–"
    low, high = share["low"], share["high"]
    return (
        f"{share['share']:.1%} [{100 * low:.1f}, {100 * high:.1f}] ({share['hits']}/{share['of']})"
    ).replace("%", " %", 1)


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Formats a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
